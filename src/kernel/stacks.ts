import { fileURLToPath } from 'node:url';

/** What a line of a stack becomes; undefined where its reader has nothing of it. */
export type Rewrite = (file: string, line: number, column: number) => string | undefined;

/** A frame of a stack, with the function's name if it has one. */
const FRAME = /^(\s+at (?:.*? \()?)(?:async )?(.*?):(\d+):(\d+)(\)?)$/;

/**
 * The stacks of errors as whoever prints one reads them: `console.log(error)`, `error.stack`. Frames lie in the TypeScript of the cells
 * and local files, and the kernel's own are left out. What V8 wrote is kept for the tracebacks, which say more.
 */
export class Stacks {
  readonly #rewrite: Rewrite;
  readonly #written = new WeakMap<object, { shown: string; raw: string }>();

  constructor(rewrite: Rewrite) {
    this.#rewrite = rewrite;
  }

  /** Let V8 ask here how a stack is written. A library that does so itself has its way. */
  install(): void {
    Error.prepareStackTrace = (error, sites) => this.#write(error, sites);
  }

  /** The stack of an error as V8 wrote it, also where a library has put something before or behind it. */
  rawOf(error: Error): string {
    const stack = String(error.stack ?? '');
    const written = this.#written.get(error);
    return written && written.shown !== '' ? stack.replace(written.shown, () => written.raw) : stack;
  }

  #write(error: object, sites: readonly NodeJS.CallSite[]): string {
    const head = headOf(error);
    const raw = sites.map(site => `\n    at ${site}`);
    try {
      const shown = raw.map(frame => this.#shown(frame)).join('');
      this.#written.set(error, { shown, raw: raw.join('') });
      return head + shown;
    } catch {
      // Looking at a stack must not throw, least of all where the call stack is full.
      return head + raw.join('');
    }
  }

  #shown(frame: string): string {
    const match = FRAME.exec(frame);
    if (!match) return frame;
    const [, before, where = '', line, column, after] = match;
    const place = this.#rewrite(where.startsWith('file://') ? fileURLToPath(where) : where, Number(line), Number(column));
    return place === undefined ? '' : `${before}${place}${after}`;
  }
}

/** The first line, as Node writes it: errors of its own show their code. */
function headOf(error: object): string {
  try {
    const symbols = [error, Object.getPrototypeOf(error) ?? error].flatMap(each => Object.getOwnPropertySymbols(each));
    const isNodes = symbols.some(({ description }) => description === 'kIsNodeError');
    const { name, message, code } = error as Error & { code?: unknown };
    return isNodes ? `${name} [${code}]: ${message}` : Error.prototype.toString.call(error);
  } catch {
    return '<error>';
  }
}
