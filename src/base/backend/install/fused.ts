import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot } from './cache.js';
import { compile, findCompiler } from './compile.js';
import type { Recipe } from './recipe.js';

const require = createRequire(import.meta.url);
const SOURCES = fileURLToPath(new URL('../fused/', import.meta.url));
const COMMON = ['-std=c++17', '-O3', '-fPIC', '-w'];
/** Products and sums may be one operation; NaN and infinity keep their meaning. */
const ARITHMETIC = ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'];
/** math.cc for every kind of processor the file may run on; which one it is, is found out when it is loaded. */
const SETS: Record<string, Record<string, readonly string[]>> = {
  x64: {
    math_base: [],
    math_avx2: ['-mavx2', '-mfma'],
    math_avx512: ['f', 'dq', 'bw', 'vl', 'cd']
      .map(set => `-mavx512${set}`)
      .concat('-mavx2', '-mfma', '-mprefer-vector-width=512'),
  },
};
const ONE_SET = { math_base: [] };
/** TensorFlow keeps pointers to the kernels: they stay when the worker thread that loaded them ends. */
const LINK = ['-shared', '-pthread', '-Wl,-z,nodelete'];

/**
 * Where the compiled fused kernels (`fused/*.cc`) of this version lie: a folder of their own in the user's cache, named
 * after their sources and how they are compiled, so that versions of tunebook do not get in each other's way.
 */
export function fusedKernelsPath(recipe: Recipe): string {
  const hash = createHash('sha256').update(JSON.stringify([COMMON, ARITHMETIC, SETS, LINK]));
  for (const name of readdirSync(SOURCES).sort())
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(SOURCES, name)))
      .update('\0');
  const { platform, arch } = process;
  const name = `fused-${recipe.wheel.version}-${platform}-${arch}-${hash.digest('hex').slice(0, 12)}`;
  return join(cacheRoot(), name, 'fused.node');
}

/**
 * Compile the fused kernels unless they are there (about ten seconds). Returns whether it did. The file appears whole or not at
 * all; two at once do no harm. Throws `Unavailable` where they cannot be compiled.
 */
export async function installFusedKernels(recipe: Recipe, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const path = fusedKernelsPath(recipe);
  if (existsSync(path)) return false;
  const compiler = await findCompiler(env);
  const headers = dirname(require.resolve('node-api-headers/include/node_api.h'));
  const framework = join(recipe.folder, recipe.libraries.find(name => name.includes('framework'))!);
  await mkdir(dirname(path), { recursive: true });
  const work = await mkdtemp(join(dirname(path), 'build-'));
  try {
    const objects = Object.entries(SETS[process.arch] ?? ONE_SET).map(async ([set, flags]) => {
      const object = join(work, `${set}.o`);
      await compile(compiler, [...COMMON, ...ARITHMETIC, ...flags, `-DSET=${set}`, '-c', source('math'), '-o', object], env);
      return object;
    });
    const rest = [
      ...['kernels', 'attention', 'loss', 'multiply', 'optimizer', 'products', 'step', 'sublayers'].map(source),
      '-DNAPI_VERSION=8',
      '-I',
      headers,
    ];
    // Settled, not raced: what still compiles must not write into a folder that is being removed.
    const made = await Promise.allSettled(objects);
    const parts = made.map(result => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
    const whole = join(work, 'fused.node');
    await compile(compiler, [...COMMON, ...LINK, ...rest, ...parts, framework, '-o', whole], env);
    await rename(whole, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return true;
}

function source(name: string): string {
  return join(SOURCES, `${name}.cc`);
}
