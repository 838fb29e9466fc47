import { nvidiaDriver } from '../gpu.js';
import { inspect, verify } from './cache.js';
import { installFusedKernels } from './fused.js';
import { type Installed, type InstallOptions, install } from './install.js';
import { recipeFor } from './recipe.js';
import { installSignals } from './signals.js';

export { cacheRoot } from './cache.js';
export { fusedKernelsPath } from './fused.js';
export type { Installed, InstallOptions } from './install.js';

/**
 * Install the native backend (TensorFlow for the CPU, 274 MB to download, once per user). No-op when it is there.
 * Throws `Unavailable` where it cannot be had (no compiler, Python, network or disk), with what to do.
 */
export async function installNative(options: InstallOptions = {}): Promise<Installed> {
  const recipe = recipeFor('native');
  const installed = await install(recipe, options);
  await installSignals();
  try {
    if (await installFusedKernels(recipe)) options.onStep?.('compiled the fused kernels');
  } catch (error) {
    // Without them everything works, at two thirds of the speed.
    options.onStep?.(
      `the fused kernels could not be compiled (${(error as Error).message.split('\n')[0]}): training will be slower`,
    );
  }
  return installed;
}

/**
 * Install the cuda backend (TensorFlow's CUDA 12 build: 572 MB, and 3 GB of NVIDIA's libraries from PyPI).
 * @param options.cudaLibraries whether to fetch NVIDIA's libraries; by default only where an NVIDIA driver is loaded.
 */
export async function installCuda(options: InstallOptions & { cudaLibraries?: boolean } = {}): Promise<Installed> {
  const driver = nvidiaDriver();
  const libraries = options.cudaLibraries ?? 'version' in driver;
  if (!libraries)
    options.onStep?.(
      `NVIDIA's libraries are left out (${'missing' in driver ? driver.missing : 'as asked'}): it will compute on the CPU`,
    );
  const installed = await install(recipeFor('cuda', undefined, { cudaLibraries: libraries }), options);
  await installSignals();
  return installed;
}

/**
 * Check every byte of an installation against the SHA-256 recorded when it was made (a second or two).
 * Undefined when it is whole or not installed, else what is wrong.
 */
export async function verifyInstalled(
  kind: 'native' | 'cuda',
  onBytes?: (done: number, total: number) => void,
): Promise<string | undefined> {
  const { folder } = recipeFor(kind);
  return inspect(folder) === 'absent' ? undefined : verify(folder, onBytes);
}
