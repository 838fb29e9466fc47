import type { Readable } from 'node:stream';

/**
 * Bytes of printed text, and messages, that a cell may send at once and per second after that. Jupyter's server drops what
 * exceeds 3 MB or 3,000 messages in three seconds (`iopub_data_rate_limit`, `iopub_msg_rate_limit`), so a cell that prints
 * more is slowed down instead: the executor writes synchronously and waits while nobody reads. In three seconds
 * burst + 3 × rate can pass.
 */
const BYTES = { burst: 900_000, rate: 600_000 };
const MESSAGES = { burst: 600, rate: 700 };
/** Longest time without reading, ms: an interrupted cell waits for it before it can stop. */
const PAUSE = 100;

/** How much of a cell's output may pass now. */
export class Allowance {
  #bytes = BYTES.burst;
  #messages = MESSAGES.burst;
  #at = performance.now();
  #lifted = false;
  readonly #congested: () => boolean;

  /** @param congested whether what has passed still waits for a front end that does not read */
  constructor(congested: () => boolean = () => false) {
    this.#congested = congested;
  }

  /** One message with this much printed text has passed. */
  spend(bytes: number): void {
    const now = performance.now();
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    this.#bytes = Math.min(BYTES.burst, this.#bytes + seconds * BYTES.rate) - bytes;
    this.#messages = Math.min(MESSAGES.burst, this.#messages + seconds * MESSAGES.rate) - 1;
  }

  /** The next cell starts afresh, as it does for Jupyter's server. */
  refill(): void {
    this.#lifted = false;
    this.#bytes = BYTES.burst;
    this.#messages = MESSAGES.burst;
  }

  /** No limit until then: the cell is interrupted or its process has ended, and little is left. */
  lift(): void {
    this.#lifted = true;
  }

  /** Read a stream only while there is an allowance. To be called after the listeners that spend it. */
  pace(stream: Readable): void {
    stream.on('data', () => {
      const debt = Math.max(-this.#bytes / BYTES.rate, -this.#messages / MESSAGES.rate);
      if (this.#lifted || (debt <= 0 && !this.#congested())) return;
      stream.pause();
      const again = () => {
        if (!this.#lifted && this.#congested()) setTimeout(again, PAUSE);
        else stream.resume();
      };
      setTimeout(again, debt > 0 ? Math.min(debt * 1000, PAUSE) : PAUSE);
    });
  }
}
