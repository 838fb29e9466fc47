import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { ErrorContent } from './channel.js';
import type { Diagnostic, Trace } from './language.js';

const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const cyan = (text: string) => `\u001b[36m${text}\u001b[39m`;
const grey = (text: string) => `\u001b[90m${text}\u001b[39m`;

const MAX_FRAMES = 12;
const MAX_CAUSES = 4;

/** The cells that ran, for tracebacks: their text, and the way back from compiled code. */
export class CellSources {
  readonly #folder: string;
  readonly #cells = new Map<string, { code: string; lines: number; trace?: Trace }>();

  /** @param folder the notebook's folder: file names in tracebacks are relative to it. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** File name under which cell `n` is compiled: what V8 writes into stacks. */
  fileName(cell: number): string {
    return `${this.#folder}${sep}cell ${cell}`;
  }

  /** @param lines number of lines of the compiled cell: frames below are the kernel's own call of it. */
  set(cell: number, code: string, lines: number, trace?: Trace): void {
    this.#cells.set(this.fileName(cell), { code, lines, trace });
  }

  /** Whether a frame is the kernel's, not the cell's. */
  isWrapper(file: string, line: number): boolean {
    const cell = this.#cells.get(file);
    return cell !== undefined && line > cell.lines;
  }

  /** Where a frame of a compiled cell lies in its source; one-based line and column. */
  locate(file: string, line: number, column: number): { name: string; line: number; column: number; code: string } | undefined {
    const cell = this.#cells.get(file);
    if (!cell) return undefined;
    const at = cell.trace?.(line - 1, column - 1);
    return {
      name: relative(this.#folder, file),
      line: (at?.line ?? line - 1) + 1,
      column: (at?.character ?? 0) + 1,
      code: cell.code,
    };
  }

  /** A file name as a reader of the notebook knows it. */
  shorten(file: string): string {
    const near = relative(this.#folder, file);
    return near && !near.startsWith(`..${sep}..`) ? near : file;
  }
}

/** The `error` message for anything a cell threw. */
export function errorContent(thrown: unknown, cells?: CellSources): ErrorContent {
  if (!isError(thrown)) {
    const evalue = inspect(thrown, { depth: 2 });
    return { ename: 'Thrown', evalue, traceback: [`${red('Thrown')}: ${evalue}`] };
  }
  const ename = String(thrown.name || thrown.constructor?.name || 'Error');
  const evalue = String(thrown.message);
  return { ename, evalue, traceback: describe(thrown, cells) };
}

/** The `error` message for a cell that does not type-check. */
export function diagnosticContent(diagnostics: readonly Diagnostic[], code: string, cell: number): ErrorContent {
  const lines = diagnostics.flatMap(({ start, end, messageText, code: number, fileName }) => {
    const place = `${fileName ?? `cell ${cell}`}, line ${start.line + 1}:${start.character + 1}`;
    const head = `${cyan(place)} ${red('error')} ${grey(`TS${number}`)}: ${messageText}`;
    if (fileName) return [head];
    const width = end.line === start.line ? end.character - start.character : 1;
    return [head, ...excerpt(code, start.line + 1, start.character + 1, width)];
  });
  const first = diagnostics[0]!;
  const more = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : '';
  const place = first.fileName ? `${first.fileName}:${first.start.line + 1}` : `line ${first.start.line + 1}`;
  return { ename: 'TypeScriptError', evalue: `${place}: ${first.messageText}${more}`, traceback: lines };
}

function describe(error: Error, cells: CellSources | undefined, depth = 0): string[] {
  const message = `${red(error.name)}: ${error.message}`;
  const { excerptLines, frames } = readStack(error, cells);
  const extra = (error as { code?: unknown }).code;
  const lines = [
    ...message.split('\n'),
    ...(typeof extra === 'string' ? [grey(`code: ${extra}`)] : []),
    ...excerptLines,
    ...frames,
  ];
  if (error instanceof AggregateError && depth < MAX_CAUSES) {
    for (const each of error.errors.slice(0, MAX_CAUSES))
      lines.push(...(isError(each) ? describe(each, cells, depth + 1) : [inspect(each)]));
  }
  if (error.cause === undefined || depth >= MAX_CAUSES) return lines;
  const cause = isError(error.cause) ? describe(error.cause, cells, depth + 1) : [inspect(error.cause, { depth: 1 })];
  return [...lines, grey('caused by'), ...cause];
}

// Frames of Node and of the kernel tell a notebook's reader nothing.
const KERNEL = fileURLToPath(new URL('.', import.meta.url));

function readStack(error: Error, cells: CellSources | undefined): { excerptLines: string[]; frames: string[] } {
  const frames: string[] = [];
  let excerptLines: string[] = [];
  let hidden = 0;
  for (const raw of String(error.stack ?? '').split('\n')) {
    const match = /^\s+at (?:(.*?) \()?(.*?):(\d+):(\d+)\)?$/.exec(raw);
    if (!match) continue;
    const [, callee = '', where = ''] = match;
    const path = where.replace(/^async /, '');
    const file = path.startsWith('file://') ? fileURLToPath(path) : path;
    if (file.startsWith('node:') || file.startsWith(KERNEL)) continue;
    if (cells?.isWrapper(file, Number(match[3]))) continue;
    const at = cells?.locate(file, Number(match[3]), Number(match[4]));
    const name = callee.replace(/^async /, '').replace(/^(?:Object\.)?<anonymous>$/, '');
    const place = at
      ? cyan(`${at.name}, line ${at.line}:${at.column}`)
      : `${cells?.shorten(file) ?? file}:${match[3]}:${match[4]}`;
    if (at && excerptLines.length === 0)
      excerptLines = [cyan(`${at.name}, line ${at.line}`), ...excerpt(at.code, at.line, at.column)];
    if (frames.length < MAX_FRAMES) frames.push(grey(`    at ${name ? `${name} (` : ''}`) + place + grey(name ? ')' : ''));
    else hidden++;
  }
  if (hidden > 0) frames.push(grey(`    … ${hidden} more`));
  return { excerptLines, frames };
}

/** The line with its neighbours and a caret under the place. */
function excerpt(code: string, line: number, column: number, width = 1): string[] {
  const lines = code.split('\n');
  const from = Math.max(1, line - 1);
  const to = Math.min(lines.length, line + 1);
  const gutter = String(to).length;
  const out: string[] = [];
  for (let n = from; n <= to; n++) {
    const text = lines[n - 1]!.slice(0, 200);
    out.push(`${n === line ? red('>') : ' '} ${grey(`${String(n).padStart(gutter)} |`)} ${text}`);
    if (n === line && column <= text.length + 1)
      out.push(`  ${' '.repeat(gutter)} ${grey('|')} ${' '.repeat(column - 1)}${red('^'.repeat(Math.max(1, width)))}`);
  }
  return out;
}

function isError(value: unknown): value is Error {
  // Errors of another realm (vm contexts, workers) fail instanceof.
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}
