import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInput, Unavailable, writeFileAtomic } from '../base/core/index.js';

/** Where a kernelspec goes. */
export interface InstallOptions {
  /** Folder that has (or gets) `share/jupyter/kernels`: a Python environment's `sys.prefix`. Never the user's home unless asked. */
  prefix: string;
}

/** A kernelspec found under a prefix. */
export interface InstalledSpec {
  name: string;
  path: string;
  displayName: string;
  argv: string[];
}

/** The kernelspecs this package brings; templates lie in `kernels/`. */
export type SpecName = 'tunebook' | 'tslab' | 'deno';

const TEMPLATES = fileURLToPath(new URL('../../kernels/', import.meta.url));
const kernelsOf = (prefix: string) => join(resolve(prefix), 'share', 'jupyter', 'kernels');

/**
 * Install the kernelspec `tunebook` under `<prefix>/share/jupyter/kernels`, pointing at this copy of the package and this Node.
 * Files are replaced whole, `kernel.json` last, so an interrupted installation leaves the old spec or none. Returns its folder.
 */
export async function installKernelspec({ prefix }: InstallOptions): Promise<string> {
  return install('tunebook', prefix, fileURLToPath(new URL('./main.js', import.meta.url)));
}

/** Install plain tslab's kernelspec beside it, as `tslab install --sys-prefix --binary` would. Returns its folder. */
export async function installTslabKernelspec({ prefix }: InstallOptions): Promise<string> {
  const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json'));
  return install('tslab', prefix, join(tslab, 'bin', 'tslab'));
}

/**
 * Install the kernelspec of Deno's own kernel beside it, to compare: `deno` is the program or its path. Returns its folder.
 * Throws `Unavailable` where no such program runs.
 */
export async function installDenoKernelspec({ prefix }: InstallOptions, deno: string = 'deno'): Promise<string> {
  const { status, stdout, error } = spawnSync(deno, ['eval', 'console.log(Deno.execPath())'], { encoding: 'utf8' });
  if (status !== 0) {
    throw new Unavailable({
      problem: `"${deno}" does not run as Deno`,
      found: error?.message ?? `exit code ${status}`,
      fix: 'install Deno (`npm install deno`, or deno.com), or name the program',
    });
  }
  return install('deno', prefix, stdout.trim());
}

/** Remove a kernelspec; false when there was none. */
export async function uninstallKernelspec({ prefix }: InstallOptions, name: SpecName = 'tunebook'): Promise<boolean> {
  const folder = join(kernelsOf(prefix), name);
  if (!existsSync(folder)) return false;
  await rm(folder, { recursive: true });
  return true;
}

/** The kernelspecs under a prefix, sorted by name; unreadable ones are left out. */
export async function kernelspecs({ prefix }: InstallOptions): Promise<InstalledSpec[]> {
  const root = kernelsOf(prefix);
  const names = existsSync(root) ? (await readdir(root)).sort() : [];
  const found: InstalledSpec[] = [];
  for (const name of names) {
    const path = join(root, name);
    try {
      const spec = JSON.parse(await readFile(join(path, 'kernel.json'), 'utf8')) as { display_name: string; argv: string[] };
      found.push({ name, path, displayName: spec.display_name, argv: spec.argv });
    } catch {
      // Not a kernelspec: Jupyter ignores it, too.
    }
  }
  return found;
}

/** `sys.prefix` of a Python: where the Jupyter that runs on it looks for kernels. */
export function pythonPrefix(python: string): string {
  const { status, stdout, error } = spawnSync(python, ['-c', 'import sys; print(sys.prefix)'], { encoding: 'utf8' });
  if (status !== 0) {
    throw new Unavailable({
      problem: `"${python}" does not run as a Python`,
      found: error?.message ?? `exit code ${status}`,
      fix: 'name the Python of the environment that Jupyter runs in, e.g. --python .venv/bin/python',
    });
  }
  return stdout.trim();
}

async function install(name: SpecName, prefix: string, main: string): Promise<string> {
  if (!existsSync(main)) {
    throw new BadInput({ problem: 'the kernel is not built', where: { file: main }, fix: 'run `npm run build`' });
  }
  const template = join(TEMPLATES, name);
  const target = join(kernelsOf(prefix), name);
  const files = await readdir(template);
  for (const file of files.filter(each => each !== 'kernel.json')) {
    await writeFileAtomic(join(target, file), await readFile(join(template, file)));
  }
  const spec = JSON.parse(await readFile(join(template, 'kernel.json'), 'utf8')) as { argv: string[] };
  spec.argv = spec.argv.map(each => each.replace('{node}', () => process.execPath).replace('{main}', () => main));
  await writeFileAtomic(join(target, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`);
  return target;
}
