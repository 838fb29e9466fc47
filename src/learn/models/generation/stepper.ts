import type * as tf from '@tensorflow/tfjs-core';

/**
 * A model's side of generation: a batch of rows with their key-value cache. Rows are independent: each gets the logits it
 * would get alone, to float tolerance, whatever its neighbours are and whenever they came. Free it with `dispose`, also
 * after an error.
 */
export interface Stepper {
  /** Rows in hand. */
  readonly rows: number;
  /** Places of the model's context that no prompt can have (soft prompts, prefixes); 0 where there are none. */
  readonly reserved?: number;
  /**
   * Take in prompts (without padding) behind the rows there are. Throws BadInput for tokens the vocabulary does not have and
   * for a prompt longer than the context; the rows there were stay as they are.
   * @returns logits after each prompt, [prompts, vocabSize]; the caller disposes them
   */
  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D;
  /**
   * One more token a row.
   * @returns logits after it, [rows, vocabSize]; the caller disposes them
   */
  advance(tokens: readonly number[]): tf.Tensor2D;
  /**
   * Go on with these rows in this order. A row may come more than once (beam search); rows left out are dropped
   * (finished).
   */
  select(rows: readonly number[]): void;
  dispose(): void;
}

/** What a stepper may be told. */
export interface StepperOptions {
  /** Tokens a row is expected to have in the end, prompt and new ones: the cache is made for them at once where that is cheap. */
  capacity?: number;
  /**
   * What every prompt that will be admitted begins with, and goes on behind. A model that can ({@link GenerativeModel.shares}) computes
   * it once; others work as without.
   */
  prefix?: readonly number[];
}

/** What generation needs of a model. */
export interface GenerativeModel {
  readonly config: { readonly vocabSize: number; readonly maxPositionEmbeddings: number };
  /** Tokens that end a row unless told. */
  readonly stopIds: readonly number[];
  /**
   * Encoder–decoders: what every row of the decoder begins with, e.g. the decoder start token. Undefined for decoders, whose
   * rows begin with the prompt.
   */
  readonly startIds?: readonly number[];
  /** Whether its steppers compute a `prefix` once, for rows that will have this many tokens in the end. Absent: they do not. */
  shares?(capacity: number): boolean;
  stepper(options?: StepperOptions): Stepper;
}
