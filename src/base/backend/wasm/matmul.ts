import type * as Tf from '@tensorflow/tfjs-core';
import { tfjs } from '../gradients.js';
import type { KernelCall, WasmBackend } from './engine.js';

/** op(a) · op(b), as tfjs's BatchMatMul. */
export interface MatMulAttrs {
  transposeA: boolean;
  transposeB: boolean;
}

/**
 * Batched matrix product [..., M, K] · [..., K, N] with broadcasting batches. The package's own kernel calls XNNPACK only for one untransposed
 * product and is a scalar loop otherwise (0.4–1.7 GFLOP/s against 23). Here transposes are materialised, and every slice of a batch
 * is shown to the kernel as a tensor of its own: an id on an offset into the same memory, without a copy.
 */
export function batchMatMul({ inputs, backend, attrs }: KernelCall<'a' | 'b', MatMulAttrs>): Tf.TensorInfo {
  const { util, broadcast_util } = tfjs();
  const a = attrs.transposeA ? swapLastTwo(backend, inputs.a) : inputs.a;
  const b = attrs.transposeB ? swapLastTwo(backend, inputs.b) : inputs.b;
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [inner, n] = b.shape.slice(-2) as [number, number];
  util.assert(
    a.dtype === 'float32' && b.dtype === 'float32',
    () => `matMul on wasm needs float32, found ${a.dtype} and ${b.dtype}`,
  );
  util.assert(k === inner, () => `matMul: inner sizes differ: [${a.shape}] · [${b.shape}]`);
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const out = backend.makeOutput([...batch, m, n], 'float32');
  const count = util.sizeFromShape(batch);
  if (count * m * n > 0) {
    if (k === 0) backend.typedArrayFromHeap(out).fill(0);
    // One right-hand side for all: the batch is only more rows.
    else if (util.sizeFromShape(batchB) === 1) multiply(backend, a, b, out, [count * m, k, n], [0], [0]);
    else multiply(backend, a, b, out, [m, k, n], slices(batchA, batch), slices(batchB, batch));
  }
  if (a !== inputs.a) backend.disposeData(a.dataId);
  if (b !== inputs.b) backend.disposeData(b.dataId);
  return out;
}

/** out[i] = a[fromA[i]] · b[fromB[i]] for slices of M×K, K×N and M×N values. */
function multiply(
  backend: WasmBackend,
  a: Tf.TensorInfo,
  b: Tf.TensorInfo,
  out: Tf.TensorInfo,
  [m, k, n]: [number, number, number],
  fromA: readonly number[],
  fromB: readonly number[],
): void {
  const { wasm } = backend;
  const start = (t: Tf.TensorInfo) => backend.dataIdMap.get(t.dataId).memoryOffset;
  const [startA, startB, startOut] = [start(a), start(b), start(out)];
  const shapes = shapeBuffer(backend, [1, m, k, 1, k, n]);
  const ids = { a: new Map<number, number>(), b: new Map<number, number>() };
  const slice = (known: Map<number, number>, offset: number, size: number) => {
    let id = known.get(offset);
    if (id === undefined) {
      id = backend.dataIdNextNumber++;
      wasm.tfjs.registerTensor(id, size, offset);
      known.set(offset, id);
    }
    return id;
  };
  const outputs = new Map<number, number>();
  for (let i = 0; i < fromA.length; i++) {
    const idA = slice(ids.a, startA + fromA[i]! * m * k * 4, m * k);
    const idB = slice(ids.b, startB + fromB[i]! * k * n * 4, k * n);
    const idOut = slice(outputs, startOut + i * m * n * 4, m * n);
    wasm._BatchMatMul(idA, shapes, 3, idB, shapes + 12, 3, 0, 0, idOut);
  }
  // XNNPACK packs the right-hand side and keeps it by id: freeing the id frees the packed copy too.
  for (const known of [ids.a, ids.b, outputs]) for (const id of known.values()) wasm.tfjs.disposeData(id);
}

/** For each slice of the broadcast batch, which slice of a tensor with batch `shape` it reads. */
function slices(shape: readonly number[], batch: readonly number[]): number[] {
  const padded = [...new Array<number>(batch.length - shape.length).fill(1), ...shape];
  let index = [0];
  for (let axis = 0; axis < batch.length; axis++) {
    const size = padded[axis]!;
    index = index.flatMap(i => Array.from({ length: batch[axis]! }, (_, j) => i * size + (size === 1 ? 0 : j)));
  }
  return index;
}

function swapLastTwo(backend: WasmBackend, x: Tf.TensorInfo): Tf.TensorInfo {
  const rank = x.shape.length;
  const perm = [...Array(rank).keys()];
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return run('Transpose', backend, { x }, { perm });
}

/** Run another wasm kernel on tensor infos. */
export function run(
  name: string,
  backend: WasmBackend,
  inputs: Record<string, Tf.TensorInfo>,
  attrs: object = {},
): Tf.TensorInfo {
  const { kernelFunc } = tfjs().getKernel(name, 'wasm');
  return kernelFunc({ inputs, backend: backend as never, attrs: attrs as never }) as Tf.TensorInfo;
}

const buffers = new WeakMap<object, number>();

/** Six 32-bit integers at a fixed place in wasm memory: the two shapes, without cwrap's copying. */
function shapeBuffer(backend: WasmBackend, values: readonly number[]): number {
  let place = buffers.get(backend);
  if (place === undefined) {
    place = backend.wasm._malloc(24) >>> 0;
    buffers.set(backend, place);
  }
  new Int32Array(backend.wasm.HEAPU8.buffer, place, 6).set(values);
  return place;
}
