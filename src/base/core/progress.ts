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
  finished: boolean;
}

export type ProgressListener = (event: ProgressEvent) => void;

/** A running task that reports its progress. */
export interface Progress {
  update(done: number, note?: string): void;
  finish(note?: string): void;
}

const listeners = new Set<ProgressListener>();
let nextId = 1;

/** Listen to every progress event of this process; returns the function that stops it. With a listener the terminal rendering is off. */
export function onProgress(listener: ProgressListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Report progress on anything that may take longer than two seconds. Without a listener it is drawn on stderr: a bar
 * rewritten in place on a terminal, a plain line every ten seconds elsewhere. The first two seconds are silent.
 */
export function progress(label: string, options: { total?: number; unit?: string } = {}): Progress {
  const { total, unit = 'steps' } = options;
  const id = nextId++;
  const start = performance.now();
  const terminal = terminalRenderer();
  const follower = fileRenderer();
  let done = 0;
  let over = false;
  const emit = (finished: boolean, note?: string) => {
    const event = { id, label, done, total, unit, note, elapsed: (performance.now() - start) / 1000, finished };
    if (follower) follower(event);
    else if (listeners.size === 0) terminal(event);
    for (const listener of listeners) listener(event);
  };
  return {
    update(now, note) {
      if (over) return;
      done = now;
      emit(false, note);
    },
    finish(note) {
      if (over) return;
      over = true;
      emit(true, note);
    },
  };
}

function terminalRenderer(): ProgressListener {
  const stderr = globalThis.process?.stderr;
  const tty = stderr?.isTTY === true;
  const interval = tty ? 0.1 : 10;
  let last = 2 - interval;
  let drawn = false;
  return event => {
    if (event.finished ? !drawn : event.elapsed - last < interval) return;
    last = event.elapsed;
    drawn = true;
    const line = formatProgress(event);
    stderr?.write(tty ? `\r\u001b[K${line}${event.finished ? '\n' : ''}` : `${line}\n`);
  };
}

// `tunebook run` names a file in TUNEBOOK_PROGRESS to follow a kernel that has no terminal: events are appended to it as lines of
// JSON, at most five a second for each task, in place of lines on stderr (they would be saved in the notebook).
function fileRenderer(): ProgressListener | undefined {
  const file = globalThis.process?.env?.TUNEBOOK_PROGRESS;
  if (!file) return undefined;
  const fs = process.getBuiltinModule('node:fs');
  let last = Number.NEGATIVE_INFINITY;
  return event => {
    if (!event.finished && event.elapsed - last < 0.2) return;
    last = event.elapsed;
    try {
      fs.appendFileSync(file, `${JSON.stringify(event)}\n`);
    } catch {
      // Nobody follows any more (the file's folder is gone): progress must not stop the work it reports on.
    }
  };
}

/** One line for one event: `label [####----] 40 % 400/1000 rows 00:12 <00:18 note`. */
export function formatProgress({ label, done, total, unit, note, elapsed, finished }: ProgressEvent): string {
  const amount = (n: number) => (unit === 'B' ? `${(n / 1e6).toFixed(1)} MB` : `${n}`);
  const tail = unit === 'B' ? '' : ` ${unit}`;
  if (total === undefined || total <= 0) return [label, `${amount(done)}${tail}`, clock(elapsed), note].filter(Boolean).join(' ');
  const share = Math.min(1, done / total);
  const bar = '#'.repeat(Math.round(share * 20)).padEnd(20, '-');
  const left = finished || done <= 0 ? '' : `<${clock((elapsed / done) * (total - done))}`;
  return [
    label,
    `[${bar}]`,
    `${Math.round(share * 100)} %`,
    `${amount(done)}/${amount(total)}${tail}`,
    clock(elapsed),
    left,
    note,
  ]
    .filter(Boolean)
    .join(' ');
}

function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  return s < 3600
    ? `${two(Math.floor(s / 60))}:${two(s % 60)}`
    : `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
}
