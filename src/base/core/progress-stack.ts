import type { ProgressEvent } from './progress-format.js';

/** Seconds a task may be silent while others speak before it is taken for one that was given up. */
const SILENCE = 60;

/** The tasks that are under way, outer ones first: what a display of progress draws one below the other. */
export class ProgressStack {
  readonly #running = new Map<number, { event: ProgressEvent; at: number }>();

  /** Take in an event. @param now seconds of any clock */
  note(event: ProgressEvent, now: number): void {
    if (event.finished) this.#running.delete(event.id);
    else this.#running.set(event.id, { event, at: now });
    // A task whose work failed never says that it is over.
    for (const [id, { at }] of this.#running) if (now - at > SILENCE) this.#running.delete(id);
  }

  /** The latest event of each task, in the order in which the tasks began. */
  get events(): ProgressEvent[] {
    return [...this.#running.values()].map(({ event }) => event).sort((a, b) => a.id - b.id);
  }
}
