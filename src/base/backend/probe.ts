import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { TunebookError } from '../core/index.js';
import { nvidiaDriver, whyNoGpu } from './gpu.js';
import { cacheRoot, inspect } from './install/cache.js';
import { type Checked, checkBinding } from './install/check.js';
import { thisMachine } from './install/machine.js';
import { runProgram } from './install/python.js';
import { recipeFor } from './install/recipe.js';
import { fusedKernelsMissing, loadedNative } from './native.js';
import { BACKENDS, type BackendName, type BackendStatus } from './types.js';
import { webgpuPackages } from './webgpu.js';

const require = createRequire(import.meta.url);

/** A probed backend; `gpu` says whether it would compute on one. */
export interface Probed extends BackendStatus {
  gpu: boolean;
}

/**
 * Which backends work here, best first, each with a reason and a remedy. Each computes a matrix product in a child process:
 * the active backend stays as it is, nothing is downloaded. Takes a few seconds.
 */
export async function available(options: { onProbe?: (name: BackendName) => void } = {}): Promise<BackendStatus[]> {
  const table: BackendStatus[] = [];
  for (const name of BACKENDS) {
    options.onProbe?.(name);
    const { gpu, ...status } = await probe(name);
    table.push(status);
  }
  return table;
}

/**
 * Try one backend in a child process.
 * @param options.remember trust an earlier success of the same files on the same kind of machine, kept in the cache folder.
 */
export async function probe(name: BackendName, options: { remember?: boolean } = {}): Promise<Probed> {
  try {
    if (name === 'cuda' || name === 'native') return await probeNative(name, options.remember ?? false);
    return await probeScript(name);
  } catch (error) {
    if (!(error instanceof TunebookError)) throw error;
    return { name, works: false, gpu: false, reason: error.parts.problem, remedy: error.parts.fix, details: [] };
  }
}

async function probeNative(name: 'native' | 'cuda', remember: boolean): Promise<Probed> {
  const recipe = recipeFor(name);
  const manifest = inspect(recipe.folder);
  const install = `tunebook backend install ${name}`;
  const failed = (reason: string, remedy?: string): Probed => ({ name, works: false, gpu: false, reason, remedy, details: [] });
  if (manifest === 'absent') {
    const driver = name === 'cuda' ? nvidiaDriver() : { version: '' };
    if ('missing' in driver) return failed(`not installed, and of no use here: ${driver.missing}`);
    return failed('not installed', `${install} (${Math.round(recipe.wheel.bytes / 1e6)} MB to download, once per user)`);
  }
  if (typeof manifest === 'string') return failed(`the installation is damaged: ${manifest}`, install);
  const other = loadedNative();
  const checked = await rememberedCheck(recipe.folder, JSON.stringify(manifest.files), remember);
  if (!checked.ok) return failed(checked.problem ?? 'it does not run', `${install} --force`);
  const gpu = checked.gpu === true;
  const words =
    name === 'native'
      ? 'computes on the CPU'
      : gpu
        ? 'computes on the GPU'
        : `no GPU is seen, computes on the CPU: ${whyNoGpu(recipe.folder)}`;
  const details = [recipe.folder];
  if (!gpu) details.push(`fused kernels: ${fusedKernelsMissing(recipe) ?? 'compiled'}`);
  if (other && other !== name) details.push(`this process has loaded the ${other} build: restart it to use ${name}`);
  return { name, works: true, gpu, reason: words, version: checked.version, details };
}

/** A library that ran once on this processor and system runs again: only the first `use('auto')` pays the two seconds. */
async function rememberedCheck(folder: string, files: string, remember: boolean): Promise<Checked> {
  if (!remember) return checkBinding(folder);
  const machine = `${cpus()[0]?.model}/${process.arch}/${thisMachine().glibc}`;
  const key = createHash('sha256').update(`${folder}\n${files}\n${machine}`).digest('hex').slice(0, 24);
  const mark = join(cacheRoot(), 'ran', key);
  // A GPU may be gone tomorrow; the CPU build's answer holds.
  const lasting = folder.includes('native-');
  if (lasting && existsSync(mark)) return { ok: true, gpu: false };
  const checked = await checkBinding(folder);
  if (checked.ok && lasting) {
    // A cache that cannot be written only means that the next process checks again.
    await mkdir(dirname(mark), { recursive: true }).then(
      () => writeFile(mark, ''),
      () => {},
    );
  }
  return checked;
}

const SCRIPT = `
const [core, layers, backend, name] = process.argv.slice(1);
const tf = require(core); require(layers); require(backend);
(async () => {
  await tf.setBackend(name); await tf.ready();
  const a = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]), b = tf.tensor2d([0.5, -1, 2, 0.25, -0.5, 1], [3, 2]);
  const product = Array.from(await tf.matMul(a, b).data());
  const gradient = Array.from(await tf.grad(x => tf.sum(tf.square(tf.matMul(x, b))))(a).data());
  console.log(JSON.stringify({backend: tf.getBackend(), product, gradient}));
})();
`;
const EXPECTED = { product: [3, 2.5, 9, 3.25], gradient: [-2, 13.25, 2, 2.5, 37.625, -2.5] };

async function probeScript(name: 'webgpu' | 'wasm' | 'cpu'): Promise<Probed> {
  const version = (require('@tensorflow/tfjs-core/package.json') as { version: string }).version;
  if (name === 'webgpu') {
    const { description } = await webgpuPackages();
    return { name, works: true, gpu: true, reason: `an adapter is there: ${description}`, version, details: [] };
  }
  const paths = ['tfjs-core', 'tfjs-layers', `tfjs-backend-${name}`].map(p => require.resolve(`@tensorflow/${p}`));
  const { stdout, stderr, status } = await runProgram(process.execPath, ['-e', SCRIPT, ...paths, name]);
  const line = stdout.split('\n').find(text => text.startsWith('{"backend"'));
  const works = line === JSON.stringify({ backend: name, ...EXPECTED });
  const reason = works
    ? name === 'wasm'
      ? 'computes on the CPU, in WebAssembly'
      : 'plain JavaScript: an oracle, not an engine'
    : (line ?? stderr.split('\n').find(text => /Error/.test(text)) ?? `its process ended with status ${status}`).slice(0, 200);
  return {
    name,
    works,
    gpu: false,
    reason,
    remedy: works ? undefined : 'npm install (tfjs packages damaged?)',
    version,
    details: [],
  };
}
