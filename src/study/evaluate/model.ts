/** What scoring asks of a model; `models.Model` is one, and so is a stub in a test. */
export interface AnsweringModel {
  /** Encoder–decoders: what the decoder begins with. Undefined for decoders. */
  readonly startIds?: readonly number[];
  /** Continue each prompt; the ids returned begin with the prompt, but for encoder–decoders, whose are the new ones alone. */
  generate(
    ids: number[][],
    options: { maxNewTokens: number; temperature: number; stopIds: number[]; signal?: AbortSignal },
  ): Promise<{ ids: number[][] }>;
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
