// Sets this clone up: node packages, build, a Python environment with Jupyter, the kernel in it, the fastest backend. Every step looks
// first whether there is anything to do, so running it again costs a moment and running it after an interruption completes it.
// `npm run setup` and npm test also try again what was replaced by a fallback (`retry`); npm start does not.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, isBuilt } from './build.mjs';
import { lockedNodePackages, pinnedPythonPackages, venvPython } from './packages.mjs';
import { CLI, inRoot, npmCommand, ROOT, VENV, VENV_PYTHON } from './paths.mjs';
import { command, describeFailure, lock, runSteps, StepFailed, stamp } from './steps.mjs';
import { checkNode, findPython } from './versions.mjs';

const sha = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
const NETWORK =
  'if the network is down, come back online and run this command again (it goes on where it stopped); behind a proxy or mirror, set it in';

function node() {
  return { title: 'Node', check: () => checkNode() };
}

function nodePackages() {
  const mark = stamp('node-packages');
  const count = Object.keys(JSON.parse(readFileSync(inRoot('package-lock.json'), 'utf8')).packages).length;
  return {
    title: 'node packages',
    size: `npm ci: ${count} packages, about 190 MB to download, 560 MB on disk; none of their install scripts runs`,
    check() {
      if (mark.read()?.begun) return undefined;
      const installed = lockedNodePackages();
      return installed && `${installed} as locked`;
    },
    async run(live) {
      mark.begin();
      let fetched = 0;
      const [npm, first] = npmCommand();
      await command(
        npm,
        [...first, 'ci', '--ignore-scripts', '--include=dev', '--include=optional', '--prefer-offline', '--loglevel=http'],
        {
          cwd: ROOT,
          problem: 'npm could not install the packages of package-lock.json',
          remedy: `${NETWORK} npm's settings (npm config set proxy …, registry …). If the disk is full, make room: 1 GB is needed.`,
          onLine: line => {
            if (/npm http (fetch|cache)/.test(line)) live(`${++fetched} requests answered`);
          },
        },
      );
      mark.done({ lock: sha(readFileSync(inRoot('package-lock.json'))) });
      return `${lockedNodePackages() ?? count} installed`;
    },
  };
}

function compiled() {
  return {
    title: 'tunebook',
    size: 'compiling src to dist',
    check: () => (isBuilt() ? 'compiled' : undefined),
    async run() {
      const { status, output } = await build();
      if (status !== 0) {
        const remedy =
          'if you changed src, mend the lines above; on an unchanged clone "git status" shows what differs, and a fresh clone helps.';
        throw new StepFailed('The TypeScript sources do not compile.', remedy, output.trim().split('\n').slice(0, 12));
      }
      return 'compiled';
    },
  };
}

function python(file, { retry }) {
  const mark = stamp('python');
  return {
    title: 'Jupyter',
    size: 'Python environment in .venv with JupyterLab and nbclient, about 45 MB to download, 270 MB on disk',
    check() {
      const state = mark.read();
      if (state?.begun) return undefined;
      if (state?.system && !retry && venvPython())
        return `the one of ${state.system}, because PyPI could not be reached (npm run setup tries again)`;
      const installed = pinnedPythonPackages(file);
      return installed && `${installed} pinned packages in .venv, Python ${venvPython()}`;
    },
    async run(live) {
      const found = findPython();
      const usable = venvPython() && Number(venvPython().split('.')[1]) >= 10 && !mark.read()?.begun && !mark.read()?.system;
      mark.begin();
      if (!usable) await makeEnvironment(found, []);
      try {
        const short = line => /^\s*(Collecting|Downloading|Installing)\s+(\S+)/.exec(line);
        await command(
          VENV_PYTHON,
          ['-m', 'pip', 'install', '--disable-pip-version-check', '--progress-bar', 'off', '-r', inRoot('setup', file)],
          {
            cwd: ROOT,
            problem: 'pip could not install Jupyter from PyPI',
            remedy: `${NETWORK} pip's settings (pip config set global.proxy …, global.index-url …). Or install JupyterLab into ${found.executable} in another way: it is then used as it is.`,
            onLine: line => {
              const match = short(line);
              if (match) live(`${match[1].toLowerCase()} ${match[2].split('/').at(-1).slice(0, 50)}`);
            },
          },
        );
      } catch (error) {
        if (!(error instanceof StepFailed) || !found.jupyter) throw error;
        await makeEnvironment(found, ['--system-site-packages']);
        mark.done({ system: found.executable });
        return `PyPI could not be reached; using the JupyterLab of ${found.executable}`;
      }
      // JupyterLab brings a CommonJS yarn.js, which would take this package's "type": "module" for its own.
      writeFileSync(join(VENV, 'package.json'), '{ "type": "commonjs" }\n');
      mark.done({ requirements: sha(readFileSync(inRoot('setup', file))) });
      return `${pinnedPythonPackages(file)} pinned packages in .venv, Python ${venvPython()}`;
    },
  };
}

