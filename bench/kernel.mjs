import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { chartCells } from './kernel-cells.mjs';
import { median, spread, table } from './numbers.mjs';
import { root, venvPython, worker } from './peer.mjs';
import { BadUsage, options } from './usage.mjs';

/** What is completed: by itself, and after a text with another number each time. */
const MATH = { code: 'Math.ma', before: 'const t{i} = ', expect: 'max' };

const KERNELS = {
  tunebook: { complete: MATH },
  tslab: { complete: MATH },
  deno: { complete: MATH },
  ipykernel: { complete: { code: 'str.uppe', before: 't{i} = ', expect: 'upper' } },
};

/** Our kernel beside tslab, Deno's and ipykernel: start, a trivial cell, completion, a chart and memory, as a front end sees them. */
export async function benchKernel(args) {
  const { values, number } = options(args, {
    rounds: { type: 'string', default: '5' },
    repeats: { type: 'string', default: '30' },
    only: { type: 'string', default: Object.keys(KERNELS).join(',') },
    jupyter: { type: 'string' },
    deno: { type: 'string' },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [rounds, repeats] = [number('rounds'), number('repeats')];
  const asked = values.only.split(',');
  for (const name of asked)
    if (!Object.hasOwn(KERNELS, name)) throw new BadUsage(`--only names ${Object.keys(KERNELS).join(', ')}, found "${name}"`);
  const python = jupyterPython(values.jupyter);
  const deno = findDeno(values.deno);
  const plotting = plottingPython();
  const skipped = [
    ...(deno || !asked.includes('deno') ? [] : ['deno: not found (give --deno PATH, or run "npm run bench -- setup")']),
    ...(plotting || !asked.includes('ipykernel')
      ? []
      : ['ipykernel: no chart, for want of matplotlib (run "npm run bench -- setup")']),
  ];
  const names = asked.filter(name => name !== 'deno' || deno);
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-kernel-${process.pid}`);
  try {
    await install(work, { dist, deno, python: plotting ?? python });
    const results = Object.fromEntries(names.map(name => [name, []]));
    const typescript = [];
    for (let round = 0; round < rounds; round++) {
      typescript.push(typescriptLoad());
      // Each in turn first, so that a drift of the machine favours none.
      for (const name of names.map((_, i) => names[(i + round) % names.length])) {
        const file = join(work, 'job.json');
        const job = {
          kernel: name,
          cwd: root,
          trivial: '1 + 1',
          fresh: '{i} + 1',
          repeats,
          cells: chartCells(name, { dist, matplotlib: plotting !== undefined }),
          ...KERNELS[name],
        };
        await writeFile(file, JSON.stringify(job));
        const result = await worker(python, [join(root, 'bench', 'kernel_drive.py'), file], {
          ...{
            JUPYTER_PATH: join(work, 'share', 'jupyter'),
            JUPYTER_RUNTIME_DIR: work,
            IPYTHONDIR: work,
            JUPYTER_DATA_DIR: work,
          },
          ...{ DENO_DIR: join(work, 'deno'), DENO_NO_UPDATE_CHECK: '1', MPLCONFIGDIR: work },
        });
        results[name].push(result);
        console.error(`round ${round + 1}/${rounds} ${name}: ready after ${result.ready.toFixed(0)} ms`);
      }
    }
    const report = summarise(results, typescript, skipped);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results, typescript }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function jupyterPython(given) {
  const inVenv = join(root, '.venv', 'bin', 'python');
  const python = given ? resolve(given) : inVenv;
  const check = spawnSync(python, ['-c', 'import jupyter_client, ipykernel, psutil'], { encoding: 'utf8' });
  if (check.status === 0) return python;
  const why = (check.error?.message ?? check.stderr).trim().split('\n').at(-1);
  throw new BadUsage(
    `${python} does not have jupyter_client, ipykernel and psutil (${why}). Run "npm run setup", or give --jupyter.`,
  );
}

/** The peers' Python, where it has ipykernel and matplotlib: then ipykernel runs there. Undefined where it does not. */
function plottingPython() {
  const python = process.env.TUNEBOOK_PEER_PYTHON ?? venvPython;
  return spawnSync(python, ['-c', 'import ipykernel, matplotlib']).status === 0 ? python : undefined;
}

/** Deno's program: as given, else beside the Python of the peers (PyPI's package `deno` carries it), else on the PATH. */
export function findDeno(given) {
  const peers = process.env.TUNEBOOK_PEER_PYTHON ?? venvPython;
  const places = given ? [resolve(given)] : [join(dirname(peers), process.platform === 'win32' ? 'deno.exe' : 'deno'), 'deno'];
  return places.find(place => (place === 'deno' || existsSync(place)) && spawnSync(place, ['--version']).status === 0);
}

/** Kernelspecs of all four under `work`, apart from what the user has installed. */
async function install(work, { dist, deno, python }) {
  await mkdir(work, { recursive: true });
  const specs = await import(pathToFileURL(join(dist, 'kernel', 'install.js')));
  await specs.installKernelspec({ prefix: work });
  await specs.installTslabKernelspec({ prefix: work });
  const spec = async (name, language, argv) => {
    const folder = join(work, 'share', 'jupyter', 'kernels', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'kernel.json'), JSON.stringify({ argv, display_name: name, language }));
  };
  await spec('ipykernel', 'python', [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}']);
  if (deno) await spec('deno', 'typescript', [deno, 'jupyter', '--kernel', '--conn', '{connection_file}']);
}

/** What loading the compiler takes a Node process, ms: no TypeScript kernel can start faster than Node does and this. */
function typescriptLoad() {
  const run = code => {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return performance.now() - start;
  };
  const bare = run('0');
  return run("require('typescript')") - bare;
}

function summarise(results, typescript, skipped) {
  const names = Object.keys(results);
  const warm = cell => cell?.slice(1) ?? [];
  const rows = {
    'ready after start, ms': r => r.ready,
    'first result after start, ms': r => r.toFirstResult,
    'trivial warm cell, ms': r => median(r.cell),
    'the same, another number each time, ms': r => median(r.fresh),
    'first completion, ms': r => r.firstCompletion,
    'completion, ms': r => median(r.completion),
    'the same, after another number each time, ms': r => median(r.freshCompletion),
    '10,000-step chart to PNG, ms': r => r.cells.chart && median(warm(r.cells.chart)),
    'same, with all 10,000 points drawn, ms': r => r.cells.points && median(warm(r.cells.points)),
    'the first chart, libraries loading, ms': r => r.cells.chart?.[0],
    'peak memory, MB': r => r.peakBytes / 1e6,
  };
  const numbers = (name, row) => results[name].map(rows[row]).filter(value => typeof value === 'number');
  const digits = row => (/warm cell|^completion|another number/.test(row) ? 1 : 0);
  const lines = Object.keys(rows).map(row => [
    row,
    ...names.map(name => (numbers(name, row).length ? spread(numbers(name, row), digits(row)) : '-')),
  ]);
  const of = (name, row) => (results[name]?.length ? median(numbers(name, row)) : undefined);
  const load = median(typescript);
  const ratios = (row, peer) => of('tunebook', row) / of(peer, row);
  const targets = [
    ['ready after start / tslab', ratios('ready after start, ms', 'tslab'), 1],
    [
      `ready after start / (1.5 x ipykernel + ${load.toFixed(0)} ms to load TypeScript)`,
      of('tunebook', 'ready after start, ms') / (1.5 * of('ipykernel', 'ready after start, ms') + load),
      1,
    ],
    ['trivial warm cell / tslab', ratios('trivial warm cell, ms', 'tslab'), 0.5],
    ['completion / tslab', ratios('completion, ms', 'tslab'), 1],
    ['10,000-step chart to PNG / 300 ms', of('tunebook', '10,000-step chart to PNG, ms') / 300, 1],
  ].filter(([, found]) => Number.isFinite(found));
  const failures = names.flatMap(name => {
    const failed = results[name].find(r => r.failed)?.failed;
    const wrong = results[name].some(r => !r.matches) ? [`${name}: completion did not offer what it should`] : [];
    return [...(failed ? [`${name}: ${failed.split('\n').at(-1)}`] : []), ...wrong];
  });
  const text = [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}; ${results[names[0]].length} rounds of new kernels, medians (range of the rounds)`,
    '',
    table([['', ...names], ...lines]),
    '',
    ...targets.map(
      ([name, found, limit]) => `${name}: ${found.toFixed(2)}, at most ${limit}: ${found <= limit ? 'held' : 'missed'}`,
    ),
    ...[...skipped, ...failures].map(line => `- ${line}`),
  ].join('\n');
  return { text, targets };
}
