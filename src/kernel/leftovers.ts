import type { Worker } from 'node:worker_threads';
import { own } from './timers.js';

/** Milliseconds between two looks at what goes on, and their number. */
const PAUSE = 100;
const LOOKS = 8;
/** Looks at which something must be seen, and share of its time a worker must compute, to count as going on. */
const OFTEN = 4;
const BUSY = 0.5;

/**
 * What an interrupted cell leaves running where nothing can end it: a library's loop over files (its steps belong to nobody),
 * a worker thread that computes. Then the user is told.
 */
export class Leftovers {
  readonly #workers = new Map<Worker, number>();
  readonly #owner: () => number;

  /** @param owner the cell whose code is running */
  constructor(owner: () => number) {
    this.#owner = owner;
  }

  install(): void {
    process.on('worker', worker => {
      this.#workers.set(worker, this.#owner());
      worker.once('exit', () => this.#workers.delete(worker));
    });
  }

  /**
   * A cell was interrupted and is over.
   * @param another whether another cell was started since: then what goes on may be its own, and there is nothing to tell
   */
  watch(cell: number, another: () => boolean, tell: (text: string) => void): void {
    const busy = new Map<Worker, number>();
    const before = new Map<Worker, ReturnType<Worker['performance']['eventLoopUtilization']>>();
    let reading = 0;
    let look = 0;
    const next = () => {
      if (another()) return;
      const workers = [...this.#workers.keys()].filter(worker => this.#workers.get(worker) === cell);
      // A thread that has not begun (it has neither computed nor waited) is not known to compute; nothing is counted before it has.
      const begun = workers.every(worker => {
        const { active, idle } = worker.performance.eventLoopUtilization();
        return active + idle > 0;
      });
      if (begun) {
        look++;
        if (process.getActiveResourcesInfo().some(kind => kind.startsWith('FSReq') || kind === 'CloseReq')) reading++;
        for (const worker of workers) {
          const last = before.get(worker);
          const now = worker.performance.eventLoopUtilization();
          if (last && worker.performance.eventLoopUtilization(now, last).utilization > BUSY)
            busy.set(worker, (busy.get(worker) ?? 0) + 1);
          before.set(worker, now);
        }
      }
      if (look < LOOKS) {
        own.setTimeout(next, PAUSE).unref();
        return;
      }
      const going: string[] = [];
      if (reading >= OFTEN) going.push('a loop that reads or writes files');
      const threads = [...busy.values()].filter(times => times >= OFTEN).length;
      if (threads > 0)
        going.push(`${threads === 1 ? 'a worker thread' : `${threads} worker threads`} (worker.terminate() ends one)`);
      if (going.length === 0) return;
      tell(
        `Of the interrupted cell this goes on: ${going.join(' and ')}. Restarting the kernel ends it; saved checkpoints are kept.\n`,
      );
    };
    own.setTimeout(next, PAUSE).unref();
  }
}
