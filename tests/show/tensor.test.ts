import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleOf, tensor, toFigure, VEGALITE_MIME } from '../../src/show/index.js';

const facts = (shape: number[], dtype = 'float32') => ({
  shape,
  dtype,
  size: shape.reduce((a, b) => a * b, 1),
  isDisposed: false,
});
const cellsOf = (figure: { spec?: unknown }) =>
  (figure.spec as { data: { values: { row: number; column: number; value: number | null; bad: number }[] } }).data.values;

beforeAll(() => tf.setBackend('cpu'));

describe('tensor', () => {
  it('says shape, dtype, range and what is not finite', () => {
    const it = tensor(facts([2, 3]), Float32Array.of(1, -2, 3, Number.NaN, Number.POSITIVE_INFINITY, 2));
    expect(it.alt).toBe('Tensor [2, 3] float32: −2 … 3, mean 1, std 1.871, 1 NaN, 1 infinite.');
    expect(it.text).toBe(`${it.alt}\n1, −2, 3, NaN, ∞, 2`);
    expect(cellsOf(it)).toEqual([
      { row: 0, column: 0, value: 1, bad: 0 },
      { row: 0, column: 1, value: -2, bad: 0 },
      { row: 0, column: 2, value: 3, bad: 0 },
      { row: 1, column: 0, value: null, bad: 1 },
      { row: 1, column: 1, value: null, bad: 1 },
      { row: 1, column: 2, value: 2, bad: 0 },
    ]);
    expect(tensor(facts([2, 3]), Float32Array.of(1, -2, 3, Number.NaN, Number.POSITIVE_INFINITY, 2))).toEqual(it);
  });

  it('draws a large matrix in blocks, and of more axes the first slice', () => {
    const values = Float32Array.from({ length: 100 * 200 }, (_, i) => i);
    const cells = cellsOf(tensor(facts([100, 200]), values));
    expect(cells).toHaveLength(20 * 40);
    // Rows 0–4, columns 0–4.
    expect(cells[0]).toEqual({ row: 0, column: 0, value: 402, bad: 0 });
    const sliced = tensor(
      facts([3, 2, 2]),
      Float32Array.from({ length: 12 }, (_, i) => i),
    );
    expect(cellsOf(sliced).map(cell => cell.value)).toEqual([0, 1, 2, 3]);
    expect(JSON.stringify(sliced.spec!.title)).toContain('the slice [0]');
  });

  it('has words where there is no picture', () => {
    const text = (...parts: Parameters<typeof tensor>) => {
      const figure = tensor(...parts);
      expect(figure.spec).toBeUndefined();
      return figure.text;
    };
    expect(text(facts([]), [3.5])).toBe('Tensor [] float32: 3.5');
    expect(text(facts([0, 4]))).toBe('Tensor [0, 4] float32: empty');
    expect(text(facts([2], 'string'), ['<b>', 'x'.repeat(1 << 20)])).toMatch(/^Tensor \[2\] string: "<b>", "x{60}…/);
    expect(text({ ...facts([2]), isDisposed: true })).toBe(
      'Tensor [2] float32: disposed: its memory was freed, its values are gone',
    );
    expect(text(facts([1 << 13, 1 << 13]))).toBe('Tensor [8192, 8192] float32: 67,108,864 values, too many to be looked at here');
  });

  it('shows tfjs tensors, and keeps none', async () => {
    const value = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    const before = tf.memory().numTensors;
    const bundle = (await bundleOf(value))!;
    expect(bundle[VEGALITE_MIME]).toMatchObject({ title: { text: 'Tensor [2, 2] float32' } });
    expect(bundle['image/png']).toEqual(expect.any(String));
    expect(bundle['text/plain']).toContain('1 … 4, mean 2.5');
    expect(toFigure(value)!.text).toBe(bundle['text/plain']);
    const pair = tf.complex([1, 2], [3, 4]);
    expect((await bundleOf(pair))!['text/plain']).toBe('Tensor [2] complex64: 1, 3, 2, 4 (real, imaginary, real, …)');
    pair.dispose();
    const bools = tf.tensor1d([true, false], 'bool');
    expect((await bundleOf(bools))!['text/plain']).toContain('Tensor [2] bool: 0 … 1');
    bools.dispose();
    expect(tf.memory().numTensors).toBe(before);
    value.dispose();
    expect((await bundleOf(value))!['text/plain']).toContain('disposed');
  });

  it('shows a parameter by its name, and frees what it read', async () => {
    const before = tf.memory().numTensors;
    const parameter = {
      name: 'lm_head.weight',
      shape: [2],
      trainable: true,
      read: () => tf.tensor1d([1, 2]),
      write: () => undefined,
    };
    expect((await bundleOf(parameter))!['text/plain']).toContain('lm_head.weight [2] float32: 1 … 2');
    expect(tf.memory().numTensors).toBe(before);
  });
});
