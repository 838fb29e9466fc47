import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Unavailable } from '../core/index.js';
import { whyNoGpu } from './gpu.js';
import { tfjs } from './gradients.js';
import { inspect } from './install/cache.js';
import { fusedKernelsPath } from './install/fused.js';
import { type Recipe, recipeFor } from './install/recipe.js';
import { holdSignals } from './install/signals.js';

const require = createRequire(import.meta.url);

/** What of tfjs-node's backend we use beyond tfjs's own interface. */
export interface NodeBackend {
  binding: { isUsingGpuDevice(): boolean; TF_Version: string } & Record<string, unknown>;
  isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attrs: unknown[], inputs: unknown[]): unknown;
  executeMultipleOutputs(name: string, attrs: unknown[], inputs: unknown[], outputs: number): unknown[];
}

/** The TensorFlow build a process runs. */
export interface LoadedNative {
  kind: 'native' | 'cuda';
  version: string;
  /** Whether TensorFlow computes on a GPU. */
  gpu: boolean;
  folder: string;
  /** Whether our own fused kernels were loaded beside it; without them TensorFlow's do the work. */
  fused: boolean;
  /** The same in words, one line. */
  fusedNote: string;
  /** Why signals can reach the threads that compute (see `install/signals.ts`), if so. */
  signals?: string;
  /** cuda: why no GPU is used. */
  note?: string;
}

/** The TensorFlow that this process has loaded. Two different ones cannot live in one process. */
let loaded: LoadedNative | undefined;

/**
 * Load tfjs-node (or -gpu) on the installed TensorFlow and register it with tfjs as 'tensorflow', without its own
 * `index.js`, which looks for a binding inside node_modules. Throws `Unavailable` with the remedy when it cannot.
 */
export function loadNative(kind: 'native' | 'cuda'): LoadedNative {
  if (loaded) {
    if (loaded.kind === kind) return loaded;
    throw new Unavailable({
      problem: `this process already runs TensorFlow's ${loaded.kind} build, and cannot load the ${kind} build beside it`,
      fix: `start a new process (restart the notebook's kernel) and call backend.use('${kind}') first`,
    });
  }
  const recipe = recipeFor(kind);
  requireInstalled(recipe);
  requireOneCore(recipe.tfjsPackage);
  const tf = tfjs();
  // TensorFlow reads this when it is loaded; 2 keeps errors and silences its greetings.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  putBackUtil();
  const signals = holdSignals();
  let binding: NodeBackend['binding'];
  try {
    binding = loadQuietly(recipe.folder);
  } catch (cause) {
    throw new Unavailable({
      problem: `TensorFlow cannot be loaded (${(cause as Error).message.split('\n')[0]})`,
      where: { file: recipe.folder },
      fix: `tunebook backend install ${kind} --force (or use wasm: TUNEBOOK_BACKEND=wasm)`,
      cause,
    });
  }
  const { NodeJSKernelBackend } = require(`${recipe.tfjsPackage}/dist/nodejs_kernel_backend`) as {
    NodeJSKernelBackend: new (binding: unknown, name: string) => InstanceType<typeof tf.KernelBackend> & NodeBackend;
  };
  const quiet = silenceReplacedKernels();
  try {
    require(`${recipe.tfjsPackage}/dist/register_all_kernels`);
  } finally {
    quiet();
  }
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, recipe.tfjsPackage), 3);
  const gpu = binding.isUsingGpuDevice();
  const { folder } = recipe;
  const problem = gpu ? 'not in use on a GPU' : loadFusedKernels(recipe);
  loaded = {
    kind,
    version: binding.TF_Version,
    gpu,
    folder,
    fused: problem === undefined,
    fusedNote: `fused kernels: ${problem ?? 'in use'}`,
    signals,
    note: kind === 'cuda' && !gpu ? whyNoGpu(folder) : undefined,
  };
  return loaded;
}

