import { Worker } from 'node:worker_threads';
import { FLAG, IN_VM, type Knock, PONG, RUNNING, SHIELD, SLOTS } from './shared.js';
import { type CellTimers, own } from './timers.js';

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

interface Waiter {
  owner: number;
  reject(error: Error): void;
}

/**
 * The main thread's part of an interrupt (the helper thread is watchdog.ts). In order: every `await` of cell code throws and
 * the cell's AbortSignal aborts; a main thread that does not answer is stopped by force; then the kernel ends the cell itself
 * and drops the timers the cell made. A shielded section defers all of it to its end, except for the AbortSignal.
 */
export class Interrupts {
  readonly #shared = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  readonly #timers: CellTimers;
  readonly #waiters = new Set<Waiter>();
  #controller: AbortController | undefined;
  /** Serial number of the running cell, or the last. Not its number in the notebook: silent cells have none. */
  #cell = 0;
  #interrupted = false;
  /** The helper thread's message about the running cell was read. */
  #heard = false;
  #settle: ((error: Error) => void) | undefined;
  #whenUnshielded: (() => void)[] = [];

  constructor(timers: CellTimers) {
    this.#timers = timers;
    const helper = new Worker(new URL('./watchdog.js', import.meta.url), {
      workerData: this.#shared,
      execArgv: [],
      stdin: false,
    });
    helper.on('message', (knock: Knock) => this.guard(() => this.#onKnock(knock)));
    helper.unref();
  }

  /** Aborted when the running cell is interrupted. */
  get signal(): AbortSignal | undefined {
    return this.#controller?.signal;
  }

  /** Whether the running cell was interrupted. */
  get interrupted(): boolean {
    return this.#interrupted || Atomics.load(this.#shared, FLAG) === 1;
  }

  /** A cell starts. */
  begin(): void {
    this.#cell++;
    this.#timers.owner = this.#cell;
    this.#interrupted = false;
    this.#heard = false;
    this.#controller = new AbortController();
    Atomics.store(this.#shared, FLAG, 0);
    Atomics.store(this.#shared, RUNNING, this.#cell);
  }

  /** The cell is over. After an interrupt nothing of it goes on: its waiting awaits throw and its timers are gone. */
  end(): void {
    const interrupted = this.interrupted;
    Atomics.store(this.#shared, RUNNING, 0);
    Atomics.store(this.#shared, FLAG, 0);
    this.#settle = undefined;
    if (!interrupted) return;
    this.#interrupted = true;
    // A checkpoint can notice the flag before the helper thread's message is read.
    this.#controller?.abort(new KeyboardInterrupt());
    this.#rejectWaiters();
    this.#timers.drop(this.#cell);
  }

  /** Throw if the running cell was interrupted and no section is shielded. */
  check(): void {
    if (Atomics.load(this.#shared, FLAG) !== 1 || Atomics.load(this.#shared, SHIELD) > 0) return;
    this.#interrupted = true;
    // The flag may be seen before the helper thread's message is read; what the cell's end runs into asks the signal.
    this.guard(() => this.#controller?.abort(new KeyboardInterrupt()));
    throw new KeyboardInterrupt();
  }

  /** Run the synchronous start of a cell; `run` uses vm with breakOnSigint. */
  inVm<T>(run: () => T): T {
    Atomics.store(this.#shared, IN_VM, 1);
    try {
      return run();
    } finally {
      Atomics.store(this.#shared, IN_VM, 0);
    }
  }

  /** The kernel's own work on the main thread must not be cut either. */
  guard<T>(work: () => T): T {
    Atomics.add(this.#shared, SHIELD, 1);
    try {
      return work();
    } finally {
      this.#unshield();
    }
  }

  /** See `Host.shield`: a section, synchronous or not, that an interrupt must not cut. */
  shield<T>(section: () => T): T {
    Atomics.add(this.#shared, SHIELD, 1);
    let result: T;
    try {
      result = section();
    } catch (error) {
      this.#unshield();
      throw error;
    }
    if (!isThenable(result)) {
      this.#unshield();
      return result;
    }
    const release = () => this.#unshield();
    result.then(release, release);
    return result;
  }

  /** The cell's own end, or the kernel's, when an interrupted cell does not end. */
  async race<T>(cell: Promise<T>): Promise<T> {
    const settled = new Promise<never>((_, reject) => {
      this.#settle = reject;
    });
    // An interrupted cell that ends later, or throws once more, has no reader.
    cell.catch(() => {});
    settled.catch(() => {});
    return Promise.race([cell, settled]);
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
        this.#timers.owner = owner;
        if (this.#interrupted && owner === this.#cell && Atomics.load(this.#shared, SHIELD) === 0)
          reject(new KeyboardInterrupt());
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

  #unshield(): void {
    if (Atomics.sub(this.#shared, SHIELD, 1) !== 1) return;
    const waiting = this.#whenUnshielded;
    this.#whenUnshielded = [];
    for (const action of waiting) action();
  }

  #unshielded(action: () => void): void {
    // The handler that calls this is itself guarded: depth 1 is the handler.
    if (Atomics.load(this.#shared, SHIELD) > 1) this.#whenUnshielded.push(action);
    else action();
  }

  #onKnock({ interrupt, ping }: Knock): void {
    Atomics.store(this.#shared, PONG, ping);
    if (interrupt !== this.#cell || this.#settle === undefined || this.#heard) return;
    const settle = this.#settle;
    this.#heard = true;
    this.#controller?.abort(new KeyboardInterrupt());
    this.#unshielded(() => {
      this.#interrupted = true;
      this.#rejectWaiters();
      own.setTimeout(() => this.guard(() => this.#unshielded(() => settle(new KeyboardInterrupt()))), GRACE);
    });
  }

  #rejectWaiters(): void {
    for (const waiter of this.#waiters) {
      if (waiter.owner !== this.#cell) continue;
      this.#waiters.delete(waiter);
      waiter.reject(new KeyboardInterrupt());
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
