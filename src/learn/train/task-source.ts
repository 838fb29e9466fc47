import { BadInput } from '../../base/core/index.js';
import { mixingShares, type ShareOptions } from '../../prepare/data/index.js';
import type { SftPlan } from './options.js';
import { DataOrder, type OrderState } from './order.js';
import type { RowSource } from './source.js';
import type { TrainRow } from './types.js';

/** Where a run stands in a mixture of tasks. */
export interface MixtureState {
  /** Rows drawn of each task. */
  drawn: Record<string, number>;
  orders: Record<string, OrderState>;
}

/** The share of each task in a mixture, from how many rows there are of each. Throws BadInput where a row names no task. */
export function taskShares(rows: readonly TrainRow[], mixture: ShareOptions): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { task, line } of rows) {
    if (task === undefined)
      throw new BadInput({
        problem: 'A mixture weighs tasks, and a row names none',
        where: { key: 'mixture' },
        found: `no task${line === undefined ? '' : ` at line ${line}`}`,
        fix: 'give every row a task, or leave mixture out',
      });
    sizes[task] = (sizes[task] ?? 0) + 1;
  }
  return mixingShares(sizes, mixture);
}

/**
 * Rows of several tasks in given shares, however many there are of each: a task goes through its rows in an order of its own, again
 * and again. The next row is always of the task that lies furthest behind its share, so any stretch of rows has the shares up to
 * one row. A pass is as many rows as there are.
 */
export class MixtureSource implements RowSource {
  readonly #shares: [string, number][];
  readonly #rows: Map<string, TrainRow[]>;
  readonly #orders: Map<string, DataOrder>;
  readonly #drawn: Map<string, number>;
  readonly #size: number;

  constructor({ rows, shuffle, seed }: SftPlan, mixture: ShareOptions, state?: MixtureState) {
    this.#shares = Object.entries(taskShares(rows, mixture)).filter(([, share]) => share > 0);
    this.#rows = new Map(this.#shares.map(([task]) => [task, rows.filter(row => row.task === task)]));
    this.#orders = new Map(
      Array.from(this.#rows, ([task, own]) => [
        task,
        new DataOrder(own.length, { shuffle, seed: `${task}/${seed}`, state: state?.orders[task] }),
      ]),
    );
    this.#drawn = new Map(this.#shares.map(([task]) => [task, state?.drawn[task] ?? 0]));
    this.#size = rows.length;
  }

  async take(count: number): Promise<TrainRow[]> {
    const rows: TrainRow[] = [];
    const left = this.#size - (this.#total % this.#size);
    for (let i = 0; i < Math.min(count, left); i++) {
      const task = this.#next();
      this.#drawn.set(task, this.#drawn.get(task)! + 1);
      const [index] = this.#orders.get(task)!.cycle(1);
      rows.push(this.#rows.get(task)![index!]!);
    }
    return rows;
  }

  get progress(): number {
    return this.#total / this.#size;
  }

  get state(): MixtureState {
    const orders = Array.from(this.#orders, ([task, order]) => [task, order.state]);
    return { drawn: Object.fromEntries(this.#drawn), orders: Object.fromEntries(orders) };
  }

  get #total(): number {
    return [...this.#drawn.values()].reduce((a, b) => a + b, 0);
  }

  #next(): string {
    const after = this.#total + 1;
    let [chosen, most] = ['', Number.NEGATIVE_INFINITY];
    for (const [task, share] of this.#shares) {
      const behind = share * after - this.#drawn.get(task)!;
      // Beyond rounding: equals are taken in order.
      if (behind > most + 1e-9) [chosen, most] = [task, behind];
    }
    return chosen;
  }
}
