import type * as Tf from '@tensorflow/tfjs-core';
import { tfjs } from '../gradients.js';
import type { KernelCall } from './engine.js';

interface ReduceAttrs {
  axis?: number | number[];
  keepDims?: boolean;
}

type Reduction = (call: KernelCall<'x', ReduceAttrs>) => Tf.TensorInfo | Tf.TensorInfo[];

/** What a reduction over nothing gives, as TensorFlow has it. */
const OVER_NOTHING: Record<string, (dtype: Tf.DataType) => number> = {
  Sum: () => 0,
  Mean: () => Number.NaN,
  Prod: () => 1,
  Max: dtype => (dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY),
  Min: dtype => (dtype === 'int32' ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY),
  Any: () => 0,
  All: () => 1,
};

/** Ours: they are not put around themselves when the kernels are registered once more. */
const own = new WeakSet<object>();

/**
 * The package's reductions give what lay in memory when there is nothing to reduce: a term over no tokens was any number. These are theirs,
 * set up as theirs are, but for that.
 */
export function reductions(): Tf.KernelConfig[] {
  const { getKernel } = tfjs();
  const kernels: Tf.KernelConfig[] = [];
  for (const [name, value] of Object.entries(OVER_NOTHING)) {
    const config = getKernel(name, 'wasm');
    if (!config || own.has(config.kernelFunc)) continue;
    const theirs = config.kernelFunc as unknown as Reduction;
    const kernel: Reduction = call => (call.inputs.x.shape.includes(0) ? overNothing(name, value, call) : theirs(call));
    own.add(kernel);
    kernels.push({ ...config, kernelFunc: kernel as unknown as Tf.KernelFunc });
  }
  return kernels;
}

function overNothing(
  name: string,
  value: (dtype: Tf.DataType) => number,
  { inputs, backend, attrs }: KernelCall<'x', ReduceAttrs>,
): Tf.TensorInfo {
  const { util } = tfjs();
  const { shape, dtype } = inputs.x;
  const over = new Set(util.parseAxisParam(attrs.axis ?? shape.map((_, axis) => axis), shape));
  const left = attrs.keepDims
    ? shape.map((size, axis) => (over.has(axis) ? 1 : size))
    : shape.filter((_, axis) => !over.has(axis));
  const made = name === 'Mean' ? 'float32' : dtype;
  const out = backend.makeOutput(left, made);
  backend.typedArrayFromHeap(out).fill(value(made));
  return out;
}
