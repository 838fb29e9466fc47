// Temporary (P1 and P2 share it until the lead's seam lands): the contract's interfaces. Then: `export * from '../adapter.js'`.
import type * as tf from '@tensorflow/tfjs-core';
import type { ModelParameter } from '../parameter.js';

export interface LinearModule {
  module: string;
  inFeatures: number;
  outFeatures: number;
  /** Conv1D: the weight lies as [in, out]. */
  transposed: boolean;
}

export interface BaseModel {
  readonly parameters: readonly ModelParameter[];
  readonly original: { config?: Record<string, unknown>; generation?: Record<string, unknown> };
  parameter(name: string): ModelParameter;
  linearModules(): LinearModule[];
}

export interface Adapter {
  readonly name: string;
  readonly kind: 'lora' | 'bottleneck' | 'prompt' | 'prefix' | 'ia3';
  readonly parameters: readonly ModelParameter[];
  readonly virtualTokens: number;
  pass(context: PassContext): AdapterPass;
  merged?(read: (name: string) => tf.Tensor): Map<string, tf.Tensor>;
  toPeft(): { config: Record<string, unknown>; tensors: { name: string; parameter: ModelParameter }[] };
  dispose(): void;
}

export interface PassContext {
  value(parameter: ModelParameter): tf.Tensor;
  weight(name: string): tf.Tensor;
  has(name: string): boolean;
  seed?: number;
}

export interface AdapterPass {
  project?(module: string, x: tf.Tensor2D, inner: (x: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D | undefined;
  replaces?(name: string): boolean;
  weight?(name: string, base: () => tf.Tensor): tf.Tensor | undefined;
  behind?(y: tf.Tensor2D, at: { layer: number; kind: 'attention' | 'mlp'; module: string }): tf.Tensor2D;
  prompt?(): tf.Tensor2D;
  prefix?(layer: number): { keys: tf.Tensor2D; values: tf.Tensor2D };
}

export interface AdapterSpec {
  readonly kind: Adapter['kind'];
  build(model: BaseModel, name: string): Adapter;
}
