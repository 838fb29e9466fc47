import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BackendName, use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import { missing } from './need.js';
import { type OpCase, opCases } from './op-cases.js';

// A process holds one TensorFlow build: cuda has a run of its own (TUNEBOOK_PARITY=cuda).
const names = (process.env.TUNEBOOK_PARITY?.split(',') ?? ['native', 'wasm', 'webgpu']) as BackendName[];
const cases = [1, 2, 3].flatMap(seed =>
  opCases(new Random(`parity/${seed}`)).map(op => ({ ...op, name: `${op.name} #${seed}` })),
);

interface Outcome {
  shape: number[];
  dtype: string;
  value: number[];
  gradients: number[][];
}

/** The op's output, and the gradient of a weighted sum of it with respect to every float input. */
async function outcome(op: OpCase): Promise<Outcome> {
  const before = tf.memory().numTensors;
  const inputs = op.inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
  const output = tf.tidy(() => op.run(...inputs));
  const value = Array.from(await output.data());
  const { shape, dtype } = output;
  output.dispose();
  const gradients: number[][] = [];
  if (op.gradient) {
    const floats = inputs.filter(t => t.dtype === 'float32');
    const loss = (...variables: tf.Tensor[]) => {
      const all = inputs.map(t => variables[floats.indexOf(t)] ?? t);
      const out = op.run(...all);
      const weights = tf.tensor(
        Array.from({ length: out.size }, (_, i) => Math.cos(i)),
        out.shape,
      );
      return tf.sum(tf.mul(out, weights));
    };
    const grads = tf.tidy(() => tf.grads(loss)(floats));
    for (const grad of grads) gradients.push(Array.from(await grad.data()));
    tf.dispose(grads);
  }
  tf.dispose(inputs);
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  return { shape, dtype, value, gradients };
}

function close(found: readonly number[], expected: readonly number[], what: string): void {
  expect(found.length, `${what}: size`).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs).filter(Number.isFinite));
  found.forEach((value, i) => {
    const same = Object.is(value, expected[i]) || Math.abs(value - expected[i]!) <= 2e-5 * scale;
    if (!same) expect.fail(`${what}[${i}]: ${value} instead of ${expected[i]}`);
  });
}

const reference = new Map<string, Outcome>();
const reasons = new Map<BackendName, string | undefined>();
for (const name of names) reasons.set(name, await missing(name));

beforeAll(async () => {
  await use('cpu');
  const failed: string[] = [];
  for (const op of cases) {
    await outcome(op).then(
      result => reference.set(op.name, result),
      error => failed.push(`${op.name}: ${(error as Error).message}`),
    );
  }
  expect(failed, 'ops that cpu itself cannot do').toEqual([]);
});

test('the reference is right where it can be worked out by hand', async () => {
  await use('cpu');
  const relu: OpCase = {
    name: 'relu',
    inputs: [{ shape: [3], values: [-1, 0.5, 2], dtype: 'float32' }],
    run: x => tf.relu(x!),
    gradient: true,
  };
  const { value, gradients } = await outcome(relu);
  close(value, [0, 0.5, 2], 'value');
  close(gradients[0]!, [0, Math.cos(1), Math.cos(2)], 'gradient');
});

for (const name of names) {
  const reason = reasons.get(name);
  if (reason) {
    test.skip(`${name}: ${reason}`, () => {});
    continue;
  }
  describe(`${name} agrees with cpu`, () => {
    beforeAll(async () => {
      await use(name);
    });
    test.each(cases.map(op => [op.name, op] as const))('%s', async (_, op) => {
      const expected = reference.get(op.name)!;
      const found = await outcome(op);
      expect(found.shape).toEqual(expected.shape);
      expect(found.dtype).toBe(expected.dtype);
      close(found.value, expected.value, 'output');
      found.gradients.forEach((gradient, i) => {
        close(gradient, expected.gradients[i]!, `gradient ${i}`);
      });
    });
  });
}

afterAll(async () => {
  await use('cpu');
});
