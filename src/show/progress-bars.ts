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

  note(event: ProgressEvent, stop: (() => void) | undefined): void {
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
    // The button stands below the bars, so it comes after their first picture.
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

function draw(event: ProgressEvent, stop: (() => void) | undefined): boolean {
  if (!inNotebook()) return false;
  let bars = places.get(event.id);
  if (!bars) {
    if (event.finished || event.elapsed < SILENT) return true;
    // A new cell draws below itself; a task that began in an earlier one stays there.
    if (!latest || latest.idle || latest.cell !== host()?.signal) latest = new Bars();
    bars = latest;
    places.set(event.id, bars);
  }
  if (event.finished) places.delete(event.id);
  bars.note(event, stop);
  return true;
}

// So that every room's progress has bars in a notebook without knowing of figures.
setProgressDrawer(draw);
