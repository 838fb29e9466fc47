import { hashText, mix } from '../../../base/text/index.js';
import { contentText, type Row } from '../../data/index.js';

/** Words in a row that two rows must share to be about one item. */
const RUN = 6;
/** A whole answer of fewer words does so too, down to this many: `yes` and `no` are nobody's own. */
const SHORT = 4;
/** Runs that are held at most: a Map has room for 16 million. Of larger collections only every so many is looked at, the same ones in all rows. */
const MOST = 12_000_000;

/**
 * Which rows of one task are about the same item, though a template has filled it into another text: the same number for
 * the same item. Two rows share one when they ask the same in one template, or share six words in a row – or a whole answer – that no
 * other row of either's template has.
 */
export function itemsOf(rows: readonly Row[], templateOf: (row: Row) => string, most: number = MOST): number[] {
  // A word has five letters and a space, about.
  const size = rows.reduce((sum, row) => sum + promptOf(row).length / 6, 0);
  const own = rows.map(row => runs(row, Math.max(1, Math.ceil(size / most))));
  const templates = rows.map(templateOf);
  const counts = new Map<string, Map<number, number>>(templates.map(name => [name, new Map()]));
  for (const [i, set] of own.entries()) {
    const ofTemplate = counts.get(templates[i]!)!;
    for (const run of set) ofTemplate.set(run, (ofTemplate.get(run) ?? 0) + 1);
  }

  // Union-find: every row begins as an item of its own, and takes that of an earlier row it shares a run with.
  const parent = rows.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const joined = <T>(first: Map<T, number>, i: number, what: T) => {
    const other = first.get(what);
    if (other === undefined) first.set(what, i);
    else parent[root(i)] = root(other);
  };
  const [prompts, shared] = [new Map<string, number>(), new Map<number, number>()];
  for (const [i, set] of own.entries()) {
    joined(prompts, i, `${templates[i]}/${promptOf(rows[i]!).trim().replace(/\s+/g, ' ')}`);
    const ofTemplate = counts.get(templates[i]!)!;
    for (const run of set) if (ofTemplate.get(run) === 1) joined(shared, i, run);
  }
  return rows.map((_, i) => root(i));
}

const promptOf = (row: Row) =>
  row.messages
    .slice(0, -1)
    .map(message => `${contentText(message)} ${message.input ?? ''}`)
    .join(' ');

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** The runs of words of a row's prompt and of its answer, and the answer as a whole, each as a number of 53 bits. */
function runs(row: Row, every: number): Set<number> {
  const out = new Set<number>();
  const answer = wordsOf(contentText(row.messages.at(-1)!));
  for (const words of [wordsOf(promptOf(row)), answer]) {
    const hashes = words.map(word => [hashText(word), hashText(word, 1)] as const);
    for (let i = 0; i + RUN <= words.length; i++) {
      const run = numberOf(hashes.slice(i, i + RUN));
      if (run % every === 0) out.add(run);
    }
  }
  if (answer.length >= SHORT && answer.length < RUN) out.add(numberOf(answer.map(word => [hashText(word), hashText(word, 1)])));
  return out;
}

/** Two hashes of a row of words side by side: of ten million no two are likely to have the same. */
function numberOf(hashes: readonly (readonly [number, number])[]): number {
  let [a, b] = [hashes.length, hashes.length];
  for (const [one, other] of hashes) {
    a = mix(Math.imul(a, 0x01000193) ^ one);
    b = mix(Math.imul(b, 0x01000193) ^ other);
  }
  return a * 2 ** 21 + (b >>> 11);
}
