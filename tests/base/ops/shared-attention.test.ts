import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { native, use } from '../../../src/base/backend/index.js';
import {
  type AttentionPart,
  besideKeys,
  causalAttention,
  causalAttentionPart,
  raggedLayout,
  sharedAttention,
} from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { draw, off, values } from './numbers.js';

/** Attention of rows that begin alike, whole and as a part behind their beginning: the greatest difference. */
function difference(
  shape: { heads: number; keyHeads: number; width: number; window?: number; softcap?: number },
  count: number,
  own: number[],
): number {
  const { heads, keyHeads, width, ...options } = shape;
  return tf.tidy(() => {
    const beginning = raggedLayout([count], heads, keyHeads, { shared: false });
    const whole = raggedLayout(
      own.map(length => count + length),
      heads,
      keyHeads,
    );
    const behind = raggedLayout(own, heads, keyHeads);
    try {
      const sides = [heads, keyHeads, keyHeads].map((n, i) => ({
        first: draw<tf.Rank.R2>([count, n * width], `first ${i}`),
        rows: own.map((length, row) => draw<tf.Rank.R2>([length, n * width], `row ${row} ${i}`)),
      }));
      const [q, k, v] = sides.map(({ first, rows }) =>
        tf.concat(
          rows.flatMap(row => [first, row]),
          0,
        ),
      ) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const expected = tf.concat(
        own.map((length, row) => {
          const start = own.slice(0, row).reduce((sum, n) => sum + n + count, 0) + count;
          return tf.slice(causalAttention(q, k, v, whole, { scale: 0.3, ...options }), [start, 0], [length, -1]);
        }),
        0,
      );
      const [ownQ, ownK, ownV] = sides.map(({ rows }) => tf.concat(rows, 0)) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const scaled: tf.Tensor2D = tf.mul(ownQ, 0.3);
      const part: AttentionPart = causalAttentionPart(scaled, ownK, ownV, behind, { scale: 1, ...options });
      const [keys, cached] = sides.slice(1).map(({ first }) => besideKeys(first, beginning));
      const positions = own.flatMap(length => Array.from({ length }, (_, t) => count + t));
      const found = sharedAttention(scaled, part, { keys: keys!, values: cached! }, positions, { heads, ...options });
      return off(values(found), values(expected));
    } finally {
      for (const layout of [beginning, whole, behind]) layout.dispose();
    }
  });
}

const SHAPES = [
  { heads: 4, keyHeads: 4, width: 24 },
  { heads: 6, keyHeads: 2, width: 10 },
  // Windows that end within the beginning, and within the rows.
  { heads: 4, keyHeads: 1, width: 16, window: 20 },
  { heads: 3, keyHeads: 3, width: 8, window: 3 },
  { heads: 4, keyHeads: 2, width: 8, softcap: 2, window: 20 },
];

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`attention to shared keys on ${backend}`, () => {
    it.each(SHAPES)('%j: is attention to all keys', async shape => {
      await use(backend);
      for (const fused of backend === 'native' ? [true, false] : [false]) {
        const door = native();
        if (door) door.fused = fused;
        try {
          expect(difference(shape, 30, [1, 7, 40, 12])).toBeLessThan(1e-5);
          expect(difference(shape, 1, [5])).toBeLessThan(1e-5);
        } finally {
          if (door) door.fused = true;
        }
      }
    });

    it('many scores are worked on by parts', async () => {
      await use(backend);
      const [tokens, heads, count, width] = [200, 4, 6000, 4];
      const door = native();
      if (door) door.fused = false;
      try {
        tf.tidy(() => {
          const [q, out] = ['q', 'out'].map(seed => draw<tf.Rank.R2>([tokens, heads * width], seed)) as [
            tf.Tensor2D,
            tf.Tensor2D,
          ];
          const logSum = draw<tf.Rank.R2>([tokens, heads], 'sums');
          const [keys, cached] = ['keys', 'values'].map(seed => draw<tf.Rank.R3>([1, count, width], seed)) as [
            tf.Tensor3D,
            tf.Tensor3D,
          ];
          const part = (first: number, size: number) => {
            const cut = (x: tf.Tensor2D) => tf.slice(x, [first, 0], [size, -1]);
            const positions = Array.from({ length: size }, (_, i) => count + first + i);
            const own = { out: cut(out), logSum: cut(logSum) };
            return sharedAttention(cut(q), own, { keys, values: cached }, positions, { heads, window: count });
          };
          expect(off(values(part(0, tokens)), values(tf.concat([part(0, 100), part(100, 100)], 0)))).toBeLessThan(1e-6);
        });
      } finally {
        if (door) door.fused = true;
      }
    });
  });

describe.skipIf(!(await usable('native'))[0]!.here)('attention to shared keys', () => {
  it('shapes that do not fit are refused', async () => {
    await use('native');
    tf.tidy(() => {
      const own = { out: draw([2, 8], 'out'), logSum: draw([2, 2], 'sums') };
      const keys = draw<tf.Rank.R3>([2, 3, 4], 'keys');
      const asked = (part: AttentionPart, values: tf.Tensor3D, positions: number[]) =>
        sharedAttention(draw([2, 8], 'q'), part, { keys, values }, positions, { heads: 2 });
      expect(asked(own, keys, [3, 4]).shape).toEqual([2, 8]);
      expect(() => asked(own, draw<tf.Rank.R3>([2, 2, 4], 'v'), [3, 4])).toThrow(/do not fit/);
      expect(() => asked({ ...own, logSum: draw([2, 1], 'sums') }, keys, [3, 4])).toThrow(/do not fit/);
      expect(() => asked(own, keys, [3])).toThrow(/do not fit/);
    });
  });
});
