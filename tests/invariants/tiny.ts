import { Random } from '../../src/base/core/index.js';
import { init, type Model } from '../../src/learn/models/index.js';
import type { TrainRow } from '../../src/learn/train/index.js';

/** A Llama with grouped queries, small enough for the plain JavaScript backend. */
export function tinyLlama(seed: number = 1): Model {
  return init(
    {
      vocabSize: 40,
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      maxPositionEmbeddings: 64,
    },
    { seed },
  );
}

/** Rows of very different lengths and shares of labels: where a mean of means would show. */
export function unevenRows(count: number, seed: number = 2): TrainRow[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const ids = Array.from({ length: 3 + random.int(12) }, () => random.int(40));
    const prompt = random.int(ids.length - 1);
    return { ids, labels: ids.map((id, t) => (t <= prompt ? -100 : id)), line: i + 1 };
  });
}

/** All weights, in the order of the parameters. */
export function weightsOf(model: Model): Float32Array[] {
  return model.parameters.map(parameter => {
    const tensor = parameter.read();
    const values = tensor.dataSync().slice() as Float32Array;
    tensor.dispose();
    return values;
  });
}

/** Largest difference of two sets of arrays, relative to the largest value in each array. */
export function difference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  return Math.max(
    ...a.map((x, i) => {
      const y = b[i]!;
      const largest = Math.max(...Array.from(x, Math.abs), 1e-12);
      return Math.max(...Array.from(x, (value, k) => Math.abs(value - y[k]!))) / largest;
    }),
  );
}
