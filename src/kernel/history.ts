import type { HistoryFile, HistoryLine } from './history-file.js';

/** One executed cell: session, line, and the input, or input and output. */
export type HistoryEntry = [number, number, string | [string, string | null]];

/** Lines kept in memory, all sessions together. */
const MOST_LINES = 10_000;
/** Characters of an output that are kept: the history is for reading inputs again. */
const LONGEST_OUTPUT = 10_000;

/**
 * The cells of this kernel's life and of those before, for `history_request`. Sessions are numbered from 1 in the order in which
 * they began; this kernel's is the last.
 */
export class History {
  readonly #file: HistoryFile | undefined;
  #lines: HistoryLine[] = [];
  /** 0 until the file is read, which is when the first cell runs or the first question comes. */
  #session = 0;

  /** @param file where earlier sessions lie and this one is written; without it the history ends with the kernel. */
  constructor(file?: HistoryFile) {
    this.#file = file;
  }

  add(line: number, input: string): void {
    this.#load();
    this.#lines.push({ session: this.#session, line, input, output: null });
    if (this.#lines.length > 1.1 * MOST_LINES) this.#lines = this.#lines.slice(-MOST_LINES);
    this.#file?.add({ line, input });
  }

  /** Attach the text of a result to the cell that made it. */
  setOutput(line: number, text: string): void {
    const entry = this.#lines.findLast(each => each.session === this.#session && each.line === line);
    if (!entry) return;
    entry.output = text.length > LONGEST_OUTPUT ? `${text.slice(0, LONGEST_OUTPUT)}…` : text;
    this.#file?.add({ line, output: entry.output });
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await this.#file?.close();
  }

  /**
   * Answer a `history_request`'s content: `tail` (n), `range` (session, start, stop) or `search` (pattern, n, unique).
   * Session 0 is this one and -1 the one before, as in IPython.
   */
  query(content: Record<string, unknown>): HistoryEntry[] {
    this.#load();
    const n = typeof content.n === 'number' ? content.n : Number.POSITIVE_INFINITY;
    let found = this.#lines.slice();
    if (content.hist_access_type === 'range') {
      const start = Number(content.start ?? 0);
      const stop = typeof content.stop === 'number' ? content.stop : Number.POSITIVE_INFINITY;
      const asked = Number(content.session ?? 0);
      const wanted = asked > 0 ? asked : this.#session + asked;
      found = found.filter(({ session, line }) => session === wanted && line >= start && line < stop);
    } else {
      if (content.hist_access_type === 'search') {
        const matches = glob(String(content.pattern ?? '*'));
        found = found.filter(({ input }) => matches(input));
        // Each input once, at the place of its last use.
        if (content.unique) {
          const last = new Map(found.map(each => [each.input, each]));
          found = found.filter(each => last.get(each.input) === each);
        }
      }
      found = n > 0 ? found.slice(-Math.min(n, found.length || 1)) : [];
    }
    return found.map(({ session, line, input, output }) => [session, line, content.output ? [input, output] : input]);
  }

  #load(): void {
    if (this.#session > 0) return;
    this.#lines = this.#file?.read().slice(-MOST_LINES) ?? [];
    this.#session = (this.#lines.at(-1)?.session ?? 0) + 1;
  }
}

/**
 * The front end's glob (`*`, `?`) over the whole input. Not by a regular expression: `*a*a*a*…b` would make one run for ever, and
 * this process must answer at any time.
 */
function glob(pattern: string): (text: string) => boolean {
  return text => {
    let at = 0;
    let next = 0;
    let star = -1;
    let retry = 0;
    while (at < text.length) {
      if (pattern[next] === '*') {
        star = next++;
        retry = at;
      } else if (next < pattern.length && (pattern[next] === '?' || pattern[next] === text[at])) {
        next++;
        at++;
      } else if (star >= 0) {
        next = star + 1;
        at = ++retry;
      } else return false;
    }
    while (pattern[next] === '*') next++;
    return next === pattern.length;
  };
}
