import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { cachedAttention, type FewRowsOps, fewRowsOps, ropeTable } from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { draw, off, values } from './numbers.js';

const here = (await usable('native'))[0]!.here;
describe.skipIf(!here)('attention of new tokens', () => {
  let ops: FewRowsOps;
  beforeAll(async () => {
    await use('native');
    ops = fewRowsOps(16)!;
    expect(ops).toBeDefined();
  });

  it.each([
    [1, 9, 3, 64, 0, true, false],
    [3, 4, 4, 24, 5, true, true],
    [2, 6, 1, 10, 0, false, false],
    [16, 9, 3, 64, 300, true, false],
  ])(
    'attention of %i new tokens, %i heads on %i of width %i, window %i (rotation %s, norms %s)',
    (rows, heads, keyHeads, w, window, turned, normed) => {
      tf.tidy(() => {
        const slots = 700;
        const at = Array.from({ length: rows }, (_, row) => (slots - 1 - 37 * row) % slots);
        const x = draw([rows, (heads + 2 * keyHeads) * w], 'x');
        const [keys, cached] = ['keys', 'values'].map(seed => draw<tf.Rank.R3>([rows * keyHeads, slots, w], seed));
        const positions = tf.tensor1d(at, 'int32');
        const frequencies = Float32Array.from({ length: w / 2 - 1 }, (_, j) => 100 ** (-j / w));
        const table = turned ? ropeTable(at, frequencies, 1, 1, { headDim: w }) : undefined;
        const norms = normed
          ? { query: draw<tf.Rank.R1>([w], 'qn'), key: draw<tf.Rank.R1>([w], 'kn'), epsilon: 1e-6, offset: 0 }
          : undefined;
        const scale = 1 / Math.sqrt(w);

        // The same in plain arrays.
        const given = values(x);
        const [queryNorm, keyNorm] = [norms?.query, norms?.key].map(norm => norm && values(norm));
        const head = (row: number, index: number, weight?: Float32Array) => {
          const start = (row * (heads + 2 * keyHeads) + index) * w;
          const v = [...given.subarray(start, start + w)];
          if (!weight) return v;
          const r = 1 / Math.sqrt(v.reduce((sum, a) => sum + a * a, 0) / w + 1e-6);
          return v.map((a, d) => a * r * weight[d]!);
        };
        const turn = (v: number[], row: number) => {
          if (!turned) return v;
          const half = frequencies.length;
          const out = v.slice();
          for (let j = 0; j < half; j++) {
            const angle = Math.fround(at[row]! * frequencies[j]!);
            out[j] = v[j]! * Math.cos(angle) - v[half + j]! * Math.sin(angle);
            out[half + j] = v[half + j]! * Math.cos(angle) + v[j]! * Math.sin(angle);
          }
          return out;
        };
        const before = [keys, cached].map(t => values(t!).slice()) as [Float32Array, Float32Array];
        const expected = new Float64Array(rows * heads * w);
        const fresh = at.map((_, row) =>
          Array.from({ length: keyHeads }, (_, h) => ({
            key: turn(head(row, heads + h, keyNorm), row),
            value: head(row, heads + keyHeads + h),
          })),
        );
        at.forEach((position, row) => {
          for (let h = 0; h < heads; h++) {
            const lane = row * keyHeads + Math.floor((h * keyHeads) / heads);
            const q = turn(head(row, h, queryNorm), row).map(a => a * scale);
            const own = fresh[row]![lane % keyHeads]!;
            const first = window > 0 ? Math.max(0, position - window + 1) : 0;
            const of = (j: number, which: 0 | 1) =>
              j === position
                ? which
                  ? own.value
                  : own.key
                : before[which].subarray((lane * slots + j) * w, (lane * slots + j + 1) * w);
            const scores = Array.from({ length: position - first + 1 }, (_, j) =>
              q.reduce((sum, a, d) => sum + a * of(first + j, 0)[d]!, 0),
            );
            const most = Math.max(...scores);
            const p = scores.map(s => Math.exp(s - most));
            const sum = p.reduce((a, b) => a + b);
            p.forEach((e, j) => {
              for (let d = 0; d < w; d++) expected[(row * heads + h) * w + d]! += (e / sum) * of(first + j, 1)[d]!;
            });
          }
        });

        const shape = { heads, keyHeads, window };
        const y = ops.attention(x, keys!, cached!, positions, { ...shape, scale, norms, rotation: table });
        expect(off(values(y), expected)).toBeLessThan(5e-6);
        // The slots of the new tokens have their keys and values, and no other slot has changed.
        at.forEach((position, row) => {
          fresh[row]!.forEach(({ key, value }, h) => {
            const start = ((row * keyHeads + h) * slots + position) * w;
            before[0].set(key, start);
            before[1].set(value, start);
          });
        });
        expect(off(values(keys!), before[0])).toBeLessThan(5e-6);
        expect(values(cached!)).toEqual(before[1]);
        const unnormed = { ...shape, scale, rotation: table };
        const beyond = tf.fill([rows], slots, 'int32') as tf.Tensor1D;
        expect(() => ops.attention(x, keys!, cached!, beyond, unnormed)).toThrow(/do not fit/);
        table?.dispose();
      });
    },
  );

  it('attention of a row has the same bits whatever rows stand beside it', () => {
    tf.tidy(() => {
      const [rows, heads, w, slots] = [5, 6, 32, 600];
      const q = draw([rows, heads * w], 'q');
      const [keys, cached] = ['keys', 'values'].map(seed => draw<tf.Rank.R3>([rows * 2, slots, w], seed));
      const at = [599, 3, 255, 256, 300];
      const options = { heads, keyHeads: 2 };
      const all = cachedAttention(q, keys!, cached!, tf.tensor1d(at, 'int32'), options)!.out;
      at.forEach((position, row) => {
        const lanes = (x: tf.Tensor3D) => tf.slice(x, [row * 2, 0, 0], [2, slots, w]) as tf.Tensor3D;
        const own = tf.tensor1d([position], 'int32');
        const alone = cachedAttention(tf.slice(q, [row, 0], [1, heads * w]), lanes(keys!), lanes(cached!), own, options)!.out;
        expect(values(alone)).toEqual(values(tf.slice(all, [row, 0], [1, heads * w])));
      });
    });
  });
});
