import { dirname, resolve } from 'node:path';
import { BadInput, TunebookError } from '../../base/core/index.js';
import { loadModule } from './load-module.js';
import { nameOf, type SweepOptions, trialFile } from './options.js';

/**
 * The options that a module exports (TypeScript or JavaScript; its default export, an object or a function that makes one). Its `trial`
 * and `folder` (default: `sweeps/<name>`) are taken from the module's place, so that it does not matter where a command is called.
 */
export async function readSweepFile(file: string): Promise<SweepOptions> {
  const options = (await evaluated(file)) as SweepOptions;
  if (options === null || typeof options !== 'object' || Array.isArray(options) || !('trial' in options))
    throw new BadInput({
      problem: 'the module exports no options of a sweep',
      where: { file },
      expected: "export default { trial: './trial.ts', grid: { … }, seeds: 5 }",
      fix: 'see tunebook sweep --help',
    });
  const here = dirname(resolve(file));
  const { trial, folder, name } = options;
  if (typeof trial !== 'string' && !(trial instanceof URL)) return options; // Refused with the other options.
  const path = trialFile(trial, here);
  return {
    ...options,
    trial: path,
    folder: typeof folder === 'string' ? resolve(here, folder) : resolve(here, 'sweeps', String(name ?? nameOf(path))),
  };
}

/** What a module exports, or its function gives. */
async function evaluated(file: string): Promise<unknown> {
  try {
    const { default: given } = await loadModule(file, 'sweep');
    return typeof given === 'function' ? await (given as () => unknown)() : given;
  } catch (cause) {
    if (cause instanceof TunebookError) throw cause;
    const { name, message, stack = '' } = cause instanceof Error ? cause : new Error(String(cause));
    // Where in their files; what stands below is ours and Node's.
    const at = stack.split('\n').find(line => /^\s+at /.test(line) && !line.includes('node:'));
    throw new BadInput({
      problem: 'the module of the sweep fails',
      where: { file },
      found: `${name}: ${message}${at ? ` (${at.trim()})` : ''}`,
      fix: 'correct it',
      cause,
    });
  }
}
