import * as tf from '@tensorflow/tfjs-core';
import type { SeenTokens } from '../../base/ops/index.js';
import type { LabelledTokens } from './labels.js';
import type { TrainRow } from './types.js';

/** What is found of the trained tokens of a step. */
export interface TokenFindings {
  /** Mean loss by task. */
  lossByTask?: Record<string, number>;
  /** Mean entropy of the model's prediction, in nats. */
  entropy?: number;
  /** Share of tokens that are the model's first choice. */
  tokenAccuracy?: number;
}

/**
 * Looks at the trained tokens of a step while their loss is computed: the losses of every batch, and on demand entropy and
 * accuracy of the predictions. What it keeps comes to the host with the loss, in the same read.
 */
export class TokenWatch {
  readonly #detail: boolean;
  readonly #losses: tf.Tensor[] = [];
  readonly #entropies: tf.Tensor[] = [];
  readonly #hits: tf.Tensor[] = [];
  readonly #tokens: { rows: readonly TrainRow[]; tokens: LabelledTokens }[] = [];

  constructor(detail: boolean) {
    this.#detail = detail;
  }

  /** The batch whose tokens are seen next. */
  open(rows: readonly TrainRow[], tokens: LabelledTokens): void {
    this.#tokens.push({ rows, tokens });
  }

  /** For {@link LossOptions.observe}. */
  readonly see = ({ losses, logits, labels }: SeenTokens): void => {
    this.#losses.push(tf.keep(losses));
    if (!this.#detail) return;
    tf.tidy(() => {
      const logp = tf.logSoftmax(logits);
      this.#entropies.push(tf.keep(tf.neg(tf.sum(tf.mul(tf.exp(logp), logp), 1))));
      this.#hits.push(tf.keep(tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32')));
    });
  };

  /** What is to be read, in the order {@link findings} takes it. */
  get tensors(): tf.Tensor[] {
    return [...this.#losses, ...this.#entropies, ...this.#hits];
  }

  /** @param values those of {@link tensors}, one after the other */
  findings(values: readonly number[]): TokenFindings {
    const count = values.length / (this.#detail ? 3 : 1);
    const weights = this.#tokens.flatMap(({ tokens }) => tokens.weight);
    // A model that shows nothing, or a loss without token losses.
    if (count === 0 || count !== weights.length) return {};
    const found: TokenFindings = {};
    const tasks = this.#tokens.flatMap(({ rows, tokens }) => tokens.row.map(row => rows[row]!.task));
    if (tasks.some(task => task !== undefined)) found.lossByTask = meansByTask(values, weights, tasks);
    if (!this.#detail) return found;
    const trained = weights.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
    const mean = (from: number) =>
      weights.reduce((sum, weight, i) => sum + (weight > 0 ? values[from + i]! : 0), 0) / Math.max(1, trained);
    return { ...found, entropy: mean(count), tokenAccuracy: mean(2 * count) };
  }

  dispose(): void {
    tf.dispose(this.tensors);
  }
}

function meansByTask(
  losses: readonly number[],
  weights: readonly number[],
  tasks: readonly (string | undefined)[],
): Record<string, number> {
  const sums = new Map<string, [number, number]>();
  tasks.forEach((task = '(no task)', i) => {
    const [loss, weight] = sums.get(task) ?? [0, 0];
    sums.set(task, [loss + losses[i]! * weights[i]!, weight + weights[i]!]);
  });
  return Object.fromEntries(
    [...sums].filter(([, [, weight]]) => weight > 0).map(([task, [loss, weight]]) => [task, loss / weight]),
  );
}
