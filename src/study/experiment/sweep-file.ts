import { dirname, resolve } from 'node:path';
import { BadInput } from '../../base/core/index.js';
import { loadModule } from './load-module.js';
import type { SweepOptions } from './options.js';

/**
 * The options that a module exports (TypeScript or JavaScript; its default export, an object or a function that makes one). Its `trial`
 * and `folder` are taken from the module's place, so that it does not matter where a command is called.
 */
export async function readSweepFile(file: string): Promise<SweepOptions> {
  const { default: given } = await loadModule(file, 'sweep');
  const options = (typeof given === 'function' ? await (given as () => unknown)() : given) as SweepOptions;
  if (options === null || typeof options !== 'object' || Array.isArray(options) || !('trial' in options))
    throw new BadInput({
      problem: 'the module exports no options of a sweep',
      where: { file },
      expected: "export default { trial: './trial.ts', grid: { … }, seeds: 5 }",
      fix: 'see tunebook sweep --help',
    });
  const here = dirname(resolve(file));
  const { trial, folder, name } = options;
  return {
    ...options,
    trial: typeof trial === 'string' && !trial.startsWith('file:') ? resolve(here, trial) : trial,
    ...(typeof folder === 'string' ? { folder: resolve(here, folder) } : {}),
    ...(folder === undefined && typeof name === 'string' ? { folder: resolve(here, 'sweeps', name) } : {}),
  };
}
