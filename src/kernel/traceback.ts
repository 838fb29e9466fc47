import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { ErrorContent } from './channel.js';
import { LINES_BEFORE } from './code.js';
import type { CompiledText } from './compiled.js';
import type { Diagnostic } from './diagnostics.js';
import { alarm, bold, faint } from './inks.js';
import { Stacks } from './stacks.js';

const MAX_FRAMES = 12;
const MAX_CAUSES = 4;
const MAX_DIAGNOSTICS = 20;
const LONGEST_MESSAGE = 20_000;

/** A place in a text that the kernel compiled. One-based. */
interface Place {
  /** What the reader calls the text: `cell 3`, `local.ts`. */
  name: string;
  line: number;
  column: number;
  code: string;
}

/** A function that waited for what failed. */
interface Waiter {
  callee: string;
  at: Place;
}

/** The texts that were compiled, for tracebacks, and the way back to them from compiled code. */
export class CellSources {
  readonly #folder: string;
  readonly #texts = new Map<string, { name: string; lines: number; text: CompiledText }>();
  #repeated = 0;
  /** The functions through whose awaits an error came: Node's own stack ends at the kernel's checkpoints. */
  readonly #waiters = new WeakMap<object, Waiter[]>();

  readonly stacks: Stacks = new Stacks((...place) => this.printed(...place));

