import * as tf from '@tensorflow/tfjs-core';
import type { DecoderConfig } from '../config/index.js';
import type { Stepper } from './stepper.js';

/**
 * The length beyond which a model turns all its positions otherwise, so that what is cached no longer fits. Phi-3 alone:
 * transformers computes its cache anew there, while the other families keep what they have under `longrope`.
 */
export function switchLength({ modelType, rope }: DecoderConfig): number | undefined {
  return modelType === 'phi3' && rope?.type === 'longrope' ? rope.originalMaxPositionEmbeddings : undefined;
}

/**
 * A stepper for such a model: where the longest row passes the length, or the rows beyond it have left, the rows there are
 * go through the model once more from their first token.
 */
export class SwitchingStepper implements Stepper {
  readonly #make: () => Stepper;
  readonly #limit: number;
  #inner: Stepper;
  #tokens: number[][] = [];
  /** Whether the cache was computed for rows beyond the limit. */
  #long = false;

  constructor(make: () => Stepper, limit: number) {
    this.#make = make;
    this.#limit = limit;
    this.#inner = make();
  }

  get rows(): number {
    return this.#inner.rows;
  }

  get reserved(): number {
    return this.#inner.reserved ?? 0;
  }

  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D {
    const alone = this.#tokens.length === 0;
    const long = this.#beyond(prompts);
    this.#tokens.push(...prompts.map(prompt => [...prompt]));
    if (alone) this.#long = long;
    if (long === this.#long && this.#beyond(this.#tokens) === long) return this.#inner.admit(prompts);
    const all = this.#again();
    const fresh = tf.slice(all, [this.#tokens.length - prompts.length, 0]) as tf.Tensor2D;
    all.dispose();
    return fresh;
  }

  advance(tokens: readonly number[]): tf.Tensor2D {
    this.#tokens.forEach((row, i) => {
      row.push(tokens[i]!);
    });
    return this.#beyond(this.#tokens) === this.#long ? this.#inner.advance(tokens) : this.#again();
  }

  select(rows: readonly number[]): void {
    this.#tokens = rows.map(row => [...this.#tokens[row]!]);
    this.#inner.select(rows);
  }

  dispose(): void {
    this.#inner.dispose();
  }

  #beyond(rows: readonly (readonly number[])[]): boolean {
    return rows.some(row => row.length + this.reserved > this.#limit);
  }

  #again(): tf.Tensor2D {
    this.#inner.dispose();
    this.#inner = this.#make();
    this.#long = this.#beyond(this.#tokens);
    return this.#inner.admit(this.#tokens);
  }
}
