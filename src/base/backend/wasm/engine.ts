import type * as Tf from '@tensorflow/tfjs-core';

/** What of tfjs-backend-wasm our kernels reach into. Memory grows, so views on `HEAPU8.buffer` are made after allocations. */
export interface WasmBackend {
  wasm: {
    HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _BatchMatMul(...args: number[]): void;
    tfjs: { registerTensor(id: number, size: number, offset: number): void; disposeData(id: number): void };
  };
  dataIdMap: { get(dataId: object): { id: number; memoryOffset: number; shape: number[] } };
  dataIdNextNumber: number;
  makeOutput(shape: number[], dtype: Tf.DataType): Tf.TensorInfo;
  disposeData(dataId: object): boolean;
  typedArrayFromHeap(tensor: Tf.TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** The arguments tfjs gives a kernel, typed for ours. */
export interface KernelCall<I extends string, A> {
  inputs: Record<I, Tf.TensorInfo>;
  backend: WasmBackend;
  attrs: A;
}