  /** @param folder the notebook's folder: file names in tracebacks are relative to it. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A new file name under which cell `n` is compiled: what V8 writes into stacks. Silent cells share their number with another. */
  fileName(cell: number): string {
    const name = `${this.#folder}${sep}cell ${cell}`;
    if (!this.#texts.has(name)) return name;
    return `${name} (${++this.#repeated})`;
  }

  /** A text is about to run under this file name. */
  set(file: string, text: CompiledText, name: string = this.shorten(file)): void {
    this.#texts.set(file, { name, lines: text.output.split('\n').length, text });
  }

  /** An error came through an await of this text. */
  noteAwait(error: unknown, file: string, place: number): void {
    const known = this.#texts.get(file);
    const at = known?.text.places[place];
    if (!at || error === null || typeof error !== 'object') return;
    const waiters = this.#waiters.get(error) ?? [];
    this.#waiters.set(error, waiters);
    const { callee, line, character } = at;
    if (waiters.length < MAX_FRAMES)
      waiters.push({ callee, at: { name: known.name, line: line + 1, column: character + 1, code: known.text.source } });
  }

  waitersOf(error: object): readonly Waiter[] {
    return this.#waiters.get(error) ?? [];
  }

  /** Whether a frame is the kernel's, not the cell's. */
  isWrapper(file: string, line: number): boolean {
    const known = this.#texts.get(file);
    return known !== undefined && (line <= LINES_BEFORE || line > known.lines + LINES_BEFORE);
  }

  /** Where a frame of compiled code lies in its source. */
  locate(file: string, line: number, column: number): Place | undefined {
    const known = this.#texts.get(file);
    const at = known?.text.trace(line - LINES_BEFORE - 1, column - 1);
    return known && at && { name: known.name, line: at.line + 1, column: at.character + 1, code: known.text.source };
  }

  /** What stands for a place in an error's printed stack; undefined for the kernel's own. */
  printed(file: string, line: number, column: number): string | undefined {
    if (file.startsWith(KERNEL) || file === 'node:vm' || this.isWrapper(file, line)) return undefined;
    const at = this.locate(file, line, column);
    if (!at) return this.has(file) ? undefined : `${file}:${line}:${column}`;
    return `${at.name.startsWith('cell ') ? at.name : file}:${at.line}:${at.column}`;
  }

  /** Whether a file was compiled by the kernel. */
  has(file: string): boolean {
    return this.#texts.has(file);
  }

  /** A file name as a reader of the notebook knows it. */
  shorten(file: string): string {
    const near = relative(this.#folder, file);
    return near && !near.startsWith(`..${sep}..`) ? near : file;
  }
}

/** A cell or file that does not type-check, carried to where the outcome is made. */
export class DoesNotCompile extends Error {
  constructor(readonly content: ErrorContent) {
    super(content.evalue);
  }
}

/** The `error` message for anything a cell threw. Whatever was thrown (a proxy, getters that throw), this does not throw. */
export function errorContent(thrown: unknown, cells?: CellSources): ErrorContent {
  try {
    if (thrown instanceof DoesNotCompile) return thrown.content;
    if (!isError(thrown)) {
      const evalue = short(inspect(thrown, { depth: 2 }));
      const { excerptLines, frames } =
        thrown !== null && typeof thrown === 'object' ? readStack('', waiters(thrown, cells), cells) : NOWHERE;
      return { ename: 'Thrown', evalue, traceback: [`${alarm('Thrown')}: ${evalue}`, ...excerptLines, ...frames] };
    }
    return { ename: nameOf(thrown), evalue: short(messageOf(thrown)), traceback: describe(thrown, cells) };
  } catch {
    const evalue = 'a value that cannot be shown: looking at it throws';
    return { ename: 'Thrown', evalue, traceback: [`${alarm('Thrown')}: ${evalue}`] };
  }
}

/** The `error` message for a cell that does not type-check. @param cell its text and number */
export function diagnosticContent(
  diagnostics: readonly Diagnostic[],
  cells: CellSources,
  cell?: { code: string; number: number },
): ErrorContent {
  const named = (file: Diagnostic['file']) => (file ? cells.shorten(file.path) : `cell ${cell?.number}`);
  const lines = diagnostics.slice(0, MAX_DIAGNOSTICS).flatMap(({ start, end, messageText, code: number, file }) => {
    const place = `${named(file)}, line ${start.line + 1}:${start.character + 1}`;
    const head = `${bold(place)} ${alarm('error')} ${faint(`TS${number}`)}: ${messageText}`;
    const width = end.line === start.line ? end.character - start.character : 1;
    return [...head.split('\n'), ...excerpt(file?.text ?? cell?.code ?? '', start.line + 1, start.character + 1, width)];
  });
  if (diagnostics.length > MAX_DIAGNOSTICS) lines.push(faint(`… ${diagnostics.length - MAX_DIAGNOSTICS} more`));
  const first = diagnostics[0]!;
  const more = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : '';
  const place = first.file ? `${named(first.file)}:${first.start.line + 1}` : `line ${first.start.line + 1}`;
  return { ename: 'TypeScriptError', evalue: `${place}: ${first.messageText}${more}`, traceback: lines };
}

function describe(error: Error, cells: CellSources | undefined, depth = 0, seen: Set<unknown> = new Set()): string[] {
  seen.add(error);
  const message = `${alarm(nameOf(error))}: ${short(messageOf(error))}`;
  const { excerptLines, frames } = readStack(
    cells?.stacks.rawOf(error) ?? String(error.stack ?? ''),
    waiters(error, cells),
    cells,
  );
  const extra = (error as { code?: unknown }).code;
  const lines = [
    ...message.split('\n'),
    ...(typeof extra === 'string' ? [faint(`code: ${extra}`)] : []),
    ...excerptLines,
    ...frames,
  ];
  const inner = (each: unknown) => {
    if (seen.has(each)) return [faint('(shown above)')];
    return isError(each) ? describe(each, cells, depth + 1, seen) : [short(inspect(each, { depth: 1 }))];
  };
  if (depth >= MAX_CAUSES) return lines;
  const { errors } = error as { errors?: unknown };
  if (error instanceof AggregateError || (error.name === 'AggregateError' && Array.isArray(errors))) {
    const all = errors as unknown[];
    for (const [i, each] of all.slice(0, MAX_CAUSES).entries())
      lines.push(faint(`error ${i + 1} of ${all.length}`), ...inner(each));
  }
  // What a failing `using` at the end of a block hides.
  if (error.name === 'SuppressedError') {
    const { error: last, suppressed } = error as { error?: unknown; suppressed?: unknown };
    lines.push(faint('at the end of the block'), ...inner(last), faint('after'), ...inner(suppressed));
  }
  return error.cause === undefined ? lines : [...lines, faint('caused by'), ...inner(error.cause)];
}

function waiters(error: object, cells: CellSources | undefined): readonly Waiter[] {
  return cells?.waitersOf(error) ?? [];
}

function nameOf(error: Error): string {
  return String(error.name || error.constructor?.name || 'Error');
}

/** The message, with the names the cell wrote where V8 quotes what they were compiled to. */
function messageOf(error: Error): string {
  return String(error.message).replace(
    /\(0 , (?:__import\d+__|__notebook__)\.([\p{ID_Continue}$]+)\)|(?<![\w/\\])(?:__import\d+__|__notebook__)\.(?=[\p{ID_Start}$_])/gu,
    '$1',
  );
}

function short(text: string): string {
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}… (${text.length} characters)` : text;
}

// Frames of Node and of the kernel tell a notebook's reader nothing.
const KERNEL = fileURLToPath(new URL('.', import.meta.url));
const NOWHERE = { excerptLines: [], frames: [] };

function readStack(
  stack: string,
  waiters: readonly Waiter[],
  cells: CellSources | undefined,
): { excerptLines: string[]; frames: string[] } {
  const found: { callee: string; place: string; at?: Place }[] = [];
  for (const raw of stack.split('\n')) {
    const match = /^\s+at (?:(.*?) \()?(.*?):(\d+):(\d+)\)?$/.exec(raw);
    if (!match) continue;
    const [, callee = '', where = ''] = match;
    const path = where.replace(/^async /, '');
    const file = path.startsWith('file://') ? fileURLToPath(path) : path;
    if (file.startsWith('node:') || file.startsWith(KERNEL)) continue;
    if (cells?.isWrapper(file, Number(match[3]))) continue;
    const at = cells?.locate(file, Number(match[3]), Number(match[4]));
    // Code of ours without a place in the source: helpers that the compiler added.
    if (!at && cells?.has(file)) continue;
    const name = callee.replace(/^async /, '').replace(/^(?:Object\.)?<anonymous>$/, '');
    found.push({ callee: name, place: `${cells?.shorten(file) ?? file}:${match[3]}:${match[4]}`, at });
  }
  for (const { callee, at } of waiters) {
    // Up to the first await of a function Node's stack has it, too.
    const known = found.some(
      each => each.at?.name === at.name && each.at.line === at.line && (each.callee === callee || callee === ''),
    );
    if (!known) found.push({ callee: callee && `async ${callee}`, place: '', at });
  }
  const shown = found.slice(0, MAX_FRAMES).map(({ callee, place, at }) => {
    const where = at ? bold(`${at.name}, line ${at.line}:${at.column}`) : place;
    return faint(`    at ${callee ? `${callee} (` : ''}`) + where + faint(callee ? ')' : '');
  });
  if (found.length > MAX_FRAMES) shown.push(faint(`    … ${found.length - MAX_FRAMES} more`));
  const first = found.find(({ at }) => at)?.at;
  const excerptLines = first ? [bold(`${first.name}, line ${first.line}`), ...excerpt(first.code, first.line, first.column)] : [];
  return { excerptLines, frames: shown };
}

/** Characters of a line that an excerpt shows: what is longer is broken by front ends, and the caret then stands below something else. */
const WIDTH = 76;

/** The line with its neighbours and a caret under the place. Of a long line the part around the place. */
function excerpt(code: string, line: number, column: number, width = 1): string[] {
  const lines = code.split('\n');
  const from = Math.max(1, line - 1);
  const to = Math.min(lines.length, line + 1);
  const gutter = String(to).length;
  const skipped = Math.max(0, Math.min(column - WIDTH / 2, lines[line - 1]!.length - WIDTH));
  const out: string[] = [];
  for (let n = from; n <= to; n++) {
    const whole = lines[n - 1]!;
    const start = n === line ? skipped : 0;
    const text = `${start > 0 ? '…' : ''}${whole.slice(start, start + WIDTH)}${whole.length > start + WIDTH ? '…' : ''}`;
    out.push(`${n === line ? alarm('>') : ' '} ${faint(`${String(n).padStart(gutter)} |`)} ${text}`);
    if (n !== line || column > whole.length + 1) continue;
    const before = column - 1 - start + (start > 0 ? 1 : 0);
    const carets = '^'.repeat(Math.max(1, Math.min(width, WIDTH - before)));
    out.push(`  ${' '.repeat(gutter)} ${faint('|')} ${' '.repeat(before)}${alarm(carets)}`);
  }
  return out;
}

function isError(value: unknown): value is Error {
  // Errors of another realm (vm contexts, workers) fail instanceof.
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}
