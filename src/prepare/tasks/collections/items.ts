import { contentText, type Row } from '../../data/index.js';

/** Words in a row that two prompts must share to be about one item. */
const RUN = 6;

/**
 * Which rows of one task are about the same item, though a template has filled it into another text: the same number for
 * the same item. Two rows share one when they share six words in a row that no other row of either's template has.
 */
export function itemsOf(rows: readonly Row[], templateOf: (row: Row) => string): number[] {
  const own = rows.map(row => runs(row));
  const counts = new Map<string, number>();
  const key = (i: number, run: string) => `${templateOf(rows[i]!)}/${run}`;
  for (const [i, set] of own.entries()) for (const run of set) counts.set(key(i, run), (counts.get(key(i, run)) ?? 0) + 1);

  // Union-find: every row begins as an item of its own, and takes that of an earlier row it shares a run with.
  const parent = rows.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const first = new Map<string, number>();
  for (const [i, set] of own.entries())
    for (const run of set) {
      if (counts.get(key(i, run)) !== 1) continue;
      const other = first.get(run);
      if (other === undefined) first.set(run, i);
      else parent[root(i)] = root(other);
    }
  return rows.map((_, i) => root(i));
}

function runs(row: Row): Set<string> {
  const prompt = row.messages.slice(0, -1).map(message => `${contentText(message)} ${message.input ?? ''}`);
  const words =
    prompt
      .join(' ')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  const out = new Set<string>();
  for (let i = 0; i + RUN <= words.length; i++) out.add(words.slice(i, i + RUN).join(' '));
  return out;
}
