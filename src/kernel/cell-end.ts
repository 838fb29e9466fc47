import { own } from './timers.js';

/**
 * How often a cell's end looks whether what libraries do then (a last picture of a chart) is done, and milliseconds between two looks. Looks
 * are counted, not seconds: a machine that stands still, or lets this process wait, must not cost the picture.
 */
const LOOKS = 50;
const PAUSE = 100;

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
      const look = (left: number) => {
        if (left === 0) resolve();
        else timer = own.setTimeout(() => look(left - 1), PAUSE);
      };
      look(LOOKS);
    });
    // The async function turns what a task throws at once into a rejection.
    const done = Promise.allSettled(tasks.map(async task => task()));
    await Promise.race([done, late]);
    own.clearTimeout(timer);
  }
}
