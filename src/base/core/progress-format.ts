/** One report of a task's progress. */
export interface ProgressEvent {
  id: number;
  label: string;
  done: number;
  /** Undefined when the end is not known. */
  total?: number;
  /** What is counted: 'rows', 'steps', 'B' (bytes, shown as MB). */
  unit: string;
  /** Short text beside the bar, e.g. `loss 1.23`. */
  note?: string;
  /** Seconds since the task began. */
  elapsed: number;
  /** Seconds still needed, from the pace since the task's first report; undefined when that cannot be told. */
  left?: number;
  finished: boolean;
}

// A file's name may hold what would move the cursor, hide or turn the line around.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;

/** One line for one event: `label [####----] 40 % 400/1000 rows 00:12 <00:18 note`. */
export function formatProgress(event: ProgressEvent): string {
  const { label, done, total, elapsed, left, note } = event;
  let parts = [label, progressCount(event), clock(elapsed), note];
  if (total !== undefined && total > 0) {
    const share = Math.min(1, done / total);
    const bar = `[${'#'.repeat(Math.round(share * 20)).padEnd(20, '-')}]`;
    const remains = left === undefined ? '' : `<${clock(left)}`;
    parts = [label, bar, `${Math.round(share * 100)} %`, progressCount(event), clock(elapsed), remains, note];
  }
  return parts.filter(Boolean).join(' ').replace(UNPRINTABLE, '\ufffd');
}

/** How much is done, of how much: `400/1000 rows`, `5.0 MB/10.0 MB`. */
export function progressCount({ done, total, unit }: ProgressEvent): string {
  const amount = (n: number) => (unit === 'B' ? `${(n / 1e6).toFixed(1)} MB` : `${n}`);
  return `${amount(done)}${total === undefined || total <= 0 ? '' : `/${amount(total)}`}${unit === 'B' ? '' : ` ${unit}`}`;
}

/** Seconds as `mm:ss` or `h:mm:ss`. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  return s < 3600
    ? `${two(Math.floor(s / 60))}:${two(s % 60)}`
    : `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
}
