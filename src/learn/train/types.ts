import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../base/core/index.js';
import type { GenerateOptions, LossOptions, TrainBatch } from '../models/index.js';

/**
 * An encoded row: token ids, unshifted labels (−100: no loss), and where wanted a weight for every label. For an encoder–decoder
 * `ids` are the encoder's and `labels` what the decoder is to say, of a length of their own.
 */
export interface TrainRow {
  ids: readonly number[];
  labels: readonly number[];
  weights?: readonly number[];
  /** Of a packed row (`tokens.pack`), the segment of every token. */
  segmentIds?: readonly number[];
  /** Line in the file the row came from, or lines of the rows a packed row holds; named when a step fails. */
  line?: number | readonly number[];
  /** Task the row belongs to: gives `lossByTask` and what `mixture` weighs. */
  task?: string;
}

/** Loss of one batch as numerator and denominator, with the gradient of the *numerator* (contract 2). */
export interface BatchGradients {
  numerator: tf.Scalar;
  denominator: number;
  /** One for each trainable parameter, in the order of `parameters`. */
  gradients: tf.Tensor[];
}

/** What the loop asks of a model (`models.Model` is one). */
export interface TrainableModel {
  readonly parameters: readonly Parameter<tf.Tensor>[];
  /** Encoder–decoders: what every row of the decoder begins with. Undefined for decoders. */
  readonly startIds?: readonly number[];
  /** Numerator and gradients belong to the caller. */
  lossAndGradients(batch: TrainBatch, options?: LossOptions): BatchGradients;
  /** Loss without gradients; where absent, evaluation computes gradients in vain. */
  lossSum?(batch: TrainBatch): { numerator: number; denominator: number };
  /** Continue rows; needed for samples only. */
  generate?(ids: number[][], options: GenerateOptions): Promise<{ ids: number[][] }>;
  /** Sizes, for what is said about speed and memory. */
  readonly config?: Partial<ModelSizes>;
  /** Names of the matrices with a row for every token, the head last. */
  vocabularyMatrices?(): string[];
  /** Tokens whose rows were never trained and that stay frozen: rows that have them are warned of. */
  untrainedTokens?(): ReadonlySet<number>;
  /** Write config and weights into a folder; needed for checkpoints only. */
  save?(dir: string): Promise<void>;
}

/** Sizes of a transformer. */
export interface ModelSizes {
  hiddenSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  headDim?: number;
  intermediateSize?: number;
  vocabSize?: number;
  maxPositionEmbeddings?: number;
  numExperts?: number;
  numExpertsPerToken?: number;
}

/** The sizes of a model; undefined where it does not say them. */
export function sizesOf({ config }: Pick<TrainableModel, 'config'>): ModelSizes | undefined {
  const known = config?.hiddenSize && config.numHiddenLayers && config.numAttentionHeads;
  return known ? (config as ModelSizes) : undefined;
}

/** Whether rows have two sides, which an encoder and a decoder read. */
export function isSeq2Seq(model: Pick<TrainableModel, 'startIds'>): boolean {
  return model.startIds !== undefined;
}

/** Memory of an optimizer: its step count and, for each trainable parameter, named slots such as `m` and `v`. */
export interface OptimizerState {
  /** Updates made so far. */
  updates: number;
  slots: Record<string, Parameter<tf.Tensor>[]>;
  /** Layers of the model, where rates depend on the layer. */
  layers?: number;
}

export interface UpdateOptions {
  /** Factor on the gradients: 1 ÷ denominator, times the clipping factor. Passed so that a fused update stays one op. */
  scale: number;
  learningRate: number;
}

/** An optimizer (contract 4): parameters and state are updated in place, gradients are consumed (disposed). */
export interface Optimizer {
  readonly name: string;
  /** Peak learning rate when `train.sft` is given none. */
  readonly learningRate?: number;
  /** Settings that must be equal when a run is resumed; plain JSON. */
  readonly settings: Record<string, unknown>;
  /** Throws BadInput where its settings do not fit the model (a group that means none of its weights). */
  check?(parameters: readonly Parameter<tf.Tensor>[]): void;
  init(parameters: readonly Parameter<tf.Tensor>[]): OptimizerState;
  step(
    parameters: readonly Parameter<tf.Tensor>[],
    gradients: readonly tf.Tensor[],
    state: OptimizerState,
    options: UpdateOptions,
  ): void;
}

export function disposeState(state: OptimizerState): void {
  for (const slot of Object.values(state.slots)) for (const value of slot) value.dispose();
}
