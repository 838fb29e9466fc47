import { createRequire, syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
type AnyTimers = Record<string, (...args: never[]) => unknown>;
type Callback = (...args: unknown[]) => void;

/** Node's own timers: the kernel's clockwork must not be dropped with a cell's. */
export const own: {
  setTimeout: typeof setTimeout;
  clearTimeout: typeof clearTimeout;
  setImmediate: typeof setImmediate;
} = { setTimeout, clearTimeout, setImmediate };

/**
 * Timers that know which cell made them, so that an interrupt can drop a cell's timers. Owners are tagged by hand: with
 * AsyncLocalStorage a forced termination kills Node 20 by an assertion.
 */
export class CellTimers {
  #owner = 0;
  #current = 0;
  #leaving = false;
  readonly #live = new Map<unknown, { owner: number; clear: () => void }>();

  /** The cell whose code is running, as far as can be told; new timers, and what is printed, belong to it. */
  get owner(): number {
    return this.#owner;
  }

  /** A cell starts. */
  begin(cell: number): void {
    this.#current = cell;
    this.#owner = cell;
  }

  /** Code of this cell goes on, for this turn of the event loop: callbacks that nobody tags are taken for the running cell's. */
  enter(cell: number): void {
    this.#owner = cell;
    if (cell === this.#current || this.#leaving) return;
    this.#leaving = true;
    own.setImmediate(() => {
      this.#leaving = false;
      this.#owner = this.#current;
    });
  }

  /**
   * Replace the timers of this process, global ones and those of node:timers and node:timers/promises.
   * @param signal of the running cell
   * @param noTicks whether `process.nextTick` takes nothing at the moment
   */
  install(signal: () => AbortSignal | undefined, noTicks: () => boolean): void {
    const nextTick = process.nextTick;
    process.nextTick = (callback: (...args: never[]) => void, ...args: never[]): void => {
      if (!noTicks()) nextTick.call(process, callback, ...args);
    };
    const timers = require('node:timers') as AnyTimers;
    const promises = require('node:timers/promises') as AnyTimers;
    for (const kind of ['Timeout', 'Interval', 'Immediate'] as const) {
      const set = this.#setter(kind, timers);
      const clear = this.#clearer(kind, timers);
      for (const target of [globalThis as unknown as AnyTimers, timers]) {
        target[`set${kind}`] = set;
        target[`clear${kind}`] = clear;
      }
    }
    for (const [name, optionsAt] of [
      ['setTimeout', 2],
      ['setImmediate', 1],
      ['setInterval', 2],
    ] as const) {
      const native = promises[name] as (...args: unknown[]) => unknown;
      promises[name] = (...args: unknown[]) => {
        const options = (args[optionsAt] ?? {}) as { signal?: AbortSignal };
        const signals = [options.signal, signal()].filter(each => each !== undefined);
        args[optionsAt] = { ...options, ...(signals.length > 0 && { signal: AbortSignal.any(signals) }) };
        return native(...args);
      };
    }
    Object.defineProperty(globalThis.setTimeout, promisify.custom, { value: promises.setTimeout });
    Object.defineProperty(globalThis.setImmediate, promisify.custom, { value: promises.setImmediate });
    syncBuiltinESMExports();
  }

  /** Clear every timer that a cell made. */
  drop(owner: number): void {
    for (const [handle, timer] of this.#live) {
      if (timer.owner !== owner) continue;
      timer.clear();
      this.#live.delete(handle);
    }
  }

  #setter(kind: 'Timeout' | 'Interval' | 'Immediate', timers: AnyTimers): (callback: Callback, ...rest: unknown[]) => unknown {
    const native = timers[`set${kind}`] as unknown as (callback: Callback, ...rest: unknown[]) => unknown;
    const nativeClear = timers[`clear${kind}`] as unknown as (handle: unknown) => void;
    return (callback, ...rest) => {
      const owner = this.#owner;
      if (typeof callback !== 'function') return native(callback, ...rest);
      const handle = native(
        (...args) => {
          if (kind !== 'Interval') this.#live.delete(handle);
          this.enter(owner);
          callback(...args);
        },
        ...rest,
      );
      this.#live.set(handle, { owner, clear: () => nativeClear(handle) });
      return handle;
    };
  }

  #clearer(kind: 'Timeout' | 'Interval' | 'Immediate', timers: AnyTimers): (handle: unknown) => void {
    const native = timers[`clear${kind}`] as unknown as (handle: unknown) => void;
    return handle => {
      this.#live.delete(handle);
      native(handle);
    };
  }
}
