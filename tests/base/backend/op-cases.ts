import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../../../src/base/core/index.js';

type T = tf.Tensor;
/** One op on given inputs. `inputs` makes plain arrays, so that every backend gets the same numbers. */
export interface OpCase {
  name: string;
  inputs: { shape: number[]; values: number[]; dtype: 'float32' | 'int32' | 'bool' }[];
  run(...inputs: T[]): T;
  /** False where the op has no gradient (or none is needed): outputs of indices and comparisons. */
  gradient: boolean;
}

/** Every op that training uses, with shapes drawn from `random`: sizes 1 to 7, so that broadcasting and odd sizes both come up. */
export function opCases(random: Random): OpCase[] {
  const cases: OpCase[] = [];
  const n = () => 1 + random.int(7);
  const floats = (shape: number[], draw = () => random.normal()) => ({
    shape,
    values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw),
    dtype: 'float32' as const,
  });
  const positive = (shape: number[]) => floats(shape, () => 0.2 + 2 * random.next());
  const ints = (shape: number[], below: number) => ({ ...floats(shape, () => random.int(below)), dtype: 'int32' as const });
  const bools = (shape: number[]) => ({ ...floats(shape, () => random.int(2)), dtype: 'bool' as const });
  const add = (name: string, inputs: OpCase['inputs'], run: OpCase['run'], gradient = true) =>
    cases.push({ name, inputs, run, gradient });
  const [a, b, c, d] = [n(), n() + 1, n(), n() + 1];

  for (const [ta, tb] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    const left = ta ? [b, a] : [a, b];
    const right = tb ? [c, b] : [b, c];
    const which = `${ta ? 'T' : 'N'}${tb ? 'T' : 'N'}`;
    add(`matMul ${which}`, [floats(left), floats(right)], (x, y) => tf.matMul(x!, y!, ta, tb));
    add(`matMul batched ${which}`, [floats([d, ...left]), floats([d, ...right])], (x, y) => tf.matMul(x!, y!, ta, tb));
    add(`matMul 4-D ${which}`, [floats([2, d, ...left]), floats([2, d, ...right])], (x, y) => tf.matMul(x!, y!, ta, tb));
    // tfjs has no gradient for a broadcast batch.
    add(
      `matMul shared right ${which}`,
      [floats([d, ...left]), floats([1, ...right])],
      (x, y) => tf.matMul(x!, y!, ta, tb),
      false,
    );
    add(`matMul shared left ${which}`, [floats([1, ...left]), floats([d, ...right])], (x, y) => tf.matMul(x!, y!, ta, tb), false);
  }
  add('matMul 64×48×80', [floats([64, 48]), floats([48, 80])], (x, y) => tf.matMul(x!, y!));
  add('fused.matMul bias relu', [floats([a, b]), floats([b, c]), floats([c])], (x, y, z) =>
    tf.fused.matMul({ a: x as tf.Tensor2D, b: y as tf.Tensor2D, bias: z!, activation: 'relu' }),
  );

  add('gather', [floats([b, c]), ints([d], b)], (x, i) => tf.gather(x!, i as tf.Tensor1D));
  add('gather repeated', [floats([b, c]), ints([2, 9], b)], (x, i) => tf.gather(x!, i as tf.Tensor2D));
  add('gather axis 1', [floats([a, b, c]), ints([d], b)], (x, i) => tf.gather(x!, i as tf.Tensor1D, 1));
  add('unsortedSegmentSum', [floats([9, c]), ints([9], 4)], (x, i) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 4));
  add('oneHot float', [ints([b], 5)], i => tf.oneHot(i!, 5, 1, 0, 'float32'), false);
  add('oneHot label smoothing', [ints([a, b], 5)], i => tf.oneHot(i!, 5, 0.9, 0.025, 'float32'), false);
  add('oneHot int', [ints([b], 5)], i => tf.oneHot(i!, 5), false);

  add('softmax', [floats([a, b, d])], x => tf.softmax(x!));
  add('softmax large', [floats([a, d], () => 60 * random.normal())], x => tf.softmax(x!));
  add('logSoftmax', [floats([a, d])], x => tf.logSoftmax(x!));
  add('logSumExp', [floats([a, b, d])], x => tf.logSumExp(x!, 2));

  for (const name of ['exp', 'sigmoid', 'tanh', 'erf', 'square', 'neg', 'sin', 'cos', 'softplus', 'relu', 'elu'] as const) {
    add(name, [floats([a, b])], x => tf[name](x!));
  }
  for (const name of ['log', 'sqrt', 'rsqrt', 'reciprocal', 'log1p'] as const) add(name, [positive([a, b])], x => tf[name](x!));
  add('abs', [floats([a, b])], x => tf.abs(x!));
  add('silu', [floats([a, b])], x => tf.mul(x!, tf.sigmoid(x!)));
  add('gelu', [floats([a, b])], x => tf.mul(tf.mul(x!, 0.5), tf.add(1, tf.erf(tf.div(x!, Math.SQRT2)))));
  add('pow', [positive([a, b]), floats([a, b])], (x, y) => tf.pow(x!, y!));
  add('clipByValue', [floats([a, b])], x => tf.clipByValue(x!, -0.5, 0.7));

  for (const name of ['add', 'sub', 'mul', 'maximum', 'minimum', 'squaredDifference'] as const) {
    add(name, [floats([a, b]), floats([a, b])], (x, y) => tf[name](x!, y!));
    // tfjs reduces a broadcast gradient only for the arithmetic ones.
    const reduces = name === 'add' || name === 'sub' || name === 'mul';
    add(`${name} row`, [floats([a, b]), floats([b])], (x, y) => tf[name](x!, y!), reduces);
    add(`${name} both ways`, [floats([a, 1, c]), floats([b, 1])], (x, y) => tf[name](x!, y!), reduces);
    add(`${name} scalar`, [floats([a, b]), floats([])], (x, y) => tf[name](x!, y!), reduces);
  }
  add('div', [floats([a, b]), positive([a, b])], (x, y) => tf.div(x!, y!));
  add('div broadcast', [floats([a, b]), positive([a, 1])], (x, y) => tf.div(x!, y!));
  add('addN', [floats([a, b]), floats([a, b]), floats([a, b])], (x, y, z) => tf.addN([x!, y!, z!]));

  const reduce = [floats([a, b, c])];
  for (const name of ['sum', 'mean', 'max', 'min'] as const) {
    add(`${name} all`, reduce, x => tf[name](x!));
    add(`${name} axis 0`, reduce, x => tf[name](x!, 0));
    add(`${name} last kept`, reduce, x => tf[name](x!, -1, true));
    add(`${name} axes 0 2`, reduce, x => tf[name](x!, [0, 2]));
  }
  add('sum int', [ints([a, b], 100)], x => tf.sum(x!, 1), false);
  add('mean of squares', [floats([a, b])], x => tf.mean(tf.square(x!), -1, true));
  add('cumsum', [floats([a, d])], x => tf.cumsum(x!, 1));
  // tfjs's own gradient of cumsum along another axis has the wrong shape.
  add('cumsum exclusive reverse', [floats([d, a])], x => tf.cumsum(x!, 0, true, true), false);
  add('norm', [floats([a, b])], x => tf.norm(x!));

  add('transpose', [floats([a, b, c])], x => tf.transpose(x!, [2, 0, 1]));
  add('transpose heads', [floats([2, a, b, c])], x => tf.transpose(x!, [0, 2, 1, 3]));
  add('reshape', [floats([a, b, c])], x => tf.reshape(x!, [a * c, b]));
  add('expandDims squeeze', [floats([a, b])], x => tf.squeeze(tf.expandDims(x!, 1), [1]));
  add('slice', [floats([a + 2, b + 2])], x => tf.slice(x!, [1, 2], [a, b]));
  add('stridedSlice', [floats([7, 5])], x => tf.stridedSlice(x!, [1, 0], [7, 5], [2, 3]), false);
  add('concat', [floats([a, b]), floats([a, c])], (x, y) => tf.concat([x!, y!], 1));
  add('concat rows', [floats([b, a]), floats([c, a])], (x, y) => tf.concat([x!, y!], 0));
  add('stack', [floats([a, b]), floats([a, b])], (x, y) => tf.stack([x!, y!], 1));
  add('unstack', [floats([3, a])], x => tf.addN(tf.unstack(x!, 0).map((part, i) => tf.mul(part, i + 1))));
  add('split', [floats([a, 2 * c])], x => {
    const [left, right] = tf.split(x!, 2, 1);
    return tf.mul(left!, right!);
  });
  add('split uneven', [floats([a, c + 3])], x => tf.split(x!, [c, 3], 1)[1]!);
  add('pad', [floats([a, b])], x =>
    tf.pad(
      x!,
      [
        [1, 2],
        [0, 3],
      ],
      0.5,
    ),
  );
  add('tile', [floats([a, b])], x => tf.tile(x!, [2, 3]));
  add('broadcastTo', [floats([a, 1])], x => tf.broadcastTo(x!, [a, b]));
  add('reverse', [floats([a, b])], x => tf.reverse(x!, 1), true);
  add('where', [bools([a, b]), floats([a, b]), floats([a, b])], (w, x, y) => tf.where(w!, x!, y!));
  add('where mask', [bools([a, 1]), floats([a, b])], (w, x) =>
    tf.where(tf.broadcastTo(tf.cast(w!, 'bool'), [a, b]), x!, tf.fill([a, b], -1e9)),
  );
  add('scatter add by matMul', [floats([6, c]), ints([6], 4)], (x, i) => tf.matMul(tf.oneHot(i!, 4, 1, 0, 'float32'), x!, true));
  add('causal mask', [floats([d, d])], x =>
    tf.softmax(tf.add(x!, tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([d, d]), -1, 0)), -1e9))),
  );

  add('cast float to int', [floats([a, b], () => 9 * random.normal())], x => tf.cast(x!, 'int32'), false);
  add('cast int to float', [ints([a, b], 9)], x => tf.cast(x!, 'float32'), false);
  add('cast bool to float', [bools([a, b])], x => tf.cast(x!, 'float32'), false);
  for (const name of ['greater', 'greaterEqual', 'less', 'lessEqual', 'equal', 'notEqual'] as const) {
    add(name, [ints([a, b], 3), ints([b], 3)], (x, y) => tf[name](x!, y!), false);
  }
  add('logicalAnd', [bools([a, b]), bools([a, b])], (x, y) => tf.logicalAnd(x!, y!), false);
  add('logicalNot', [bools([a, b])], x => tf.logicalNot(x!), false);
  add('argMax', [floats([a, d])], x => tf.argMax(x!, -1), false);
  add('topk values', [floats([a, 7])], x => tf.topk(x!, 3).values, false);
  add('topk indices', [floats([a, 7])], x => tf.topk(x!, 3).indices, false);
  add('range', [], () => tf.range(0, 9, 1, 'int32'), false);
  add('gatherND', [floats([a, b]), ints([4, 2], 1)], (x, i) => tf.gatherND(x!, i as tf.Tensor2D), false);
  add('isNaN', [floats([a, b])], x => tf.isNaN(tf.sqrt(x!)), false);

  // Attention and cross entropy as a decoder composes them.
  const heads = [floats([2, a, d, 4]), floats([2, a, d, 4]), floats([2, a, d, 4])];
  add('attention', heads, (q, k, v) => tf.matMul(tf.softmax(tf.mul(tf.matMul(q!, k!, false, true), 0.5)), v!));
  add('cross entropy', [floats([d, 6]), ints([d], 6)], (x, i) =>
    tf.neg(tf.sum(tf.mul(tf.oneHot(i!, 6, 1, 0, 'float32'), tf.logSoftmax(x!)))),
  );
  add('rms norm', [floats([a, d]), floats([d])], (x, w) =>
    tf.mul(tf.mul(x!, tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), 1e-5))), w!),
  );
  return cases;
}
