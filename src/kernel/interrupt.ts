import { Worker } from 'node:worker_threads';
import {
  type Background,
  CALM,
  CHILD,
  FLAG,
  FORCE,
  FORCED,
  HOLD,
  HOOKS,
  type Knock,
  NO_TICKS,
  PASSED,
  PONG,
  RUNNING,
  SLOTS,
  WANTED,
} from './shared.js';
import { isThenable, Shield } from './shield.js';
import type { CellTimers } from './timers.js';

/** What an interrupted cell throws. */
export class KeyboardInterrupt extends Error {
  override readonly name = 'KeyboardInterrupt';
  constructor() {
    super('the cell was interrupted');
    // The stack of the kernel that noticed says nothing about the cell.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** Milliseconds an interrupted cell has to end by itself (its `finally` blocks) before the kernel ends it. */
const GRACE = 250;

/** Milliseconds to wait for word that an output is passed on; longer than it takes under any load but a stopped process. */
const PASSING = 2000;

interface Waiter {
  owner: number;
  reject(error: Error): void;
}

/**
 * The main thread's part of an interrupt (the helper thread is watchdog.ts). In order: every `await` of cell code throws and
 * the cell's AbortSignal aborts; a main thread that does not answer is stopped by force; then the kernel ends the cell itself
 * and drops the timers the cell made. A shielded section defers all of it to its end, except for the AbortSignal.
 *
 * The helper thread repeats its message until the cell is over, so one that a forced stop swallowed is not missed.
 */
export class Interrupts {
  readonly #shared = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  readonly #shield: Shield = new Shield(this.#shared, () => this.#advance());
  readonly #timers: CellTimers;
  readonly #onForced: () => void;
  readonly #helper: Worker;
  readonly #waiters = new Set<Waiter>();
  #controller: AbortController | undefined;
  /** Serial number of the running cell, or the last. Not its number in the notebook: silent cells have none. */
  #cell = 0;
  #interrupted = false;
  /** The helper thread's message about the running cell was read. */
  #heard = false;
  /** When the awaits of the running cell were made to throw. */
  #cutAt: number | undefined;
  #settle: (() => void) | undefined;
  #advancing = false;
  /** Interrupted cells whose timers are dropped when the last shielded section has ended: it may need one. */
  readonly #leftovers = new Set<number>();

  /** @param onForced called some time after code on the main thread was stopped by force: none of its `finally` blocks ran. */
  constructor(timers: CellTimers, onForced: () => void) {
    this.#timers = timers;
    this.#onForced = onForced;
    this.#helper = new Worker(new URL('./watchdog.js', import.meta.url), {
      workerData: this.#shared,
      execArgv: [],
      stdin: false,
    });
    this.#helper.on('message', (knock: Knock) => this.guard(() => this.#onKnock(knock)));
    this.#helper.unref();
  }

  /** Aborted when the running cell is interrupted. */
  get signal(): AbortSignal | undefined {
    return this.#controller?.signal;
  }

  /** Whether the running cell was interrupted. */
  get interrupted(): boolean {
    return this.#interrupted || Atomics.load(this.#shared, FLAG) === 1;
  }

