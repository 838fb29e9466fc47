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
    for (const [mime, content] of Object.entries(data)) {
      const text = typeof content === 'string' ? content : (JSON.stringify(content) ?? '');
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
    if (notes.length > 0) kept['text/plain'] = [...notes, kept['text/plain']].filter(Boolean).join('\n');
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

function ending(mime: string): string {
  return /^[\w.-]+\/(?:.*\+)?([\w-]+)$/.exec(mime)?.[1] ?? 'data';
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
