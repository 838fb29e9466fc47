import { formatProgress, type ProgressEvent } from './progress-format.js';
import { ProgressStack } from './progress-stack.js';

/** Seconds a task is silent at its beginning. */
const SILENT = 2;
/** Seconds between plain lines of one task, and between drawings of the bars. */
const LINES = 10;
const BARS = 0.1;
/** Characters of a plain line at most. */
const LONGEST = 400;
/** Bars drawn at most, the innermost. */
const MOST = 8;

/** One task's part of what stands on stderr: bars, one below the other, on a terminal; a plain line now and then elsewhere. */
export function terminalTask(): (event: ProgressEvent) => void {
  const stderr = globalThis.process?.stderr;
  return stderr?.isTTY === true ? barTask(stderr) : lineTask();
}

function lineTask(): (event: ProgressEvent) => void {
  let last = SILENT - LINES;
  let drawn = false;
  return event => {
    if (event.finished ? !drawn : event.elapsed - last < LINES) return;
    last = event.elapsed;
    drawn = true;
    globalThis.process?.stderr?.write(`${formatProgress(event).slice(0, LONGEST)}\n`);
  };
}

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
}

const stack = new ProgressStack();
/** Lines of bars on the screen; the cursor stands at the end of the last. */
let lines = 0;
let drawnAt = Number.NEGATIVE_INFINITY;

function barTask(terminal: Terminal): (event: ProgressEvent) => void {
  let drawn = false;
  return event => {
    if (event.finished ? !drawn : event.elapsed < SILENT) return;
    const outer = stack.events[0]?.id ?? event.id;
    const now = performance.now() / 1000;
    drawn = true;
    stack.note(event, now);
    if (!event.finished && now - drawnAt < BARS) return;
    drawnAt = now;
    // The line of an outer task stays; an inner one's would be one of many.
    draw(terminal, event.finished && event.id <= outer ? [event] : []);
  };
}

function draw(terminal: Terminal, staying: readonly ProgressEvent[]): void {
  // A line that wraps would be two when the cursor goes back up.
  const width = Math.max(20, (terminal.columns ?? 80) - 1);
  const line = (event: ProgressEvent, depth = 0) => `${'  '.repeat(depth)}${formatProgress(event)}`.slice(0, width);
  const up = lines > 1 ? `\u001b[${lines - 1}A` : '';
  const bars = stack.events.map((event, depth) => line(event, depth)).slice(-MOST);
  terminal.write(`\r${up}\u001b[J${staying.map(event => `${line(event)}\n`).join('')}${bars.join('\n')}`);
  lines = bars.length;
}
