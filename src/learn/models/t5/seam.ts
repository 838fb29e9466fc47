import type * as tf from '@tensorflow/tfjs-core';

export interface Weights {
  get(name: string): tf.Tensor;
  has(name: string): boolean;
  frozen(name: string): boolean;
  project(x: tf.Tensor2D, module: string): tf.Tensor2D;
  behind(y: tf.Tensor2D, at: { layer: number; kind: 'attention' | 'mlp'; module: string }): tf.Tensor2D;
}
