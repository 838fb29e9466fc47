import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot } from './cache.js';
import { compile, findCompiler } from './compile.js';
import type { Recipe } from './recipe.js';

const require = createRequire(import.meta.url);
const SOURCE = fileURLToPath(new URL('../fused/kernels.cc', import.meta.url));

/**
 * Where the compiled fused kernels (`fused/kernels.cc`) of this version lie: a folder of their own in the user's cache, named
 * after their source, so that versions of tunebook do not get in each other's way.
 */
export function fusedKernelsPath(recipe: Recipe): string {
  const hash = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const { platform, arch } = process;
  return join(cacheRoot(), `fused-${recipe.wheel.version}-${platform}-${arch}-${hash}`, 'fused.node');
}

/** Compile the fused kernels unless they are there (about five seconds). Returns whether it did. */
export async function installFusedKernels(recipe: Recipe, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const path = fusedKernelsPath(recipe);
  if (existsSync(path)) return false;
  const compiler = await findCompiler(env);
  const headers = dirname(require.resolve('node-api-headers/include/node_api.h'));
  const framework = join(recipe.folder, recipe.libraries.find(name => name.includes('framework'))!);
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  // Sums may be reordered, which makes them vector code and more exact; NaN and infinity keep their meaning.
  const vector = ['-O3', '-fno-math-errno', '-fno-trapping-math', '-fno-signed-zeros', '-fassociative-math'];
  const shared = ['-std=c++17', '-fPIC', '-shared', '-pthread', '-DNAPI_VERSION=8', '-I', headers];
  try {
    await compile(compiler, [...vector, ...shared, SOURCE, framework, '-o', beside], env);
    await rename(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
  return true;
}
