import type { Row } from '../data/index.js';
import type { TaskRow } from './types.js';

/** What a row of any kind has. */
const ROW_KEYS: readonly string[] = ['messages', 'tools', 'documents', 'task', 'source', 'line', 'meta'];

/**
 * A task row as files hold it: what only task rows have (its checker, how it was made) lies in `meta.taskRow`.
 * `await data.writeRows('suite.jsonl', suite.rows.map(tasks.toSaved))`
 */
export function toSaved(row: Row): Row {
  const fields = Object.entries(row);
  const taskRow = Object.fromEntries(fields.filter(([key]) => !ROW_KEYS.includes(key)));
  const rest = Object.fromEntries(fields.filter(([key]) => ROW_KEYS.includes(key))) as unknown as Row;
  return { ...rest, meta: { ...row.meta, taskRow } };
}

/**
 * A row that was read, as it was before {@link toSaved}, but for its `source` and `line`; a row that was not saved so stays as it is.
 * `const rows = (await data.readRows('suite.jsonl')).map(row => tasks.fromSaved(row))`
 */
export function fromSaved<R extends TaskRow = TaskRow>(row: Row): R {
  const { taskRow, ...meta } = row.meta ?? {};
  if (typeof taskRow !== 'object' || taskRow === null) return row as R;
  const { meta: _, ...rest } = row;
  return { ...rest, ...taskRow, ...(Object.keys(meta).length ? { meta } : {}) } as R;
}
