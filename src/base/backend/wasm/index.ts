import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { Unavailable } from '../../core/index.js';
import { tfjs } from '../gradients.js';
import type { BackendInfo } from '../types.js';
import { registerWasmKernels } from './kernels.js';

const require = createRequire(import.meta.url);

/** Start the wasm backend, with the kernels it lacks or does badly put right. One thread. */
export async function useWasm(reason: string): Promise<BackendInfo> {
  const tf = tfjs();
  const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(folder: string): void; version_wasm: string };
  wasm.setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  registerWasmKernels();
  if (!(await tf.setBackend('wasm')))
    throw new Unavailable({
      problem: 'tfjs could not start WebAssembly',
      fix: 'use the cpu backend, or another version of Node (20, 22, 24)',
    });
  return { name: 'wasm', tfjsName: 'wasm', reason, version: wasm.version_wasm, details: ['WebAssembly with SIMD, one thread'] };
}
