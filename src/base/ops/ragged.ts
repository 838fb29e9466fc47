import * as tf from '@tensorflow/tfjs-core';

/**
 * Where the tokens of a batch of rows of different lengths lie. Activations are flat, [tokens, width], so that no product
 * works on padding; only inside attention are rows laid side by side, [row, head, time, headDim].
 * A layout holds tensors (indices, mask) and is shared by all layers of a pass. Whoever makes it disposes it, after the
 * gradients have run: make it outside the differentiated function.
 */
export interface RaggedLayout {
  readonly lengths: readonly number[];
  /** Tokens of all rows together. */
  readonly tokens: number;
  /** Length of the longest row. */
  readonly time: number;
  readonly heads: number;
  readonly keyHeads: number;
  /** For every [row, head, time] of the queries, the slice of the flat [tokens · heads, headDim] that stands there. */
  readonly queryIndex: tf.Tensor1D;
  /** The same for keys and values. */
  readonly keyIndex: tf.Tensor1D;
  /** For every flat slice, where it stands in [row, head, time]: the way back. */
  readonly queryBack: tf.Tensor1D;
  readonly keyBack: tf.Tensor1D;
  /** 0 where a query may look, a large negative number elsewhere: [row · keyHeads, group · time, time]. */
  readonly mask: tf.Tensor3D;
  dispose(): void;
}

/** Finite, so that differences of two masked scores stay numbers; exp of it is exactly 0. */
export const MASKED = -1e30;

/**
 * Lay out rows for causal attention. Padding is on the right inside attention: a query sees the keys up to its own
 * position. Queries on padding see padding alone, so whatever stands there reaches neither a real output nor a real
 * gradient, and needs no zeroing.
 */
export function raggedLayout(lengths: readonly number[], heads: number, keyHeads: number): RaggedLayout {
  const time = Math.max(1, ...lengths);
  const tokens = lengths.reduce((sum, n) => sum + n, 0);
  const query = indices(lengths, time, tokens, heads);
  const key = keyHeads === heads ? query : indices(lengths, time, tokens, keyHeads);
  const queryIndex = tf.tensor1d(query.there, 'int32');
  const queryBack = tf.tensor1d(query.back, 'int32');
  const keyIndex = key === query ? queryIndex : tf.tensor1d(key.there, 'int32');
  const keyBack = key === query ? queryBack : tf.tensor1d(key.back, 'int32');
  const mask = causalMask(lengths, time, heads, keyHeads);
  return {
    lengths,
    tokens,
    time,
    heads,
    keyHeads,
    queryIndex,
    keyIndex,
    queryBack,
    keyBack,
    mask,
    dispose: () => tf.dispose([queryIndex, queryBack, keyIndex, keyBack, mask]),
  };
}

function indices(
  lengths: readonly number[],
  time: number,
  tokens: number,
  heads: number,
): { there: Int32Array; back: Int32Array } {
  const there = new Int32Array(lengths.length * heads * time);
  const back = new Int32Array(tokens * heads);
  let start = 0;
  lengths.forEach((length, row) => {
    for (let head = 0; head < heads; head++) {
      const base = (row * heads + head) * time;
      for (let t = 0; t < length; t++) {
        const flat = (start + t) * heads + head;
        there[base + t] = flat;
        back[flat] = base + t;
      }
    }
    start += length;
  });
  return { there, back };
}

function causalMask(lengths: readonly number[], time: number, heads: number, keyHeads: number): tf.Tensor3D {
  const size = time * time;
  const mask = new Float32Array(lengths.length * heads * size).fill(MASKED);
  lengths.forEach((length, row) => {
    const first = row * heads * size;
    for (let i = 0; i < time; i++) mask.fill(0, first + i * time + (i < length ? 0 : length), first + i * time + i + 1);
    for (let head = 1; head < heads; head++) mask.copyWithin(first + head * size, first, first + size);
  });
  return tf.tensor3d(mask, [lengths.length * keyHeads, (heads / keyHeads) * time, time]);
}
