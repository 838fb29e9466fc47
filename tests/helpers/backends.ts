import { type BackendName, native, use } from '../../src/base/backend/index.js';
import { TunebookError } from '../../src/base/core/index.js';

/** A backend and whether this machine has it. */
export interface Usable {
  backend: BackendName;
  here: boolean;
}

/**
 * Which of these backends work here, for `describe.skipIf(!here)`; the reason of a skip is printed.
 * `TUNEBOOK_REQUIRE_NATIVE=1` (CI) makes a missing native backend a failure instead.
 */
export async function usable(...names: BackendName[]): Promise<Usable[]> {
  const found: Usable[] = [];
  for (const backend of names) {
    try {
      await use(backend);
      found.push({ backend, here: true });
    } catch (error) {
      if (!(error instanceof TunebookError) || (backend === 'native' && process.env.TUNEBOOK_REQUIRE_NATIVE === '1')) throw error;
      console.warn(`skipped on ${backend}: ${error.message}`);
      found.push({ backend, here: false });
    }
  }
  return found;
}

/** TensorFlow's and tfjs's own ops in place of our kernels. */
export function without<T>(work: () => T): T {
  const door = native()!;
  door.fused = false;
  try {
    return work();
  } finally {
    door.fused = true;
  }
}
