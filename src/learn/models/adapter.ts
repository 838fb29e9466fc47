import type * as tf from '@tensorflow/tfjs-core';
import type { Model } from './model.js';
import type { ModelParameter } from './parameter.js';

/** Where a sub-layer stands. */
export interface Sublayer {
  layer: number;
  kind: 'attention' | 'mlp';
  /** Name of its module, e.g. model.layers.0.self_attn. */
  module: string;
}

/** What an adapter may use in a pass. */
export interface PassContext {
  /** Value of one of the adapter's own parameters in this pass; gradients flow through it. */
  value(parameter: ModelParameter): tf.Tensor;
  /** Value of a weight of the base. */
  weight(name: string): tf.Tensor;
  has(name: string): boolean;
  /** Set while training with dropout: the seed of this pass's masks. Undefined: no dropout. */
  seed?: number;
}

/** What an adapter does in one pass; a part that is absent leaves the model as it is. */
export interface AdapterPass {
  /**
   * Output of a linear module, [tokens, out]; `inner` is the module without this adapter. Undefined: a module it does not
   * stand on.
   */
  project?(module: string, x: tf.Tensor2D, inner: (x: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D | undefined;
  /** A whole weight in place of the base's (modules_to_save, LoRA on embeddings or the head). */
  weight?(name: string, base: () => tf.Tensor): tf.Tensor | undefined;
  /** Whether {@link weight} has something in place of this one: what it gives is differentiated. Goes with `weight`. */
  replaces?(name: string): boolean;
  /** What a sub-layer gives to the residual stream. */
  behind?(y: tf.Tensor2D, at: Sublayer): tf.Tensor2D;
  /** Embeddings of the virtual tokens before every row, [virtualTokens, hiddenSize]. */
  prompt?(): tf.Tensor2D;
  /** Keys and values of the virtual tokens in a layer, [virtualTokens, keyHeads · headDim] each, not rotated. */
  prefix?(layer: number): { keys: tf.Tensor2D; values: tf.Tensor2D };
}

/** An adapter that is attached to a model: a few weights beside its frozen ones. */
export interface Adapter {
  readonly name: string;
  readonly kind: 'lora' | 'bottleneck' | 'prompt' | 'prefix' | 'ia3';
  /** Named as in PEFT's memory without "base_model.model.", e.g. model.layers.0.self_attn.q_proj.lora_A.default.weight. */
  readonly parameters: readonly ModelParameter[];
  /** Tokens it puts before every row (prompt, prefix); else 0. */
  readonly virtualTokens: number;
  pass(context: PassContext): AdapterPass;
  /** Which rows of an embedding or a head, by the name of the weight, it trains; absent or undefined: none. */
  trainedRows?(weight: string): 'all' | readonly number[] | undefined;
  /** Base weights with the adapter folded in, by name; the caller disposes them. Absent: this kind cannot be merged. */
  merged?(read: (name: string) => tf.Tensor): Map<string, tf.Tensor>;
  /** The content of PEFT's adapter_config.json and the names its tensors have in adapter_model.safetensors. */
  toPeft(): { config: Record<string, unknown>; tensors: { name: string; parameter: ModelParameter }[] };
  dispose(): void;
}

/** A kind of adapter before it meets a model, e.g. `lora({ rank: 8 })`. */
export interface AdapterSpec {
  readonly kind: Adapter['kind'];
  /** Make its weights for this model. Throws BadInput where they do not fit. */
  build(model: Model, name: string): Adapter;
}

/** A linear module of a model, as an adapter may stand on it. */
export interface LinearModule {
  /** Name without ".weight". */
  module: string;
  inFeatures: number;
  outFeatures: number;
  /** Its weight is stored [in, out] (GPT-2's Conv1D). */
  transposed: boolean;
}
