import { BadInput } from '../../base/core/index.js';

/** One line of a text file, without its line break. */
export interface Line {
  text: string;
  /** From 1. */
  number: number;
}

/** V8 cannot hold a longer string (2^29 − 24 UTF-16 units); a file or line beyond it cannot be parsed in one piece. */
export const MAX_TEXT_BYTES: number = 512 * 1024 * 1024;

const GZIP = [0x1f, 0x8b];

/** Open a data file and look at its beginning; a clear error for everything that is not readable UTF-8 text. */
export async function inspectFile(path: string): Promise<{ size: number; first: string }> {
  // Imported here and not above, so that this room loads in a browser page.
  const { open } = await import('node:fs/promises');
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw unreadable(path, { code: 'EISDIR' });
    // Pipes cannot be looked into without losing what was read.
    if (!stat.isFile() && !stat.isCharacterDevice()) return { size: 0, first: '' };
    const buffer = new Uint8Array(4096);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const head = buffer.subarray(0, bytesRead);
    if (stat.isFile() && bytesRead === 0) throw empty(path);
    if (head[0] === GZIP[0] && head[1] === GZIP[1]) {
      throw new BadInput({
        problem: 'the file is gzip-compressed',
        where: { file: path },
        expected: 'JSON or JSONL text',
        fix: `run gunzip on it first`,
      });
    }
    if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
      throw new BadInput({
        problem: 'the file is UTF-16',
        where: { file: path },
        expected: 'UTF-8 text',
        fix: 'save it again as UTF-8 (iconv -f UTF-16 -t UTF-8)',
      });
    }
    if (String.fromCharCode(...head.subarray(0, 4)) === 'PAR1') {
      throw new BadInput({
        problem: 'the file is Parquet',
        where: { file: path },
        expected: 'JSON or JSONL text',
        fix: 'export it as JSONL first',
      });
    }
    const text = new TextDecoder('utf-8').decode(head);
    return { size: stat.size, first: /[^\s\ufeff]/.exec(text)?.[0] ?? '' };
  } catch (error) {
    throw error instanceof BadInput ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

/** The whole file as text. */
export async function readText(path: string, size: number): Promise<string> {
  if (size >= MAX_TEXT_BYTES) {
    throw new BadInput({
      problem: `the file has ${(size / 1e6).toFixed(0)} MB, too much for one JSON text`,
      where: { file: path },
      expected: `a JSON file below ${MAX_TEXT_BYTES / 2 ** 20} MiB`,
      fix: "write it as JSONL (one row a line), which is read as a stream: jq -c '.[]' FILE > FILE.jsonl",
    });
  }
  const { readFile } = await import('node:fs/promises');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    let line = 1;
    let start = 0;
    for (let end = bytes.indexOf(10); ; end = bytes.indexOf(10, start)) {
      decodeLine(bytes.subarray(start, end < 0 ? undefined : end), path, line);
      if (end < 0) throw new BadInput({ problem: 'not valid UTF-8', where: { file: path }, fix: 'save the file as UTF-8' });
      start = end + 1;
      line++;
    }
  }
}

/** The lines of a file as a stream: only the current chunk and line are held. LF and CRLF end a line. */
export async function* readLines(path: string, onBytes?: (done: number) => void): AsyncGenerator<Line> {
  const { createReadStream } = await import('node:fs');
  let parts: Uint8Array[] = [];
  let held = 0;
  let number = 1;
  let done = 0;
  const take = (last: Uint8Array): Line => {
    const bytes = parts.length === 0 ? last : concat([...parts, last], held + last.length);
    parts = [];
    held = 0;
    return { text: decodeLine(bytes, path, number), number: number++ };
  };
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        yield take(chunk.subarray(start, end));
        start = end + 1;
      }
      if (start < chunk.length) {
        parts.push(chunk.subarray(start));
        held += chunk.length - start;
        if (held >= MAX_TEXT_BYTES) {
          throw new BadInput({
            problem: 'the line is longer than 512 MiB',
            where: { file: path, line: number },
            expected: 'one row a line (JSONL)',
            fix: 'check that the file has line breaks',
          });
        }
      }
      done += chunk.length;
      onBytes?.(done);
    }
  } catch (error) {
    if (error instanceof BadInput) throw error;
    throw unreadable(path, error);
  }
  if (held > 0) yield take(new Uint8Array(0));
}

function decodeLine(bytes: Uint8Array, file: string, line: number): string {
  const end = bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: line > 1 }).decode(end);
  } catch {
    throw new BadInput({
      problem: 'the line is not valid UTF-8',
      where: { file, line },
      expected: 'UTF-8 text',
      fix: 'save the file as UTF-8 (for example iconv -f WINDOWS-1252 -t UTF-8)',
    });
  }
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The error for a file without rows. */
export function empty(file: string): BadInput {
  return new BadInput({
    problem: 'the file is empty',
    where: { file },
    expected: 'a JSON array of rows, or JSONL with one row a line',
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
        ? ['this is a directory', 'name the JSON or JSONL file inside it']
        : code === 'EACCES' || code === 'EPERM'
          ? ['the file may not be read', `give yourself permission (chmod u+r ${file})`]
          : [`the file cannot be read (${code ?? String(error)})`, 'check the path and the disk'];
  return new BadInput({ problem: problem!, where: { file }, expected: 'a readable JSON or JSONL file', fix: fix!, cause: error });
}
