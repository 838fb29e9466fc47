import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Unavailable } from '../../core/index.js';
import { runProgram } from './python.js';
import type { Recipe } from './recipe.js';
import { LOG_LEVEL_SOURCE, QUIET_SOURCE } from './sources.js';

const require = createRequire(import.meta.url);

/** The C++ compiler: `CXX`, g++, c++ or clang++. Throws `Unavailable` with how to get one. */
export async function findCompiler(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  for (const command of [env.CXX, 'g++', 'c++', 'clang++']) {
    if (command && (await runProgram(command, ['--version'], { env })).status === 0) return command;
  }
  throw new Unavailable({
    problem: 'no C++ compiler was found, which builds the small binding between Node and TensorFlow',
    expected: 'g++ or clang++ on PATH (or named by CXX)',
    fix: 'Debian and Ubuntu: apt install g++; Fedora: dnf install gcc-c++; meanwhile the wasm backend works',
  });
}

/**
 * Compile tfjs-node's own binding sources against the unpacked TensorFlow and Node's API headers into `folder/tfjs_binding.node`, and a
 * small helper `quiet.node`. Node-API is stable across Node versions, so one binding serves 20, 22 and 24. The libraries are found relative to it.
 */
export async function compileBinding(recipe: Recipe, folder: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const compiler = await findCompiler(env);
  const tfjs = dirname(require.resolve(`${recipe.tfjsPackage}/package.json`));
  const nodeHeaders = dirname(require.resolve('node-api-headers/include/node_api.h'));
  const common = ['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8', '-I', nodeHeaders];
  const [logLevel, quiet] = [join(folder, 'log_level.cc'), join(folder, 'quiet.cc')];
  await writeFile(logLevel, LOG_LEVEL_SOURCE);
  await writeFile(quiet, QUIET_SOURCE);
  const binding = [
    ...['-DNODE_GYP_MODULE_NAME=tfjs_binding', '-I', join(folder, recipe.headers), '-I', tfjs],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map(name => join(tfjs, 'binding', name)),
    ...[logLevel, ...recipe.libraries.map(path => join(folder, path))],
    `-Wl,-rpath,$ORIGIN/${dirname(recipe.libraries[0]!)}`,
  ];
  await compile(compiler, [...common, ...binding, '-o', join(folder, 'tfjs_binding.node')], env);
  await compile(compiler, [...common, '-DNODE_GYP_MODULE_NAME=quiet', quiet, '-o', join(folder, 'quiet.node')], env);
  await Promise.all([logLevel, quiet].map(path => rm(path)));
}

/** Run the compiler. Throws `Unavailable` with its first error. */
export async function compile(compiler: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { status, stderr } = await runProgram(compiler, args, { env });
  if (status === 0) return;
  throw new Unavailable({
    problem: `${compiler} could not build the binding`,
    expected: 'a compiler that knows C++17 (g++ ≥ 8, clang ≥ 7)',
    found:
      stderr
        .split('\n')
        .find(line => /error/i.test(line))
        ?.slice(0, 300) ?? `exit status ${status}`,
    fix: 'name another compiler with CXX, or use the wasm backend',
  });
}