  /** Whether the kernel's own work, which nothing cuts, had better be given up: for the running cell, or for whoever waits. */
  get wanted(): boolean {
    if (Atomics.load(this.#shared, FLAG) === 1) return true;
    return Atomics.load(this.#shared, RUNNING) === 0 && Atomics.load(this.#shared, FORCE) === HOLD;
  }

  /**
   * A cell starts.
   * @param settle ends the cell when it was interrupted and does not end by itself.
   */
  begin(cell: number, settle: () => void): void {
    this.#cell = cell;
    this.#timers.begin(cell);
    this.#interrupted = false;
    this.#heard = false;
    this.#cutAt = undefined;
    this.#settle = settle;
    this.#controller = new AbortController();
    // Guarded: a forced stop that is still meant for what an earlier cell left behind comes before it.
    this.guard(() => {
      Atomics.store(this.#shared, FLAG, 0);
      Atomics.store(this.#shared, RUNNING, cell);
      // The interrupt came first: the front end saw the cell as busy before it was here.
      if (Atomics.load(this.#shared, WANTED) === cell) Atomics.store(this.#shared, FLAG, 1);
    });
  }

  /** The cell is over. When it was `cut` nothing of it goes on: its waiting awaits throw and its timers are gone. */
  end(cut: boolean): void {
    Atomics.store(this.#shared, RUNNING, 0);
    Atomics.store(this.#shared, FLAG, 0);
    this.#settle = undefined;
    this.#interrupted = cut;
    if (!cut) return;
    // A checkpoint can notice the flag before the helper thread's message is read.
    this.#controller?.abort(new KeyboardInterrupt());
    this.#rejectWaiters();
    this.#leftovers.add(this.#cell);
    this.#advance();
  }

  /** Asynchronous hooks were turned on or off, see `watchHooks`. */
  set hooks(active: boolean) {
    Atomics.store(this.#shared, HOOKS, active ? 1 : 0);
  }

  /** Throw if the running cell was interrupted and no section is shielded. */
  check(): void {
    if (Atomics.load(this.#shared, FLAG) !== 1 || !this.#shield.open) return;
    this.#interrupted = true;
    // The flag may be seen before the helper thread's message is read; what the cell's end runs into asks the signal.
    if (!this.#controller?.signal.aborted) this.guard(() => this.#controller?.abort(new KeyboardInterrupt()));
    throw new KeyboardInterrupt();
  }

  /** Whether `process.nextTick` must take nothing. */
  get ticksStopped(): boolean {
    return Atomics.load(this.#shared, NO_TICKS) === 1;
  }

  /** Wait until the protocol process has passed on the output with this number, and all before it. */
  whenPassed(number: number): void {
    for (const end = performance.now() + PASSING; performance.now() < end; ) {
      const passed = Atomics.load(this.#shared, PASSED);
      if (passed >= number) return;
      Atomics.wait(this.#shared, PASSED, passed, 100);
    }
  }

  /** Wait for a child process, synchronously: an interrupt goes to the child. `background` are children that it must not reach. */
  inChild<T>(background: number[], wait: () => T): T {
    this.#helper.postMessage({ background } satisfies Background);
    Atomics.store(this.#shared, CHILD, 1);
    const waited = () => {
      try {
        return wait();
      } finally {
        // Before the end of the section: whoever waits there to be stopped waits for no child.
        Atomics.store(this.#shared, CHILD, 0);
      }
    };
    try {
      // A cell that starts child after child and swallows what this throws is held at the end of one.
      return this.#interrupted ? this.shield(waited) : waited();
    } finally {
      this.check();
    }
  }

  /** The kernel's own work on the main thread must not be cut either. */
  guard<T>(work: () => T): T {
    return this.#shield.guard(work);
  }

  /** See `Host.shield`: a section, synchronous or not, that an interrupt must not cut. */
  shield<T>(section: () => T): T {
    return this.#shield.section(section);
  }

  /** `await value` of cell code. */
  await<T>(value: T): T | Promise<Awaited<T>> {
    this.check();
    if (!isThenable(value)) return value;
    const owner = this.#timers.owner;
    return new Promise<Awaited<T>>((resolve, reject) => {
      const waiter = { owner, reject };
      this.#waiters.add(waiter);
      const resume = (go: () => void) => {
        this.#waiters.delete(waiter);
        this.#timers.enter(owner);
        if (this.#interrupted && owner === this.#cell && this.#shield.open) reject(new KeyboardInterrupt());
        else go();
      };
      (value as PromiseLike<Awaited<T>>).then(
        result => resume(() => resolve(result)),
        error => resume(() => reject(error)),
      );
    });
  }

  /** `for await (… of source)` of cell code: every step is a checkpoint, and the source is told when the loop is cut. */
  async *iterate<T>(source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>): AsyncGenerator<T> {
    const isAsync = (source as AsyncIterable<T>)[Symbol.asyncIterator] !== undefined;
    const iterator = isAsync
      ? (source as AsyncIterable<T>)[Symbol.asyncIterator]()
      : (source as Iterable<T | PromiseLike<T>>)[Symbol.iterator]();
    let ended = false;
    try {
      while (true) {
        const step = await this.await(iterator.next());
        if (step.done) {
          ended = true;
          return;
        }
        yield (await this.await(step.value)) as T;
      }
    } catch (error) {
      // A source that threw is over; one that was cut by an interrupt is not and gets its return() below.
      if (!(error instanceof KeyboardInterrupt)) ended = true;
      throw error;
    } finally {
      if (!ended) await iterator.return?.();
    }
  }

  #onKnock({ interrupt, ping }: Knock): void {
    Atomics.store(this.#shared, PONG, ping);
    Atomics.store(this.#shared, NO_TICKS, 0);
    Atomics.compareExchange(this.#shared, FORCE, HOLD, CALM);
    this.putRight();
    if (interrupt !== this.#cell || this.#settle === undefined) return;
    this.#heard = true;
    this.#controller?.abort(new KeyboardInterrupt());
    // The rest is done when the guard around this opens, or the section around that.
  }

  /** No section is shielded: the next step of an interrupt can be taken. */
  #advance(): void {
    if (this.#advancing || !this.#shield.open) return;
    // A guard for nothing would take back what the helper thread wants of the end of a section.
    if (this.#leftovers.size === 0 && (!this.#heard || this.#settle === undefined)) return;
    this.#advancing = true;
    try {
      this.guard(() => {
        for (const cell of this.#leftovers) this.#timers.drop(cell);
        this.#leftovers.clear();
        const settle = this.#settle;
        if (!this.#heard || settle === undefined) return;
        this.#interrupted = true;
        if (this.#cutAt === undefined) {
          this.#cutAt = performance.now();
          this.#rejectWaiters();
        } else if (performance.now() - this.#cutAt >= GRACE) {
          this.#settle = undefined;
          settle();
        }
      });
    } finally {
      this.#advancing = false;
    }
  }

  /** Put right what a forced stop left behind. To be called from the event loop, before a cell starts. */
  putRight(): void {
    if (Atomics.exchange(this.#shared, FORCED, 0) === 1) this.#onForced();
  }

  #rejectWaiters(): void {
    for (const waiter of this.#waiters) {
      if (waiter.owner !== this.#cell) continue;
      this.#waiters.delete(waiter);
      waiter.reject(new KeyboardInterrupt());
    }
  }
}
