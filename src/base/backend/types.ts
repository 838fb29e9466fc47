/** The engines tensors can be computed on, best first: what `use('auto')` tries in this order. */
export type BackendName = 'cuda' | 'native' | 'webgpu' | 'wasm' | 'cpu';

/** Order of preference of `use('auto')`. `cpu` (plain JavaScript) is an oracle rather than an engine. */
export const BACKENDS: readonly BackendName[] = ['cuda', 'native', 'webgpu', 'wasm', 'cpu'];

/** The backend in use and why it is this one. */
export interface BackendInfo {
  name: BackendName;
  /** Name under which tfjs knows it: 'tensorflow' for native and cuda. */
  tfjsName: string;
  /** Why this backend: asked for, `TUNEBOOK_BACKEND`, or the best that works here (and why better ones do not). */
  reason: string;
  /** Version of the engine below: TensorFlow's for native and cuda, the tfjs package's elsewhere. */
  version?: string;
  /** More to know, one line each: the GPU seen, the library's folder, threads. */
  details: string[];
}

/** One row of the probe table. */
export interface BackendStatus {
  name: BackendName;
  /** True when a smoke computation (matmul and gradient) came out right. */
  works: boolean;
  /** Why it works or does not, one line. */
  reason: string;
  /** What to do to get it; undefined when it works or cannot be had here. */
  remedy?: string;
  version?: string;
  details: string[];
}
