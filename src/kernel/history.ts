/** One executed cell: session, line, and the input, or input and output. */
export type HistoryEntry = [number, number, string | [string, string | null]];

interface Line {
  line: number;
  input: string;
  output: string | null;
}

/** The cells of this kernel's life, for `history_request`. Session numbers start at 1; there is one. */
export class History {
  readonly #lines: Line[] = [];

  add(line: number, input: string): void {
    this.#lines.push({ line, input, output: null });
  }

  /** Attach the text of a result to the cell that made it. */
  setOutput(line: number, output: string): void {
    const entry = this.#lines.findLast(each => each.line === line);
    if (entry) entry.output = output;
  }

  /** Answer a `history_request`'s content: `tail` (n), `range` (start, stop) or `search` (pattern, n, unique). */
  query(content: Record<string, unknown>): HistoryEntry[] {
    const n = typeof content.n === 'number' ? content.n : Number.POSITIVE_INFINITY;
    let found = this.#lines.slice();
    if (content.hist_access_type === 'range') {
      const start = Number(content.start ?? 0);
      const stop = typeof content.stop === 'number' ? content.stop : Number.POSITIVE_INFINITY;
      found = Number(content.session ?? 0) > 1 ? [] : found.filter(({ line }) => line >= start && line < stop);
    } else {
      if (content.hist_access_type === 'search') {
        const pattern = glob(String(content.pattern ?? '*'));
        found = found.filter(({ input }) => pattern.test(input));
        if (content.unique) found = [...new Map(found.map(each => [each.input, each])).values()];
      }
      found = n > 0 ? found.slice(-Math.min(n, found.length || 1)) : [];
    }
    return found.map(({ line, input, output }) => [1, line, content.output ? [input, output] : input]);
  }
}

/** The front end's glob (`*`, `?`) as a regular expression over the whole input. */
function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]');
  return new RegExp(`^${source}$`);
}
