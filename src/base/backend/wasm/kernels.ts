import type * as Tf from '@tensorflow/tfjs-core';
import { tfjs } from '../gradients.js';
import type { KernelCall } from './engine.js';
import { batchMatMul, type MatMulAttrs, run } from './matmul.js';
import { reductions } from './reductions.js';

/** Sum of the rows of x [n, ...] that share a segment id → [numSegments, ...]; the gradient of gather, absent from the package. */
function unsortedSegmentSum({ inputs, backend, attrs }: KernelCall<'x' | 'segmentIds', { numSegments: number }>): Tf.TensorInfo {
  const { x, segmentIds } = inputs;
  const { util } = tfjs();
  util.assert(x.dtype === 'float32' || x.dtype === 'int32', () => `unsortedSegmentSum on wasm needs numbers, found ${x.dtype}`);
  // Ids of rank r cover the first r axes of x.
  const inner = x.shape.slice(segmentIds.shape.length);
  const width = util.sizeFromShape(inner);
  const out = backend.makeOutput([attrs.numSegments, ...inner], x.dtype);
  // Views last: making the output may have moved the memory.
  const sums = backend.typedArrayFromHeap(out).fill(0);
  const values = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  for (let row = 0; row < ids.length; row++) {
    const segment = ids[row]!;
    // TensorFlow drops ids outside the range.
    if (segment < 0 || segment >= attrs.numSegments) continue;
    for (let i = 0, to = segment * width, from = row * width; i < width; i++) sums[to + i]! += values[from + i]!;
  }
  return out;
}

interface OneHotAttrs {
  dtype?: Tf.DataType;
  depth: number;
  onValue: number;
  offValue: number;
}

/** One-hot rows. The package's kernel writes integer bits into float32 outputs: 1 became 1.4e-45, a silently wrong loss. */
function oneHot({ inputs, backend, attrs }: KernelCall<'indices', OneHotAttrs>): Tf.TensorInfo {
  const { indices } = inputs;
  const { dtype = 'int32', depth, onValue, offValue } = attrs;
  const out = backend.makeOutput([...indices.shape, depth], dtype);
  const values = backend.typedArrayFromHeap(out).fill(offValue);
  backend.typedArrayFromHeap(indices).forEach((index, row) => {
    if (index >= 0 && index < depth) values[row * depth + index] = onValue;
  });
  return out;
}

interface FusedAttrs extends MatMulAttrs {
  activation?: string;
  leakyreluAlpha?: number;
}

const ACTIVATIONS: Record<string, string> = {
  relu: 'Relu',
  relu6: 'Relu6',
  sigmoid: 'Sigmoid',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
};

/** Matrix product + bias + activation (what tfjs-layers' dense uses), on the product above. */
function fusedMatMul({
  inputs,
  backend,
  attrs,
}: KernelCall<'a' | 'b' | 'bias' | 'preluActivationWeights', FusedAttrs>): Tf.TensorInfo {
  const { bias, preluActivationWeights } = inputs as Partial<typeof inputs>;
  const { activation = 'linear', leakyreluAlpha } = attrs;
  let result = batchMatMul({ inputs, backend, attrs });
  const then = (next: Tf.TensorInfo) => {
    backend.disposeData(result.dataId);
    result = next;
  };
  if (bias) then(run('Add', backend, { a: result, b: bias }));
  if (activation === 'linear') return result;
  const kernel = ACTIVATIONS[activation];
  if (!kernel) throw new Error(`fused matMul on wasm does not know the activation ${activation}`);
  const operands: Record<string, Tf.TensorInfo> =
    activation === 'prelu' ? { x: result, alpha: preluActivationWeights! } : { x: result };
  then(run(kernel, backend, operands, activation === 'leakyrelu' ? { alpha: leakyreluAlpha } : {}));
  return result;
}

const KERNELS: Record<string, unknown> = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  OneHot: oneHot,
  UnsortedSegmentSum: unsortedSegmentSum,
};

/** Put our kernels in the place of the package's. Idempotent; acts for tensors of every user of tfjs in this process. */
export function registerWasmKernels(): void {
  const { getKernel, registerKernel, unregisterKernel } = tfjs();
  const ours = Object.entries(KERNELS).map(
    ([kernelName, kernelFunc]): Tf.KernelConfig => ({ kernelName, backendName: 'wasm', kernelFunc: kernelFunc as Tf.KernelFunc }),
  );
  for (const config of [...ours, ...reductions()]) {
    if (getKernel(config.kernelName, 'wasm')) unregisterKernel(config.kernelName, 'wasm');
    registerKernel(config);
  }
}
