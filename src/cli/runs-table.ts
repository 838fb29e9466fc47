import { basename } from 'node:path';
import type { RecordedRun } from '../learn/train/index.js';
import { alignedColumns, plainLine, shortNumber } from './columns.js';

/** One line a run: name, state, steps, last loss, evaluation, date, model, commit. */
export function runsTable(runs: readonly RecordedRun[]): string {
  const rows = runs.map(run => {
    const { record, state, step, last, evaluation } = run;
    const { model, sessions, total, started } = record;
    const { git } = sessions.at(-1) ?? {};
    return [
      run.id,
      state,
      `${step}/${total}`,
      shortNumber(last?.loss),
      evaluation ? evaluationText(evaluation) : '–',
      localTime(started),
      modelText(model),
      git ? git.commit.slice(0, 7) + (git.dirty > 0 ? '*' : '') : '–',
    ];
  });
  const note = rows.some(row => row.at(-1)!.endsWith('*')) ? '* with changes that were not committed\n' : '';
  return alignedColumns(['run', 'state', 'steps', 'loss', 'evaluation', 'started', 'model', 'commit'], rows) + note;
}

/** Two numbers at most: more are shown by `runs show`. */
function evaluationText({ step: _, ...found }: Record<string, number>): string {
  const [first, second, ...more] = Object.entries(found).map(([name, value]) => `${name} ${shortNumber(value)}`);
  return [first, second, more.length > 0 ? `+${more.length}` : undefined].filter(Boolean).join(', ');
}

function modelText({ directory, type, size }: RecordedRun['record']['model']): string {
  return `${directory ? basename(directory) : (type ?? 'in memory')} ${millions(size)}`;
}

function millions(size: number): string {
  return size < 1e5 ? String(size) : `${(size / 1e6).toFixed(size < 1e7 ? 2 : 0)}M`;
}

function localTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return plainLine(iso);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}

/** All that a record holds, in sections. */
export function runDetails(run: RecordedRun): string {
  const { record, state, step, last, evaluations } = run;
  const { options: _o, config, sessions, checkpoints, hashes, error, format: _f, last: _l, evaluation: _e, ...about } = record;
  const { id: _i, model, name, started, ended, total, reason, notes, seeds, from } = about;
  const head = {
    state,
    reason,
    notes,
    name,
    steps: `${step} of ${total}`,
    started,
    ended,
    error: error?.message,
    from,
    ...seeds,
  };
  const parts: [title: string, content: object][] = [
    [run.id, head],
    ['last step', last ?? {}],
    ['evaluations', Object.fromEntries(evaluations.slice(-5).map(found => [`step ${found.step}`, evaluationText(found)]))],
    ['settings', config],
    ['model', { ...model, config: undefined }],
    ['SHA-256', hashes],
    ['checkpoints', Object.fromEntries(checkpoints.slice(-5).map(({ step: at, dir }) => [`step ${at}`, dir]))],
    ...sessions.map((session, i): [string, object] => [sessions.length > 1 ? `session ${i + 1}` : 'machine', session]),
  ];
  return parts
    .filter(([, content]) => Object.keys(content).length > 0)
    .map(([title, content]) => `${title}\n${section(content)}`)
    .join('\n');
}

function section(content: object): string {
  const lines = Object.entries(flatten(content));
  const width = Math.max(0, ...lines.map(([key]) => key.length));
  return lines.map(([key, value]) => `  ${plainLine(key).padEnd(width)}  ${plainLine(value)}\n`).join('');
}

/** Nested values by path; lists on one line. What is undefined is left out. */
export function flatten(value: unknown, path = ''): Record<string, string> {
  if (value === undefined) return {};
  if (value === null || typeof value !== 'object') return { [path]: typeof value === 'string' ? value : JSON.stringify(value) };
  if (Array.isArray(value)) return { [path]: JSON.stringify(value) };
  const parts = Object.entries(value).map(([key, part]) => flatten(part, path ? `${path}.${key}` : key));
  return Object.assign({}, ...parts) as Record<string, string>;
}
