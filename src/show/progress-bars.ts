import {
  clock,
  formatProgress,
  host,
  type ProgressEvent,
  ProgressStack,
  progressCount,
  setProgressDrawer,
} from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { inNotebook, newSpot } from './hosts.js';
import { Painter } from './painter.js';
import { type StopButton, stopButton } from './stop-button.js';
import { TABLE_CSS } from './table.js';
import { cut, escapeHtml, oneLine, short } from './text.js';

/** Seconds a task is silent at its beginning. */
const SILENT = 2;
/** Lines of tasks that are over, at most: a cell may go through hundreds. */
const MOST_OVER = 10;

/** Tasks that run, outer ones first, below those that are over. */
export function progressBars(running: readonly ProgressEvent[], over: readonly ProgressEvent[] = []): Figure {
  const lines = [...over.map(event => ({ event, depth: 0 })), ...running.map((event, depth) => ({ event, depth }))];
  const texts = lines.map(({ event, depth }) => `${'  '.repeat(depth)}${cut(formatProgress(event), 300)}`);
  const rows = lines.map(({ event, depth }) => row(event, depth)).join('\n');
  return figure({
    kind: 'progress',
    html: `<style>${BARS_CSS}</style><div class="tb-figure tb-table tb-bars"><table><tbody>${rows}</tbody></table></div>`,
    text: texts.join('\n'),
    alt: texts.join('; '),
  });
}

function row(event: ProgressEvent, depth: number): string {
  const { label, done, total, elapsed, left, note, finished } = event;
  const name = escapeHtml(short(oneLine(String(label)), 48));
  const known = total !== undefined && total > 0;
  const share = known ? Math.min(1, done / total) : 0;
  const bar = finished ? '' : `<progress max="1"${known ? ` value="${share.toFixed(4)}"` : ''} aria-label="${name}"></progress>`;
  const cells = [
    `${bar}${known ? ` ${Math.round(share * 100)} %` : ''}`,
    escapeHtml(short(oneLine(progressCount(event)), 60)),
    clock(elapsed),
    left === undefined ? '' : `${clock(left)} left`,
    note === undefined ? '' : escapeHtml(short(oneLine(String(note)), 100)),
  ];
  const nested = depth > 0 ? `${'&nbsp;'.repeat(2 * (depth - 1))}└ ` : '';
  return `<tr><th scope="row">${nested}${name}</th>${cells.map(cell => `<td>${cell}</td>`).join('')}</tr>`;
}

const BARS_CSS =
  TABLE_CSS +
  // Three classes: the style sheet of a table further down must not win.
  '.tb-figure.tb-table.tb-bars th,.tb-figure.tb-table.tb-bars td{border:0;padding:2px 16px 2px 0;white-space:nowrap;min-width:0;max-width:none;font-variant-numeric:tabular-nums}' +
  '.tb-figure.tb-table.tb-bars th{color:var(--tb-ink)}.tb-figure.tb-table.tb-bars td{color:var(--tb-soft)}' +
  '.tb-bars progress{width:11em;height:.8em;vertical-align:-.05em;accent-color:var(--tb-on)}';

/** A task's latest word, and how it is stopped. */
interface Task {
  event: ProgressEvent;
  stop: (() => void) | undefined;
}

/** The tasks of one cell, drawn in one output. */
class Bars {
  readonly cell: AbortSignal | undefined = host()?.signal;
  readonly #stack = new ProgressStack();
  readonly #over: ProgressEvent[] = [];
  readonly #buttons = new Map<number, StopButton | undefined>();
  readonly #painter = new Painter(newSpot(), () => progressBars(this.#stack.events, this.#over));

  get idle(): boolean {
    return this.#stack.events.length === 0;
  }

  /** Draw a task's news. @param before tasks around it that have not been drawn yet */
  note(event: ProgressEvent, stop: (() => void) | undefined, before: readonly Task[] = []): void {
    for (const task of before) this.#stack.note(task.event, performance.now() / 1000);
    const outer = this.#stack.events[0]?.id ?? event.id;
    this.#stack.note(event, performance.now() / 1000);
    if (event.finished) {
      this.#buttons.get(event.id)?.remove();
      this.#buttons.delete(event.id);
      // The line of an outer task stays; an inner one's would be one of many.
      if (event.id <= outer) this.#over.push(event);
      if (this.#over.length > MOST_OVER) this.#over.shift();
    }
    this.#painter.changed();
    if (event.finished && this.idle) void this.#painter.complete();
    for (const task of [...before, { event, stop }]) this.#addButton(task);
  }

  /** The button stands below the bars, so it comes after their first picture. */
  #addButton({ event, stop }: Task): void {
    if (stop && !event.finished && !this.#buttons.has(event.id)) {
      this.#buttons.set(event.id, undefined);
      void this.#painter.sent().then(() => {
        if (this.#buttons.has(event.id)) this.#buttons.set(event.id, stopButton(event.label, stop));
      });
    }
  }
}

/** Which bars a running task is drawn in. */
const places = new Map<number, Bars>();
let latest: Bars | undefined;

/** Tasks that have not been drawn yet, and when they spoke: an outer one may say no more until its inner ones are through. */
const quiet = new Map<number, Task & { cell: AbortSignal | undefined; at: number }>();
/** Seconds after which a task that spoke once is taken for one that was given up. */
const GIVEN_UP = 60;

/** Tasks of this cell that began before `event` and were not drawn yet stand above it. */
function outerOf(event: ProgressEvent): Task[] {
  const now = performance.now() / 1000;
  for (const [id, { at }] of quiet) if (now - at > GIVEN_UP) quiet.delete(id);
  const cell = host()?.signal;
  const before = [...quiet.values()].filter(task => task.event.id < event.id && task.cell === cell);
  // What it said of the time left was said long ago.
  return before.map(({ event: { left: _, ...event }, stop, at }) => ({
    event: { ...event, elapsed: event.elapsed + now - at },
    stop,
  }));
}

function draw(event: ProgressEvent, stop: (() => void) | undefined): boolean {
  if (!inNotebook()) return false;
  let bars = places.get(event.id);
  let before: Task[] = [];
  if (!bars) {
    if (event.finished) quiet.delete(event.id);
    else quiet.set(event.id, { event, stop, cell: host()?.signal, at: performance.now() / 1000 });
    if (event.finished || event.elapsed < SILENT) return true;
    // A new cell draws below itself; a task that began in an earlier one stays there.
    if (!latest || latest.idle || latest.cell !== host()?.signal) latest = new Bars();
    bars = latest;
    before = outerOf(event);
    for (const task of [...before, { event }]) {
      quiet.delete(task.event.id);
      places.set(task.event.id, bars);
    }
  }
  if (event.finished) places.delete(event.id);
  bars.note(event, stop, before);
  return true;
}

// So that every room's progress has bars in a notebook without knowing of figures.
setProgressDrawer(draw);
