import { CALM, FORCE, HOLD, SHIELD, STOPPING } from './shared.js';

/** Milliseconds after which a main thread that waits to be stopped looks whether that still holds. */
const LOOK = 100;
const LOOKS = 50;
/** Milliseconds after a section in which code that listens (a run that saves what it has) comes to its end by itself. */
const GRACE = 250;

/**
 * Sections of the main thread that must not be cut. Neither side looks and then acts: the main thread counts itself in before
 * it reads FORCE, the helper thread writes FORCE before it reads the count, so one of them always sees the other. A main
 * thread that is about to be stopped anyway waits for that outside of the section, where nothing is half done.
 */
export class Shield {
  readonly #shared: Int32Array;
  readonly #onOpen: () => void;
  /** When a section first ended while the helper thread wanted to stop this one. */
  #wantedSince: number | undefined;

  /** @param onOpen called whenever the last section has ended. */
  constructor(shared: Int32Array, onOpen: () => void) {
    this.#shared = shared;
    this.#onOpen = onOpen;
  }

  /** Whether nothing is being shielded. */
  get open(): boolean {
    return Atomics.load(this.#shared, SHIELD) === 0;
  }

  /** The kernel's own work on the main thread; `work` is synchronous. */
  guard<T>(work: () => T): T {
    Atomics.add(this.#shared, SHIELD, 1);
    try {
      this.#giveWay();
      return work();
    } finally {
      // No call of ours before the count is right again: after a stack overflow there may be no room for one.
      if (Atomics.sub(this.#shared, SHIELD, 1) === 1) this.#opened(false);
    }
  }

  /** A section of user code, synchronous or not (see `Host.shield`). One that is wanted stopped is stopped at its end. */
  section<T>(work: () => T): T {
    let result: T;
    let pending = false;
    Atomics.add(this.#shared, SHIELD, 1);
    try {
      this.#giveWay();
      result = work();
      pending = isThenable(result);
    } finally {
      if (!pending && Atomics.sub(this.#shared, SHIELD, 1) === 1) this.#opened(true);
    }
    if (isThenable(result)) {
      const release = () => {
        if (Atomics.sub(this.#shared, SHIELD, 1) === 1) this.#opened(true);
      };
      result.then(release, release);
    }
    return result;
  }

  #giveWay(): void {
    while (Atomics.load(this.#shared, FORCE) === STOPPING) {
      Atomics.sub(this.#shared, SHIELD, 1);
      try {
        Atomics.wait(this.#shared, FORCE, STOPPING, LOOK);
      } finally {
        Atomics.add(this.#shared, SHIELD, 1);
      }
    }
  }

  #opened(hold: boolean): void {
    if (!hold) Atomics.compareExchange(this.#shared, FORCE, HOLD, CALM);
    if (Atomics.load(this.#shared, FORCE) !== HOLD) this.#wantedSince = undefined;
    else if (this.#wantedSince === undefined) this.#wantedSince = performance.now();
    else if (performance.now() - this.#wantedSince >= GRACE) this.#hold();
    this.#onOpen();
  }

  /** A loop of shielded sections would leave no moment to be stopped in. */
  #hold(): void {
    for (let i = 0; i < LOOKS; i++) {
      const force = Atomics.load(this.#shared, FORCE);
      if (force === CALM) return;
      Atomics.wait(this.#shared, FORCE, force, LOOK);
    }
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
