import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Interrupted, progress, setView } from '../../base/core/index.js';
import { hiddenStates, type Model } from '../../learn/models/index.js';
import { checkPair, onBase, type Pair } from './pair.js';

/** How alike two models' hidden states are in one place. */
export interface LayerCka {
  /** 0: embeddings; i: what layer i gives. */
  layer: number;
  /** From 0 to 1; 1 where one is the other but for rotation and scale. */
  cka: number;
}

/** Options of {@link cka}. */
export interface CkaOptions extends Pair {
  /** Rows of token ids that both read; some thousand tokens give a steady figure, and there must be more of them than the states are wide. */
  ids: readonly (readonly number[])[];
  /** Rows of one pass; default 8. */
  batchSize?: number;
  signal?: AbortSignal;
}

/** Result of {@link cka}: an array that shows itself as a table. */
export class Cka extends Array<LayerCka> {
  // Without this, map and filter would make Ckas of whatever they return.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

setView(Cka, rows => ({ kind: 'table', data: [...rows] }));

/**
 * Linear centred kernel alignment (Kornblith et al. 2019) of the hidden states of base and tuned model on the same text, layer by layer:
 * ‖Yᵀ X‖² ÷ (‖Xᵀ X‖ · ‖Yᵀ Y‖), Frobenius norms, with the means over tokens taken out of X and Y. Where it falls, the tuned model
 * sees the text in another way. Products are summed up batch by batch: no more than one batch of states is held.
 * @throws BadInput for encoder–decoders, models of different depths and too few tokens
 */
export async function cka(options: CkaOptions): Promise<Cka> {
  const { ids, batchSize = 8, signal } = options;
  checkPair(options);
  const layers: Sums[] = [];
  const bar = progress('hidden states', { total: ids.length, unit: 'rows' });
  let tokens = 0;
  try {
    for (let start = 0; start < ids.length; start += batchSize) {
      if (signal?.aborted)
        throw new Interrupted({ problem: `comparing hidden states was stopped after ${start} of ${ids.length} rows` });
      const batch = ids.slice(start, start + batchSize).map(row => [...row]);
      tokens += batch.reduce((sum, row) => sum + row.length, 0);
      await addBatch(options, batch, layers);
      bar.update(start + batch.length);
      // Interrupts and displays need their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    if (tokens < 2)
      throw new BadInput({
        problem: 'There is no text on which hidden states could be compared',
        where: { key: 'ids' },
        found: `${tokens} tokens`,
        fix: 'forgetting.textRows({ tokenizer, texts }).map(row => row.ids)',
      });
    return Cka.from(layers.map((sums, layer) => ({ layer, cka: alignment(sums, tokens) }))) as Cka;
  } finally {
    bar.finish();
    for (const sums of layers) tf.dispose(Object.values(sums));
  }
}

/** Sums over tokens of states less the mean of the first batch, which keeps the products small beside their spread. */
interface Sums {
  [name: string]: tf.Tensor;
  originX: tf.Tensor;
  originY: tf.Tensor;
  x: tf.Tensor;
  y: tf.Tensor;
  xx: tf.Tensor;
  yy: tf.Tensor;
  xy: tf.Tensor;
}

async function addBatch(pair: Pair, batch: number[][], layers: Sums[]): Promise<void> {
  const states: tf.Tensor2D[] = [];
  try {
    await onBase(pair, (base: Model) => {
      hiddenStates(base, batch, (_, x) => {
        states.push(tf.keep(tf.clone(x)));
      });
    });
    let seen = 0;
    hiddenStates(pair.tuned, batch, (layer, y) => {
      seen++;
      const x = states[layer];
      if (x) layers[layer] = added(layers[layer], x, y);
    });
    if (seen !== states.length)
      throw new BadInput({
        problem: 'The models have not the same number of layers',
        expected: `${seen - 1}`,
        found: `${states.length - 1}`,
      });
  } finally {
    tf.dispose(states);
  }
}

function added(sums: Sums | undefined, x: tf.Tensor2D, y: tf.Tensor2D): Sums {
  const next = tf.tidy(() => {
    const [originX, originY] = [sums?.originX ?? tf.mean(x, 0), sums?.originY ?? tf.mean(y, 0)];
    const [a, b] = [tf.sub(x, originX) as tf.Tensor2D, tf.sub(y, originY) as tf.Tensor2D];
    const plus = (name: string, value: tf.Tensor) => (sums ? tf.add(sums[name]!, value) : value);
    return {
      originX: sums ? tf.clone(originX) : originX,
      originY: sums ? tf.clone(originY) : originY,
      x: plus('x', tf.sum(a, 0)),
      y: plus('y', tf.sum(b, 0)),
      xx: plus('xx', tf.matMul(a, a, true)),
      yy: plus('yy', tf.matMul(b, b, true)),
      xy: plus('xy', tf.matMul(a, b, true)),
    };
  });
  if (sums) tf.dispose(Object.values(sums));
  for (const value of Object.values(next)) tf.keep(value);
  return next;
}

function alignment(sums: Sums, tokens: number): number {
  const [xy, xx, yy] = tf.tidy(() => {
    const centred = (product: tf.Tensor, a: tf.Tensor, b: tf.Tensor) =>
      tf.sqrt(tf.sum(tf.square(tf.sub(product, tf.div(tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D), tokens)))));
    const { x, y } = sums;
    return [centred(sums.xy, x, y), centred(sums.xx, x, x), centred(sums.yy, y, y)].map(norm => norm.dataSync()[0]!);
  }) as unknown as [number, number, number];
  return xx > 0 && yy > 0 ? (xy / xx) * (xy / yy) : Number.NaN;
}
