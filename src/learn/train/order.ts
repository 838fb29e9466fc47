import { Random } from '../../base/core/index.js';
import { bucketed } from '../../prepare/tokens/index.js';

/** Where a run stands in its data: all that is needed to go on with the same rows. */
export interface OrderState {
  epoch: number;
  /** Rows of this epoch already taken. */
  taken: number;
}

/** Rows of like length beside each other, see `tokens.bucketed`. */
export interface OrderBuckets {
  lengths: readonly number[];
  batchSize: number;
  window: number;
}

/**
 * The order in which rows are drawn: every epoch a permutation of its own, made from seed and epoch number alone, so
 * that a position is two integers and resuming needs no replay of random numbers.
 */
export class DataOrder {
  readonly size: number;
  readonly #shuffle: boolean;
  readonly #seed: number | string;
  readonly #buckets: OrderBuckets | undefined;
  #epoch: number;
  #taken: number;
  #permutation: number[];

  constructor(size: number, options: { shuffle: boolean; seed: number | string; state?: OrderState; buckets?: OrderBuckets }) {
    this.size = size;
    this.#shuffle = options.shuffle;
    this.#seed = options.seed;
    this.#buckets = options.buckets;
    this.#epoch = options.state?.epoch ?? 0;
    this.#taken = options.state?.taken ?? 0;
    this.#permutation = this.#permute();
  }

  /**
   * The next `count` row indices of the current epoch: fewer at its end, since a step does not mix two epochs. The call
   * after an epoch's last row opens the next epoch.
   */
  take(count: number): number[] {
    if (this.#taken >= this.size) this.#open(this.#epoch + 1);
    const rows = this.#permutation.slice(this.#taken, this.#taken + count);
    this.#taken += rows.length;
    return rows;
  }

  /** The next `count` indices, going round as often as needed (for replay rows, which have no epochs of their own). */
  cycle(count: number): number[] {
    const rows: number[] = [];
    while (rows.length < count) rows.push(...this.take(count - rows.length));
    return rows;
  }

  /** Epochs drawn so far, as a fraction: 1.5 is half-way through the second. */
  get progress(): number {
    return this.#epoch + this.#taken / this.size;
  }

  get state(): OrderState {
    return { epoch: this.#epoch, taken: this.#taken };
  }

  #open(epoch: number): void {
    this.#epoch = epoch;
    this.#taken = 0;
    this.#permutation = this.#permute();
  }

  #permute(): number[] {
    const rows = Array.from({ length: this.size }, (_, i) => i);
    const order = this.#shuffle ? new Random(`order/${this.#seed}/${this.#epoch}`).shuffle(rows) : rows;
    if (!this.#buckets) return order;
    const random = new Random(`buckets/${this.#seed}/${this.#shuffle ? this.#epoch : 0}`);
    return bucketed(order, row => this.#buckets!.lengths[row]!, { ...this.#buckets, random });
  }
}
