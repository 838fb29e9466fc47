import * as backend from '../../../src/base/backend/index.js';

/** Backends to run a test on: those named that work here; says which are left out and why. */
export async function workingBackends(...names: backend.BackendName[]): Promise<backend.BackendName[]> {
  const working: backend.BackendName[] = [];
  for (const name of names) {
    try {
      await backend.use(name);
      working.push(name);
    } catch (error) {
      console.warn(`left out: the ${name} backend does not work here: ${(error as Error).message}`);
    }
  }
  return working;
}

/** Tensors alive and bytes held, TensorFlow's resources included; equal before and after whatever must not leak. */
export function footprint(): { tensors: number; bytes: number } {
  const { tensors, bytes } = backend.memory();
  return { tensors, bytes };
}
