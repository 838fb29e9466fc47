import { BadInput } from './errors.js';

/** The name that `typed` most likely meant: at most a third of its letters wrong, or the beginning of exactly one name. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const begun = names.filter(name => name.startsWith(typed));
  if (typed && begun.length === 1) return begun[0];
  const [best] = names.map(name => ({ name, edits: distance(typed, name) })).sort((a, b) => a.edits - b.edits);
  return best && best.edits <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

// Edits between two words: letters added, lost, changed, or two neighbours swapped (optimal string alignment).
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const [above, row] = [rows[i - 1]!, [i]];
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** An option that does not exist is an error, and the name it most likely meant is offered: a misspelt option must not be left out unsaid. */
export function refuseUnknown(where: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near =
      // As Python writes it: batch_size.
      known.find(name => name.toLowerCase() === key.toLowerCase().replaceAll(/[_-]/g, '')) ??
      nearest(key, known) ??
      // Another library's longer name: warmup_steps.
      known.find(name => name.startsWith(key.slice(0, 4)));
    throw new BadInput({
      problem: `${where} has no option "${key}"`,
      where: { key },
      expected: `one of ${known.join(', ')}`,
      fix: near ? `did you mean "${near}"?` : 'leave it out',
    });
  }
}
