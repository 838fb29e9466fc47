import * as tf from '@tensorflow/tfjs-core';
import { MASKED } from './ragged.js';

/**
 * Where the tokens of queries and keys of different lengths lie inside attention between two sequences, or within one in both
 * directions: every row has a lane of its own, [row, head, time, headDim], padded at the end. Outside attention activations
 * are flat, [tokens, width], so that no product works on padding. A layout holds tensors and is shared by all layers of a
 * pass. Whoever makes it disposes it, after the gradients have run: make it outside the differentiated function.
 */
export interface LaneLayout {
  readonly rows: number;
  readonly heads: number;
  /** Length of the longest row of queries, and of keys. */
  readonly queryTime: number;
  readonly keyTime: number;
  /** Tokens of all rows together. */
  readonly queryTokens: number;
  readonly keyTokens: number;
  /** For every [row, head, time] of the queries, the slice of the flat [tokens · heads, headDim] that stands there. */
  readonly queryIndex: tf.Tensor1D;
  readonly keyIndex: tf.Tensor1D;
  /** For every flat slice, where it stands in [row, head, time]: the way back. */
  readonly queryBack: tf.Tensor1D;
  readonly keyBack: tf.Tensor1D;
  /** 0 where a query may look, a large negative number elsewhere: [rows or 1, 1, queryTime or 1, keyTime]. None where all may be seen. */
  readonly mask: tf.Tensor4D | undefined;
  /** 1 on queries, 0 on their padding: [rows, 1, queryTime, 1]. None where all rows of queries are of one length. */
  readonly real: tf.Tensor4D | undefined;
  dispose(): void;
}

/** What {@link laneLayout} may be told. */
export interface LaneOptions {
  /** Queries see the keys up to their own position: queries and keys are the same rows. */
  causal?: boolean;
  /** By row, the keys that nobody may look at: padding in the midst of a row. */
  hidden?: readonly (readonly boolean[])[];
}

/** Lay out rows of queries beside the rows of keys they look at. Row `i` of the queries sees row `i` of the keys alone. */
export function laneLayout(
  queryLengths: readonly number[],
  keyLengths: readonly number[],
  heads: number,
  { causal = false, hidden }: LaneOptions = {},
): LaneLayout {
  const query = side(queryLengths, heads);
  const key = keyLengths === queryLengths ? query : side(keyLengths, heads);
  const mask = causal ? causalMask(query.time) : keyMask(keyLengths, key.time, hidden);
  const real = queryMask(queryLengths, query.time);
  return {
    rows: queryLengths.length,
    heads,
    queryTime: query.time,
    keyTime: key.time,
    queryTokens: query.tokens,
    keyTokens: key.tokens,
    queryIndex: query.there,
    keyIndex: key.there,
    queryBack: query.back,
    keyBack: key.back,
    mask,
    real,
    dispose() {
      tf.dispose([query.there, query.back, key.there, key.back]);
      mask?.dispose();
      real?.dispose();
    },
  };
}

interface Side {
  time: number;
  tokens: number;
  there: tf.Tensor1D;
  back: tf.Tensor1D;
}

function side(lengths: readonly number[], heads: number): Side {
  const time = Math.max(1, ...lengths);
  const tokens = lengths.reduce((sum, n) => sum + n, 0);
  // Padding shows some slice of the first token: it is masked as a key, and zeroed as a query's gradient.
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
  return { time, tokens, there: tf.tensor1d(there, 'int32'), back: tf.tensor1d(back, 'int32') };
}

/** What stands behind a row's end is hidden by causality from all that is real. */
function causalMask(time: number): tf.Tensor4D {
  const mask = new Float32Array(time * time);
  for (let i = 0; i < time; i++) mask.fill(MASKED, i * time + i + 1, (i + 1) * time);
  return tf.tensor4d(mask, [1, 1, time, time]);
}

function keyMask(
  lengths: readonly number[],
  time: number,
  hidden: readonly (readonly boolean[])[] | undefined,
): tf.Tensor4D | undefined {
  if (lengths.every(n => n === time) && !hidden?.some(row => row.includes(true))) return undefined;
  const mask = new Float32Array(lengths.length * time);
  lengths.forEach((length, row) => {
    mask.fill(MASKED, row * time + length, (row + 1) * time);
    hidden?.[row]?.forEach((gone, t) => {
      if (gone) mask[row * time + t] = MASKED;
    });
  });
  return tf.tensor4d(mask, [lengths.length, 1, 1, time]);
}

function queryMask(lengths: readonly number[], time: number): tf.Tensor4D | undefined {
  if (lengths.every(n => n === time)) return undefined;
  const real = new Float32Array(lengths.length * time);
  lengths.forEach((length, row) => {
    real.fill(1, row * time, row * time + length);
  });
  return tf.tensor4d(real, [lengths.length, 1, time, 1]);
}
