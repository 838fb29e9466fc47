import * as tf from '@tensorflow/tfjs-core';
import { batchMatmul, besideKeys, causalAttention, MASKED, matmul, rope, ropeTable, softcapped } from '../../../base/ops/index.js';
import { attentionScale, layerWindow, ropeOf } from '../attention-settings.js';
import { type Attend, decode } from '../decoder.js';
import { attentionOptions, type DecoderModel, turned } from '../decoder-model.js';
import { headName } from '../names.js';
import { pack } from '../packed.js';
import type { Stepper, StepperOptions } from './stepper.js';

/** Keys and values of one batch of rows, [rows · keyHeads, time, headDim] a layer. */
export function decoderStepper(model: DecoderModel, _options: StepperOptions): Stepper {
  const { config } = model;
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim } = config;
  const keys: tf.Tensor3D[] = [];
  const values: tf.Tensor3D[] = [];
  /** For every row, which slots of its cache hold tokens: their positions, −1 in gaps. */
  let slots: number[][] = [];
  const padded = (x: tf.Tensor3D, time: number) =>
    tf.pad(x, [
      [0, 0],
      [0, time - x.shape[1]],
      [0, 0],
    ]);
  const store = (to: tf.Tensor3D[], layer: number, next: tf.Tensor3D) => {
    to[layer]?.dispose();
    to[layer] = tf.keep(next);
  };

  return {
    get rows() {
      return slots.length;
    },
    admit(prompts) {
      return tf.tidy(() => {
        const weights = model.readWeights();
        const { virtualTokens } = weights;
        const packed = pack(prompts, config, { shared: false, virtualTokens });
        const lengths = prompts.map(prompt => prompt.length + virtualTokens);
        const last = tf.tensor1d(
          lengths.map((length, row) => packed.starts[row]! + length - 1),
          'int32',
        );
        const time = Math.max(packed.layout.time, slots[0]?.length ?? 0);
        const attend: Attend = (q, k, v, layer) => {
          const [queries, rotated, own] = turned(q, k, v, layer, packed, weights);
          const add = (to: tf.Tensor3D[], flat: tf.Tensor2D) => {
            const beside = padded(besideKeys(flat, packed.layout), time);
            store(to, layer, to[layer] ? tf.concat([padded(to[layer]!, time), beside], 0) : beside);
          };
          add(keys, rotated);
          add(values, own);
          return causalAttention(queries, rotated, own, packed.layout, attentionOptions(config, layer, packed));
        };
        const hidden = decode({ ...packed, attend, keep: last }, weights, config);
        const fill = (row: number[]) => [...row, ...new Array<number>(time - row.length).fill(-1)];
        slots = [...slots, ...lengths.map(length => Array.from({ length }, (_, t) => t))].map(fill);
        return softcapped(matmul(hidden, weights.get(headName(config)) as tf.Tensor2D, false, true), config.logitSoftcap);
      });
    },
    advance(tokens) {
      const positions = slots.map(row => Math.max(...row) + 1);
      slots = slots.map((row, r) => [...row, positions[r]!]);
      const time = slots[0]!.length;
      return tf.tidy(() => {
        const weights = model.readWeights();
        const masks = new Map<number | undefined, tf.Tensor3D>();
        const maskOf = (window?: number) => {
          const made = masks.get(window);
          if (made) return made;
          const mask = new Float32Array(slots.length * keyHeads * time);
          slots.forEach((row, r) => {
            for (let head = 0; head < keyHeads; head++)
              row.forEach((position, t) => {
                const seen = position >= 0 && (window === undefined || positions[r]! - position < window);
                if (!seen) mask[(r * keyHeads + head) * time + t] = MASKED;
              });
          });
          const tensor = tf.tensor3d(mask, [slots.length * keyHeads, 1, time]);
          masks.set(window, tensor);
          return tensor;
        };
        const attend: Attend = (q, k, v, layer) => {
          const turn = ropeOf(config, layer, Math.max(...positions) + 1);
          const options = { headDim, turnedScale: turn?.attentionFactor };
          const scale = attentionScale(config, layer);
          const table = (count: number, factor: number) => ropeTable(positions, turn!.frequencies, count, factor, options);
          const queries = turn ? rope(q, table(heads, scale)) : tf.mul(q, scale);
          const rotated = turn ? rope(k, table(keyHeads, 1)) : k;
          const append = (to: tf.Tensor3D[], flat: tf.Tensor2D) =>
            store(to, layer, tf.concat([to[layer]!, tf.reshape(flat, [slots.length * keyHeads, 1, headDim])], 1));
          append(keys, rotated);
          append(values, v);
          const group = tf.reshape(queries, [slots.length * keyHeads, heads / keyHeads, headDim]) as tf.Tensor3D;
          const scores = softcapped(batchMatmul(group, keys[layer]!, false, true), config.attentionSoftcap);
          const p = tf.softmax(tf.add(scores, maskOf(layerWindow(config, layer)))) as tf.Tensor3D;
          return tf.reshape(batchMatmul(p, values[layer]!), [slots.length, heads * headDim]);
        };
        const input = { ids: tf.tensor1d(tokens.slice(), 'int32'), positions: tf.tensor1d(positions, 'int32'), attend };
        const hidden = decode(input, weights, config);
        return softcapped(matmul(hidden, weights.get(headName(config)) as tf.Tensor2D, false, true), config.logitSoftcap);
      });
    },
    select(rows) {
      tf.tidy(() => {
        const index = tf.tensor1d(
          rows.flatMap(row => Array.from({ length: keyHeads }, (_, head) => row * keyHeads + head)),
          'int32',
        );
        for (const to of [keys, values])
          to.forEach((x, layer) => {
            store(to, layer, tf.gather(x, index));
          });
      });
      slots = rows.map(row => slots[row]!.slice());
    },
    dispose() {
      tf.dispose([...keys, ...values]);
    },
  };
}
