import type { ProgressEvent } from './progress-format.js';
import { terminalTask } from './progress-terminal.js';

export type ProgressListener = (event: ProgressEvent) => void;

/** What a task says of itself when it begins. */
export interface ProgressOptions {
  /** How many there are to do; undefined when the end is not known. */
  total?: number;
  /** What is counted: 'rows', 'steps' (the default), 'B' (bytes, shown as MB). */
  unit?: string;
  /** Ends the work early, soon and in good order. A notebook offers it as a Stop button. */
  stop?: () => void;
}

/** Draws progress in a notebook. False where there is none: the terminal's drawing serves then. */
export type ProgressDrawer = (event: ProgressEvent, stop: (() => void) | undefined) => boolean;

const DRAWER = Symbol.for('tunebook.progress');

/** `show` registers itself here when it is imported, so that progress has bars and a Stop button in a notebook. */
export function setProgressDrawer(drawer: ProgressDrawer | undefined): void {
  (globalThis as Record<symbol, unknown>)[DRAWER] = drawer;
}

function inNotebook(event: ProgressEvent, stop: (() => void) | undefined): boolean {
  const draw = (globalThis as Record<symbol, unknown>)[DRAWER] as ProgressDrawer | undefined;
  return draw?.(event, stop) ?? false;
}

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
 * Report progress on anything that may take longer than two seconds; the first two seconds are silent. It is drawn as bars
 * with the time left, one below the other where tasks are nested: in a notebook in one output that is rewritten in place (with
 * a Stop button for what can be stopped), on a terminal's stderr in place too, elsewhere on stderr as a plain line every ten seconds.
 */
export function progress(label: string, options: ProgressOptions = {}): Progress {
  const { total, unit = 'steps', stop } = options;
  const id = nextId++;
  const start = performance.now();
  const terminal = terminalTask();
  const follower = fileRenderer();
  let done = 0;
  let over = false;
  // Work that goes on where it was left begins at its 500th step: the pace is counted from the first report.
  let first: { done: number; elapsed: number } | undefined;
  const emit = (finished: boolean, note?: string) => {
    const elapsed = (performance.now() - start) / 1000;
    const left = finished ? undefined : timeLeft(total, done, elapsed, first);
    const event = { id, label, done, total, unit, note, elapsed, ...(left === undefined ? {} : { left }), finished };
    if (follower) follower(event);
    else if (listeners.size === 0 && !inNotebook(event, stop)) terminal(event);
    for (const listener of listeners) listener(event);
  };
  return {
    update(now, note) {
      if (over) return;
      done = now;
      emit(false, note);
      first ??= { done, elapsed: (performance.now() - start) / 1000 };
    },
    finish(note) {
      if (over) return;
      over = true;
      emit(true, note);
    },
  };
}

function timeLeft(
  total: number | undefined,
  done: number,
  elapsed: number,
  first: { done: number; elapsed: number } | undefined,
): number | undefined {
  if (total === undefined || done <= 0) return undefined;
  const since = first && done > first.done ? first : { done: 0, elapsed: 0 };
  return ((elapsed - since.elapsed) / (done - since.done)) * Math.max(0, total - done);
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
