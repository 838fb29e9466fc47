import { quote } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import type { TrainRow } from './types.js';

/** Where rows came from: `line 5`, else their length. */
export function nameRow({ line, ids }: TrainRow): string {
  return line === undefined ? `[${ids.length} tokens]` : `line ${[line].flat().join(', ')}`;
}

/** Names of rows, the first sixteen. */
export function nameRows(rows: readonly TrainRow[]): string {
  const names = rows.slice(0, 16).map(nameRow);
  return names.join(', ') + (rows.length > 16 ? `, and ${rows.length - 16} more` : '');
}

/**
 * A row with its mask, on one line: what is trained stands in ⟦ ⟧. Text where there is a tokenizer, else ids. What is longer than
 * `limit` characters is cut out in the middle. Rows of an encoder–decoder: what the encoder reads, then the target.
 */
export function showRow(row: TrainRow, { tokenizer, seq2seq = false, limit = 200 }: ShowRowOptions = {}): string {
  const text = (ids: readonly number[]) => (tokenizer ? tokenizer.decode([...ids]) : ids.join(' '));
  const parts = seq2seq
    ? [text(row.ids), `⟦${text(row.labels.filter(id => id !== -100))}⟧`]
    : runs(row).map(({ from, to, trained }) => {
        const shown = text(row.ids.slice(from, to));
        return trained ? `⟦${shown}⟧` : shown;
      });
  const whole = parts.join(tokenizer && !seq2seq ? '' : ' ');
  const cut = whole.length > limit ? `${whole.slice(0, limit >> 1)} … ${whole.slice(whole.length - (limit >> 1))}` : whole;
  return `${nameRow(row)}: ${quote(cut, 2 * limit).slice(1, -1)}`;
}

/** What {@link showRow} may be told. */
export interface ShowRowOptions {
  tokenizer?: Pick<Tokenizer, 'decode'>;
  seq2seq?: boolean;
  limit?: number;
}

/** Stretches of tokens that carry loss, or do not. */
function runs({ ids, labels }: TrainRow): { from: number; to: number; trained: boolean }[] {
  const found: { from: number; to: number; trained: boolean }[] = [];
  ids.forEach((_, i) => {
    const trained = i > 0 && labels[i] !== -100;
    const last = found.at(-1);
    if (last?.trained === trained) last.to = i + 1;
    else found.push({ from: i, to: i + 1, trained });
  });
  return found;
}
