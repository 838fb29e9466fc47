import { setView } from '../../../base/core/index.js';

/** A row that a cleaning step took out. */
export interface Removed {
  /** Position among the rows given, from 0. */
  index: number;
  source?: string;
  line?: number;
  /** Why, e.g. `fewer than 3 words`. */
  reason: string;
}

/** How many rows one reason took out. */
export interface ReasonCount {
  reason: string;
  rows: number;
  share: number;
}

/** What a cleaning step did. `read = kept + removed`; shown in a notebook as a table of reasons. */
export class CleanReport {
  readonly step: string;
  readonly read: number;
  readonly kept: number;
  readonly removed: number;
  /** Rows taken out by each reason, most first. */
  readonly reasons: readonly ReasonCount[];

  constructor(step: string, read: number, removed: readonly Removed[]) {
    this.step = step;
    this.read = read;
    this.removed = removed.length;
    this.kept = read - removed.length;
    const counts = new Map<string, number>();
    for (const { reason } of removed) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    this.reasons = [...counts]
      .map(([reason, rows]) => ({ reason, rows, share: read === 0 ? 0 : rows / read }))
      .sort((a, b) => b.rows - a.rows);
  }
}

setView(CleanReport, ({ read, kept, reasons }) => ({
  kind: 'table',
  data: [
    ...reasons.map(({ reason, rows, share }) => ({ reason: `removed: ${reason}`, rows, share: percent(share) })),
    { reason: 'kept', rows: kept, share: percent(read === 0 ? 0 : kept / read) },
    { reason: 'all', rows: read, share: percent(read === 0 ? 0 : 1) },
  ],
}));

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Where a row came from, as far as it says so. */
export function origin(row: unknown): { source?: string; line?: number } {
  const { source, line } = (typeof row === 'object' && row !== null ? row : {}) as { source?: unknown; line?: unknown };
  return { ...(typeof source === 'string' ? { source } : {}), ...(typeof line === 'number' ? { line } : {}) };
}
