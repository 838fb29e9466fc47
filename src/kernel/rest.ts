import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MimeBundle } from '../base/core/index.js';

/** Characters of one print that are shown; of a longer one its beginning and its end. */
const LONGEST_TEXT = 1 << 20;
const HEAD = 200_000;
const TAIL = 20_000;
/** Characters of one representation in a bundle (pictures are base64): a front end chokes on more. */
const LARGEST_ENTRY = 20 << 20;

/**
 * Outputs too large for a front end: it gets a part, or word of what is missing, and the whole lies in a file until this
 * process ends.
 */
export class Rest {
  #folder: string | undefined;
  #files = 0;

  /** What is shown of a printed text. */
  ofText(text: string): string {
    if (text.length <= LONGEST_TEXT) return text;
    const left = text.length - HEAD - TAIL;
    const note = `\n… ${count(left)} more characters here; the whole text is in ${this.#save('txt', text)} until the kernel ends …\n`;
    return text.slice(0, HEAD) + note + text.slice(-TAIL);
  }

  /** What is shown of a bundle. */
  ofBundle(data: MimeBundle): MimeBundle {
    const notes: string[] = [];
    const kept: MimeBundle = {};
    for (const [mime, given] of Object.entries(data)) {
      let found: Content | undefined;
      try {
        found = contentOf(mime, given);
      } catch (error) {
        notes.push(`${mime} cannot be shown: ${(error as Error).message}`);
      }
      if (!found) continue;
      const { content, text } = found;
      if (text.length <= LARGEST_ENTRY) kept[mime] = content;
      else if (mime === 'text/plain') kept[mime] = this.ofText(text);
      else {
        const isBase64 = /^(image\/(?!svg)|audio\/|video\/|application\/pdf)/.test(mime);
        const path = this.#save(ending(mime), isBase64 ? Buffer.from(text, 'base64') : text);
        notes.push(
          `${mime} of ${count(text.length)} characters is too large to be shown: it is in ${path} until the kernel ends`,
        );
      }
    }
    if (notes.length > 0) kept['text/plain'] = [...notes, kept['text/plain']].flat().filter(Boolean).join('\n');
    return kept;
  }

  #save(extension: string, content: string | Uint8Array): string {
    try {
      if (this.#folder === undefined) {
        const folder = mkdtempSync(join(tmpdir(), 'tunebook-output-'));
        process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
        this.#folder = folder;
      }
      mkdirSync(this.#folder, { recursive: true });
      const path = join(this.#folder, `output-${++this.#files}.${extension}`);
      writeFileSync(path, content);
      return path;
    } catch (error) {
      return `no file (${(error as Error).message}); print it in parts or write it to a file`;
    }
  }
}

/** A representation as a notebook may hold it, and as text. */
interface Content {
  content: unknown;
  text: string;
}

/**
 * Bytes become base64; whole numbers of any size become numbers, or texts where they would lose digits; what is neither text nor data
 * becomes text. Throws where no JSON can be made; undefined where nothing is left.
 */
function contentOf(mime: string, given: unknown): Content | undefined {
  if (given instanceof Uint8Array) {
    const isText = /^text\/|[/+](json|xml)$/.test(mime);
    const text = Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString(isText ? 'utf8' : 'base64');
    return { content: text, text };
  }
  const isLines = Array.isArray(given) && given.every(each => typeof each === 'string');
  if (typeof given === 'string' || !(/[/+]json$/.test(mime) || isLines)) {
    const text = String(given ?? '');
    return given === undefined || given === null ? undefined : { content: text, text };
  }
  let content = given;
  let text: string | undefined;
  try {
    text = JSON.stringify(given);
  } catch {
    text = JSON.stringify(given, (_, value: unknown) => (typeof value === 'bigint' ? plainNumber(value) : value));
    content = JSON.parse(text);
  }
  return text === undefined ? undefined : { content, text };
}

function plainNumber(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function ending(mime: string): string {
  return /^[\w.-]+\/(?:.*\+)?([\w-]+)$/.exec(mime)?.[1] ?? 'data';
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