// Made anew rather than mended: a killed pip leaves half packages. What it downloaded is in pip's cache.
async function makeEnvironment(found, options) {
  rmSync(VENV, { recursive: true, force: true });
  await command(found.program, ['-m', 'venv', ...options, VENV], {
    cwd: ROOT,
    problem: `${found.executable} could not make an environment in .venv`,
    remedy:
      'on Debian or Ubuntu "sudo apt-get install python3-venv"; elsewhere install Python from https://python.org; then run this command again. Another Python can be named in TUNEBOOK_PYTHON.',
  });
}

function kernel() {
  const mark = stamp('kernel');
  const kernels = inRoot('kernels');
  const key = () =>
    sha(
      ROOT,
      process.execPath,
      ...readdirSync(kernels, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8')),
    );
  const spec = () => join(VENV, 'share', 'jupyter', 'kernels', 'tunebook', 'kernel.json');
  return {
    title: 'kernel',
    size: 'kernelspec "tunebook" in .venv',
    check: () => (existsSync(spec()) && mark.read()?.key === key() ? 'installed in .venv' : undefined),
    async run() {
      mark.begin();
      await command(process.execPath, [CLI, 'kernel', 'install', '--python', VENV_PYTHON], {
        cwd: ROOT,
        problem: 'The kernel could not be installed into .venv',
        remedy: 'delete .venv and run this command again.',
      });
      if (!existsSync(spec()))
        throw new StepFailed('The installer wrote no kernelspec.', 'delete .venv and dist, and run this command again.');
      mark.done({ key: key() });
      return 'installed in .venv';
    },
  };
}

/** The C++ of our own that is compiled: set-up looks at the backend again when it changes. */
function ownSources() {
  const backend = inRoot('src', 'base', 'backend');
  const fused = readdirSync(join(backend, 'fused')).sort();
  return [...fused.map(name => join('fused', name)), join('install', 'signals.ts')].map(path =>
    readFileSync(join(backend, path)),
  );
}

function backend({ retry }) {
  const mark = stamp('backend');
  // With an NVIDIA driver the GPU build is tried first; where it fails, native is still there.
  const gpu = existsSync('/proc/driver/nvidia/version');
  const key = () =>
    sha(
      process.platform,
      process.arch,
      process.versions.node.split('.')[0],
      gpu,
      readFileSync(inRoot('package-lock.json')),
      ...ownSources(),
    );
  return {
    title: 'backend',
    size: `TensorFlow's library from PyPI's wheel${gpu ? ' with its CUDA libraries, 3.4 GB' : ', 274 MB'} to download once per user; a small binding compiled with g++`,
    check() {
      const state = mark.read();
      if (!state || state.begun || state.key !== key()) return undefined;
      if (state.fallback)
        return retry ? undefined : `${state.name}, because native failed: ${state.fallback} (npm run setup tries again)`;
      return state.library && !existsSync(state.library) ? undefined : state.summary;
    },
    async run(live) {
      mark.begin();
      const lines = gpu
        ? await install('cuda', live).catch(error => {
            console.log(
              `    the GPU build failed, native is installed instead: ${describeFailure(error).replace(/\n/g, '\n    ')}`,
            );
            return install('native', live);
          })
        : await install('native', live);
      const used = await probe();
      if (used.name === 'wasm' || used.name === 'cpu') {
        throw new StepFailed(
          `native was installed but does not work: ${used.reason}`,
          '"node dist/cli/main.js doctor" says more.',
        );
      }
      const summary = `${used.name}${used.version ? ` (TensorFlow ${used.version})` : ''}`;
      // The folder is remembered so that a deleted cache is noticed without loading anything.
      const library = lines.map(line => /^TensorFlow .*: (.+) \(\d+ MB\)$/.exec(line)?.[1]).find(Boolean);
      mark.done({ key: key(), name: used.name, summary, library });
      return summary;
    },
    async optional(error) {
      const used = await probe();
      // One sentence, for the line that later runs print.
      const reason = (error.log.at(-1) ?? error.message)
        .trim()
        .split(/(?<=[.!]) /)[0]
        .replace(/[.\s]+$/, '');
      mark.done({ key: key(), name: used.name, fallback: reason });
      return `using ${used.name} instead, which is slower: ${describeFailure(error).replace(/\n/g, '\n    ')}`;
    },
  };
}

const install = (kind, live) =>
  command(process.execPath, [CLI, 'backend', 'install', kind], {
    cwd: ROOT,
    env: { PYTHON: VENV_PYTHON },
    problem: `The ${kind} backend could not be installed`,
    remedy: `see the lines above; wasm is used until then. "node dist/cli/main.js backend install ${kind}" tries again.`,
    onLine: line => line.trim() && live(line.trim()),
  });

// Asks the built package which backend it would choose, in a process of its own: loading one takes seconds and cannot be undone.
async function probe() {
  const script = `import(${JSON.stringify(new URL('../dist/base/backend/index.js', import.meta.url).href)})
    .then(b => b.use('auto')).then(i => { process.stdout.write('\\n@@' + JSON.stringify(i) + '\\n'); process.exit(0); })`;
  const lines = await command(process.execPath, ['-e', script], {
    cwd: ROOT,
    env: { TF_CPP_MIN_LOG_LEVEL: '2' },
    problem: 'No backend works on this machine, not even wasm',
    remedy: '"node dist/cli/main.js doctor" says why for each; please report what it prints.',
  });
  return JSON.parse(lines.findLast(line => line.startsWith('@@')).slice(2));
}

/** Set up what is missing. `tests` adds what only the tests need. Throws StepFailed. */
export async function setUp({ tests = false, retry = false } = {}) {
  checkNode();
  const start = performance.now();
  const release = await lock(() => console.log('  … another set-up of this clone is running; waiting for it'));
  try {
    await runSteps([
      node(),
      nodePackages(),
      compiled(),
      python(tests ? 'requirements-test.txt' : 'requirements.txt', { retry }),
      kernel(),
      backend({ retry }),
    ]);
  } finally {
    release();
  }
  return (performance.now() - start) / 1000;
}

/** Run `main` and turn a failed step into a message and exit code 3. */
export async function withMessages(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    console.error(`\n  ${describeFailure(error)}`);
    process.exitCode = 3;
  }
}

if (process.argv[1] === import.meta.filename) {
  await withMessages(async () => {
    console.log('tunebook: set-up');
    const seconds = await setUp({ retry: true });
    console.log(
      `tunebook: set up in ${seconds.toFixed(1)} s. Next: npm start (the quickstart), npm run lab (JupyterLab), npm test.`,
    );
    return 0;
  });
}
