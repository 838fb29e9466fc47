import { BadInput } from '../../base/core/index.js';
import { concat } from './sources/bytes.js';

/** One line of a text file, without its line break. */
export interface Line {
  text: string;
  /** From 1. */
  number: number;
}

/** V8 cannot hold a longer string (2^29 − 24 UTF-16 units); a file or line beyond it cannot be parsed in one piece. */
export const MAX_TEXT_BYTES: number = 512 * 1024 * 1024;

/** All of a stream as one text. */
export async function readText(chunks: AsyncIterable<Uint8Array>, name: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    if (held >= MAX_TEXT_BYTES) {
      throw new BadInput({
        problem: `the file has more than ${(MAX_TEXT_BYTES / 1e6).toFixed(0)} MB, too much for one JSON text`,
        where: { file: name },
        expected: `a JSON file below ${MAX_TEXT_BYTES / 2 ** 20} MiB`,
        fix: "write it as JSONL (one row a line), which is read as a stream: jq -c '.[]' FILE > FILE.jsonl",
      });
    }
  }
  const bytes = parts.length === 1 ? parts[0]! : concat(parts);
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badLine(bytes, name, 1);
  }
}

/** The lines of a stream, as many at a time as a chunk ends: only the current chunk and line are held. LF and CRLF end a line. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Line[]> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let number = 1;
  const take = (last: Uint8Array): Line => {
    const bytes = parts.length === 0 ? last : concat([...parts, last]);
    parts = [];
    held = 0;
    return { text: decodeLine(bytes, name, number), number: number++ };
  };
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      lines.push(take(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start));
      held += chunk.length - start;
      if (held >= MAX_TEXT_BYTES) {
        throw new BadInput({
          problem: 'the line is longer than 512 MiB',
          where: { file: name, line: number },
          expected: 'one row a line (JSONL)',
          fix: 'check that the file has line breaks',
        });
      }
    }
    if (lines.length > 0) yield lines;
  }
  if (held > 0) yield [take(new Uint8Array(0))];
}

/** The stream as it is, with an error at the first line that is not UTF-8: other parsers put U+FFFD there without a word. */
export async function* validUtf8(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  let before = new Uint8Array(0);
  for await (const chunk of chunks) {
    try {
      decoder.decode(chunk, { stream: true });
    } catch {
      throw badLine(concat([before, chunk]), name, lines);
    }
    yield chunk;
    // Only the last line may be unfinished, and of it the last character.
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    before = chunk.slice(-3);
    if (before.includes(10)) before = before.slice(before.lastIndexOf(10) + 1);
  }
  try {
    decoder.decode();
  } catch {
    throw notUtf8(name, lines);
  }
}

/** The error for the first line of `bytes` that is not UTF-8, which begins on line `first`. */
function badLine(bytes: Uint8Array, name: string, first: number): BadInput {
  let line = first;
  for (let start = 0; ; line++) {
    const end = bytes.indexOf(10, start);
    try {
      decode(bytes.subarray(start, end < 0 ? undefined : end));
    } catch {
      break;
    }
    if (end < 0) break;
    start = end + 1;
  }
  return notUtf8(name, line);
}

function decodeLine(bytes: Uint8Array, file: string, line: number): string {
  try {
    return decode(bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes, line > 1);
  } catch {
    throw notUtf8(file, line);
  }
}

// One decoder for all lines: making one costs more than decoding a short line.
const FIRST = new TextDecoder('utf-8', { fatal: true });
const LATER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const decode = (bytes: Uint8Array, ignoreBOM = false) => (ignoreBOM ? LATER : FIRST).decode(bytes);

function notUtf8(file: string, line: number): BadInput {
  return new BadInput({
    problem: 'the line is not valid UTF-8',
    where: { file, line },
    expected: 'UTF-8 text',
    fix: 'save the file as UTF-8 (for example iconv -f WINDOWS-1252 -t UTF-8)',
  });
}

/** The error for a file without rows. */
export function empty(file: string): BadInput {
  return new BadInput({
    problem: 'the file is empty',
    where: { file },
    expected: 'rows, for example a JSON array of them or JSONL with one row a line',
    found: 'nothing but white space',
    fix: 'check the path, or write the rows again',
  });
}

/** The error for a path that cannot be opened or read. */
export function unreadable(file: string, error: unknown): BadInput {
  const code = (error as { code?: string }).code;
  const [problem, fix] =
    code === 'ENOENT' || code === 'ENOTDIR'
      ? ['there is no such file', `check the path; it is taken relative to ${process.cwd()}`]
      : code === 'EISDIR'
        ? ['this is a directory', 'name the file inside it, or several with a pattern such as folder/*.jsonl']
        : code === 'EACCES' || code === 'EPERM'
          ? ['the file may not be read', `give yourself permission (chmod u+r ${file})`]
          : [`the file cannot be read (${code ?? String(error)})`, 'check the path and the disk'];
  return new BadInput({ problem: problem!, where: { file }, expected: 'a readable file of rows', fix: fix!, cause: error });
}
