import * as tf from '@tensorflow/tfjs-core';

/**
 * Where the tokens of a batch of rows of different lengths lie. Activations are flat, [tokens, width], so that no product
 * works on padding; only inside attention are they laid side by side in lanes, [lane, head, time, headDim]. A lane is as
 * long as the longest row and holds as many short rows as fit, each blind to the others (block-diagonal attention), so that
 * attention does not work on padding for want of company.
 * A layout holds tensors (indices, masks), each made when it is first wanted, and is shared by all layers of a pass. Whoever
 * makes it disposes it, after the gradients have run.
 */
export interface RaggedLayout {
  readonly lengths: readonly number[];
  /** Tokens of all rows together. */
  readonly tokens: number;
  /** Length of the longest row, and of every lane. */
  readonly time: number;
  readonly lanes: number;
  readonly heads: number;
  readonly keyHeads: number;
  /** For every [lane, head, time] of the queries, the slice of the flat [tokens · heads, headDim] that stands there. */
  readonly queryIndex: tf.Tensor1D;
  /** The same for keys and values. */
  readonly keyIndex: tf.Tensor1D;
  /** For every flat slice, where it stands in [lane, head, time]: the way back. */
  readonly queryBack: tf.Tensor1D;
  readonly keyBack: tf.Tensor1D;
  /** Where every row begins among the tokens, and the end of the last: int32 [rows + 1]. */
  readonly starts: tf.Tensor1D;
  /**
   * 0 where a query may look, a large negative number elsewhere, for queries that look back less than `window` tokens (Infinity:
   * at all before them): [lane · keyHeads, group · time, time].
   */
  windowed(window: number): tf.Tensor3D;
  dispose(): void;
}

/** Finite, so that differences of two masked scores stay numbers; exp of it is exactly 0. */
export const MASKED = -1e30;

/** Where a row stands in attention. */
interface Place {
  lane: number;
  /** Its first slot in the lane. */
  at: number;
}

/**
 * Lay out rows for causal attention: a query sees the keys of its own row up to its own position. Padding is at the end of a
 * lane; queries on padding see padding alone, so whatever stands there reaches neither a real output nor a real gradient,
 * and needs no zeroing.
 *
 * @param options `shared`: rows may share a lane (the default); a key-value cache wants a lane for every row
 */
export function raggedLayout(
  lengths: readonly number[],
  heads: number,
  keyHeads: number,
  options: { shared?: boolean } = {},
): RaggedLayout {
  const time = Math.max(1, ...lengths);
  const tokens = lengths.reduce((sum, n) => sum + n, 0);
  const places = options.shared === false ? lengths.map((_, lane) => ({ lane, at: 0 })) : shareLanes(lengths, time);
  const lanes = 1 + Math.max(-1, ...places.map(({ lane }) => lane));
  const shape = { lengths, places, time, tokens, lanes };
  const made: tf.Tensor[] = [];
  /** A tensor that is made when it is first asked for, in whatever scope that is, and lives as long as the layout. */
  const later = <T extends tf.Tensor>(make: () => T): (() => T) => {
    let tensor: T | undefined;
    return () => {
      if (tensor) return tensor;
      tensor = tf.keep(make());
      made.push(tensor);
      return tensor;
    };
  };
  const sides = [heads, keyHeads].map(count => {
    let index: { there: Int32Array; back: Int32Array } | undefined;
    const both = () => {
      index ??= indices(shape, count);
      return index;
    };
    return {
      there: later(() => tf.tensor1d(both().there, 'int32')),
      back: later(() => tf.tensor1d(both().back, 'int32')),
    };
  });
  const query = sides[0]!;
  const key = keyHeads === heads ? query : sides[1]!;
  const masks = new Map<number, () => tf.Tensor3D>();
  const windowed = (window: number): tf.Tensor3D => {
    // A window as long as the longest row hides nothing.
    const width = Math.min(window, time);
    if (!masks.has(width))
      masks.set(
        width,
        later(() => causalMask(shape, heads, keyHeads, width)),
      );
    return masks.get(width)!();
  };
  const starts = later(() => tf.tensor1d(cumulative(lengths), 'int32'));
  return {
    lengths,
    tokens,
    time,
    lanes,
    heads,
    keyHeads,
    get starts() {
      return starts();
    },
    get queryIndex() {
      return query.there();
    },
    get keyIndex() {
      return key.there();
    },
    get queryBack() {
      return query.back();
    },
    get keyBack() {
      return key.back();
    },
    windowed,
    dispose() {
      tf.dispose(made);
    },
  };
}

/** Where every row begins among the tokens, and where the last one ends. */
function cumulative(lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return starts;
}

interface Shape {
  lengths: readonly number[];
  places: readonly Place[];
  time: number;
  tokens: number;
  lanes: number;
}

/** Best-fit decreasing: the longest row first, each into the fullest lane that still has room for it. */
function shareLanes(lengths: readonly number[], time: number): Place[] {
  const places = new Array<Place>(lengths.length);
  const free: number[] = [];
  const longestFirst = lengths.map((_, row) => row).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  for (const row of longestFirst) {
    const length = lengths[row]!;
    let lane = -1;
    free.forEach((room, candidate) => {
      if (room >= length && (lane < 0 || room < free[lane]!)) lane = candidate;
    });
    if (lane < 0) lane = free.push(time) - 1;
    places[row] = { lane, at: time - free[lane]! };
    free[lane]! -= length;
  }
  return places;
}

function indices({ lengths, places, time, tokens, lanes }: Shape, heads: number): { there: Int32Array; back: Int32Array } {
  const there = new Int32Array(lanes * heads * time);
  const back = new Int32Array(tokens * heads);
  let start = 0;
  lengths.forEach((length, row) => {
    const { lane, at } = places[row]!;
    for (let head = 0; head < heads; head++) {
      const base = (lane * heads + head) * time + at;
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

function causalMask({ lengths, places, time, lanes }: Shape, heads: number, keyHeads: number, window: number): tf.Tensor3D {
  const size = time * time;
  const mask = new Float32Array(lanes * heads * size).fill(MASKED);
  const used = new Array<number>(lanes).fill(0);
  const open = (lane: number, from: number, to: number) => {
    const first = lane * heads * size;
    for (let i = from; i < to; i++) {
      const oldest = Math.max(from, i - window + 1);
      mask.fill(0, first + i * time + oldest, first + i * time + i + 1);
    }
  };
  lengths.forEach((length, row) => {
    const { lane, at } = places[row]!;
    open(lane, at, at + length);
    used[lane] = Math.max(used[lane]!, at + length);
  });
  used.forEach((end, lane) => {
    open(lane, end, time);
    const first = lane * heads * size;
    for (let head = 1; head < heads; head++) mask.copyWithin(first + head * size, first, first + size);
  });
  return tf.tensor3d(mask, [lanes * keyHeads, (heads / keyHeads) * time, time]);
}
