import * as tf from '@tensorflow/tfjs-core';
import { gatedUnit, gatherRows } from '../../base/ops/index.js';
import type { DecoderConfig } from './config/index.js';
import type { LayerNames } from './names.js';
import type { Weights } from './reading.js';

/**
 * A sparse mixture of experts (Mixtral, Jiang et al. 2024): a router picks the top k of the experts for every token,
 * y = Σ_{e in top k} softmax(router logits of the top k)_e · expert_e(x). Every expert works on its own tokens alone.
 *
 * Which experts were picked is read back to the host (k small integers a token); no gradient flows through the choice.
 *
 * @param x [tokens, hiddenSize]
 */
export function mixture(x: tf.Tensor2D, names: LayerNames['mlp'], weights: Weights, config: DecoderConfig): tf.Tensor2D {
  const { numExperts: experts = 1, numExpertsPerToken: k = 1, activation, hiddenSize } = config;
  const tokens = x.shape[0];
  const logits = weights.project(x, names.router);
  const chosen = tf.tidy(() => tf.topk(logits, k).indices.dataSync());

  // Row t·k + j of what follows belongs to the j-th choice of token t.
  const flat = Int32Array.from(chosen, (expert, i) => Math.floor(i / k) * experts + expert);
  const picked = gatherRows(tf.reshape(logits, [tokens * experts, 1]), tf.tensor1d(flat, 'int32'));
  const shares = tf.reshape(tf.softmax(tf.reshape(picked, [tokens, k])), [tokens * k, 1]) as tf.Tensor2D;

  const outputs: tf.Tensor2D[] = [];
  const order: number[] = [];
  for (let e = 0; e < experts; e++) {
    const choices = Array.from(chosen.keys()).filter(i => chosen[i] === e);
    if (choices.length === 0) continue;
    order.push(...choices);
    const { gate, up, down } = names.expert(e);
    const own = gatherRows(
      x,
      tf.tensor1d(
        choices.map(i => Math.floor(i / k)),
        'int32',
      ),
    );
    const h = gatedUnit(weights.project(own, gate), weights.project(own, up), activation);
    outputs.push(weights.project(h, down));
  }
  const back = new Int32Array(order.length);
  order.forEach((choice, place) => {
    back[choice] = place;
  });
  const byChoice = gatherRows(tf.concat(outputs, 0), tf.tensor1d(back, 'int32'));
  return tf.sum(tf.reshape(tf.mul(byChoice, shares), [tokens, k, hiddenSize]), 1);
}
