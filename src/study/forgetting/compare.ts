import { setView } from '../../base/core/index.js';
import type { Memory } from './measure.js';

/** One measure before and after tuning, as `show.beforeAfter` takes it. */
export interface ComparedRow {
  label: string;
  before: number;
  after: number;
  /** `share` is shown as per cent. */
  unit: 'share' | 'nats per token';
  better: 'higher' | 'lower';
}

/** Result of {@link compare}. */
export class Comparison {
  readonly rows: readonly ComparedRow[];

  constructor(rows: readonly ComparedRow[]) {
    this.rows = rows;
  }
}

setView(Comparison, it => ({ kind: 'beforeAfter', data: { rows: it.rows, title: 'What was forgotten' } }));

/** What was forgotten between two measurements. */
export function compare(before: Memory, after: Memory): Comparison {
  const rows: ComparedRow[] = [
    { label: 'loss on base text', before: before.baseLoss, after: after.baseLoss, unit: 'nats per token', better: 'lower' },
  ];
  if (before.facts !== undefined && after.facts !== undefined)
    rows.push({ label: 'facts recalled', before: before.facts, after: after.facts, unit: 'share', better: 'higher' });
  return new Comparison(rows);
}
