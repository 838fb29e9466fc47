import { own } from './timers.js';

/** Milliseconds that a cell's end waits for what libraries do then (a last picture of a chart). */
const PATIENCE = 5000;

/** What libraries want to do when the running cell has ended: see `Host.onCellEnd`. */
export class CellEnd {
  #tasks: (() => void | Promise<void>)[] = [];

  add(task: () => void | Promise<void>): void {
    this.#tasks.push(task);
  }

  /** Do it all, each thing once and whatever becomes of the others. Never throws. */
  async run(): Promise<void> {
    const tasks = this.#tasks;
    this.#tasks = [];
    if (tasks.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = own.setTimeout(resolve, PATIENCE);
    });
    // The async function turns what a task throws at once into a rejection.
    const done = Promise.allSettled(tasks.map(async task => task()));
    await Promise.race([done, late]);
    own.clearTimeout(timer);
  }
}
