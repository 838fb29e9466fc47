import { existsSync, readFileSync } from 'node:fs';
import { inspect } from './install/cache.js';

/** Whether NVIDIA's driver is on this machine, and why not. Looks at the kernel's files only: nothing is loaded. */
export function nvidiaDriver(root = ''): { version: string } | { missing: string } {
  try {
    const text = readFileSync(`${root}/proc/driver/nvidia/version`, 'utf8');
    return { version: /Kernel Module\s+(?:for \S+\s+)?([\d.]+)/.exec(text)?.[1] ?? 'unknown' };
  } catch {
    // WSL has no such file; its driver shows as a library and a device.
    if (existsSync(`${root}/dev/dxg`) && existsSync(`${root}/usr/lib/wsl/lib/libcuda.so.1`)) return { version: 'WSL' };
    return { missing: 'no NVIDIA driver is loaded (/proc/driver/nvidia is absent)' };
  }
}

/** One line on why TensorFlow's CUDA build in `folder` sees no GPU. */
export function whyNoGpu(folder: string): string {
  const driver = nvidiaDriver();
  if ('missing' in driver) return driver.missing;
  const manifest = inspect(folder);
  if (typeof manifest !== 'string' && !manifest.cudaLibraries) {
    return 'it was installed without the CUDA libraries: tunebook backend install cuda --force';
  }
  return `TensorFlow finds no usable GPU with driver ${driver.version} (CUDA_VISIBLE_DEVICES hiding it, or a driver older than 525?); TF_CPP_MIN_LOG_LEVEL=0 shows its own words`;
}
