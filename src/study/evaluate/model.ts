/** What scoring asks of a model; `models.Model` is one, and so is a stub in a test. */
export interface AnsweringModel {
  /** Where its context is told, prompts that do not fit are told before the work, by their place. */
  readonly config?: { readonly maxPositionEmbeddings?: number };
  /** Encoder–decoders: what the decoder begins with. Undefined for decoders. */
  readonly startIds?: readonly number[];
  /** Continue each prompt; the ids returned begin with the prompt, but for encoder–decoders, whose are the new ones alone. */
  generate(
    ids: number[][],
    options: { maxNewTokens: number; temperature: number; stopIds: number[]; signal?: AbortSignal },
  ): Promise<{ ids: number[][] }>;
  /** Continue many prompts, a few at a time, and yield each as it ends: used instead of `generate` where it is there. */
  continuous?(
    ids: number[][],
    options: { maxNewTokens: number; temperature: number; stopIds: number[]; slots: number; signal?: AbortSignal },
  ): AsyncIterable<{ index: number; tokens: number[] }>;
}

/** What measuring a loss asks of a model. */
export interface MeasurableModel {
  /** Encoder–decoders: what the decoder begins with. Undefined for decoders. */
  readonly startIds?: readonly number[];
  /** Sum of the losses (nats) of all labelled tokens, and their number. */
  lossSum(batch: {
    ids: number[][];
    labels: number[][];
    weights?: number[][];
  }): { numerator: number; denominator: number } | Promise<{ numerator: number; denominator: number }>;
}

/** What the likelihood of a text asks of a model. */
export interface LikelihoodModel {
  readonly config?: { readonly maxPositionEmbeddings?: number };
  /** Encoder–decoders: what the decoder begins with. Undefined for decoders. */
  readonly startIds?: readonly number[];
  /**
   * −log p of every token given those before it, in nats; NaN where nothing predicts one. Of encoder–decoders: of every label. Decoders
   * may leave out those before `from`, by row the first token that is asked about.
   */
  tokenLosses(batch: { ids: number[][]; labels?: number[][]; from?: number[] }): number[][];
}