/** Register the fused kernels with the TensorFlow that was loaded. Returns why they are not in use, if so. */
function loadFusedKernels(recipe: Recipe): string | undefined {
  const absent = fusedKernelsMissing(recipe);
  if (absent) return absent;
  try {
    require(fusedKernelsPath(recipe));
    return undefined;
  } catch (error) {
    // Compiled for another C++ library, say: everything works without them.
    return `not in use, they cannot be loaded (${(error as Error).message.split('\n')[0]})`;
  }
}

/** Why the fused kernels cannot be loaded, where that can be known without trying. `TUNEBOOK_FUSED=0` leaves them out. */
export function fusedKernelsMissing(recipe: Recipe): string | undefined {
  if (process.env.TUNEBOOK_FUSED === '0') return 'not in use, TUNEBOOK_FUSED=0';
  if (!existsSync(fusedKernelsPath(recipe)))
    return 'not compiled, training is slower (tunebook backend install native compiles them)';
  return undefined;
}

/** Whether the fused kernels are there, when a TensorFlow is loaded. */
export function loadedFused(): boolean {
  return loaded?.fused ?? false;
}

/** Which TensorFlow build this process has loaded, if any. */
export function loadedNative(): 'native' | 'cuda' | undefined {
  return loaded?.kind;
}

interface Quiet {
  catchStderr(): void;
  release(): string;
}

/** Load the binding without the informational lines that TensorFlow's library writes while it is being loaded. */
function loadQuietly(folder: string): NodeBackend['binding'] {
  const load = () => require(join(folder, 'tfjs_binding.node')) as NodeBackend['binding'];
  if (Number(process.env.TF_CPP_MIN_LOG_LEVEL) < 1) return load();
  const quiet = require(join(folder, 'quiet.node')) as Quiet;
  quiet.catchStderr();
  try {
    return load();
  } finally {
    const said = quiet.release().split('\n');
    const rest = said.filter(line => line && !/^I\d{4} |^WARNING: All log messages before absl/.test(line));
    // That no GPU is found is told by `use` itself, in words.
    const news = rest.filter(line => !/cuInit|[Cc]ould not find cuda drivers/.test(line));
    if (news.length > 0) process.stderr.write(`${news.join('\n')}\n`);
  }
}

function requireInstalled(recipe: Recipe): void {
  const found = inspect(recipe.folder);
  if (typeof found !== 'string') return;
  throw new Unavailable({
    problem:
      found === 'absent'
        ? `the ${recipe.kind} backend is not installed`
        : `the installed ${recipe.kind} backend is damaged: ${found}`,
    where: found === 'absent' ? undefined : { file: recipe.folder },
    fix: `tunebook backend install ${recipe.kind} (a download of ${Math.round(recipe.wheel.bytes / 1e6)} MB, once per user)`,
  });
}

/** tfjs-node with a tfjs-core of its own would register its kernels where nobody looks. */
function requireOneCore(tfjsPackage: string): void {
  const ours = require.resolve('@tensorflow/tfjs-core');
  const union = createRequire(require.resolve(`${tfjsPackage}/package.json`)).resolve('@tensorflow/tfjs');
  const theirs = createRequire(union).resolve('@tensorflow/tfjs-core');
  if (ours === theirs) return;
  throw new Unavailable({
    problem: `${tfjsPackage} brings a second copy of tfjs-core`,
    expected: ours,
    found: theirs,
    fix: 'npm dedupe, with @tensorflow/tfjs-node and @tensorflow/tfjs-core at the same version (4.22.0)',
  });
}

/** tfjs-node 4.22 calls functions that Node 23 removed (and Node 22 warns about). */
function putBackUtil(): void {
  const util = require('node:util') as Record<string, unknown>;
  if (Number(process.versions.node.split('.')[0]) < 22) return;
  util.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  util.isArray = Array.isArray;
}

/** tfjs warns for a kernel registered twice, which happens only when a process loads the backend anew. */
function silenceReplacedKernels(): () => void {
  const { warn } = console;
  console.warn = (...args: unknown[]) => {
    if (!String(args[0]).includes('is already registered')) warn(...args);
  };
  return () => {
    console.warn = warn;
  };
}
