// Prints the conformance table of the README: jupyter_kernel_test on tunebook, tslab and Deno's kernel (where `deno` runs; its path
// may be given in DENO). Usage: node tests/kernel/conformance-table.mjs [--reasons] [KERNEL …]. Needs a build and .venv (`npm run setup`).
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDenoKernelspec, installKernelspec, installTslabKernelspec } from '../../dist/kernel/install.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);
const versionOf = manifest => JSON.parse(readFileSync(manifest, 'utf8')).version;
const deno = process.env.DENO ?? 'deno';

const KERNELS = {
  tunebook: { install: installKernelspec, version: () => versionOf(join(ROOT, 'package.json')) },
  tslab: { install: installTslabKernelspec, version: () => versionOf(require.resolve('tslab/package.json')) },
  deno: {
    install: options => installDenoKernelspec(options, deno),
    version: () => /^deno (\S+)/.exec(spawnSync(deno, ['--version'], { encoding: 'utf8' }).stdout)[1],
  },
};

/** What each test of the suite is about. */
const TESTS = {
  test_kernel_info: 'kernel_info',
  test_execute_stdout: 'stdout',
  test_execute_stderr: 'stderr',
  test_execute_result: 'execute_result',
  test_error: 'error',
  test_display_data: 'display_data',
  test_clear_output: 'clear_output',
  test_completion: 'complete',
  test_inspect: 'inspect',
  test_is_complete: 'is_complete',
  test_history: 'history',
  test_pager: 'pager',
  test_recv_iopub_welcome_msg: 'iopub_welcome',
};

function run(kernel, prefix) {
  const env = {
    ...process.env,
    JUPYTER_PATH: join(prefix, 'share', 'jupyter'),
    IPYTHONDIR: prefix,
    JUPYTER_RUNTIME_DIR: prefix,
    TUNEBOOK_HISTORY: join(prefix, 'history.jsonl'),
    NO_COLOR: '1',
  };
  return new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('conformance.py', import.meta.url));
    const child = spawn(join(ROOT, '.venv', 'bin', 'python'), [script, kernel], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', chunk => (out += chunk));
    child.stderr.on('data', chunk => (err += chunk));
    child.on('error', reject);
    child.on('close', code =>
      code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${kernel}: exit code ${code}\n${err}`)),
    );
  });
}

const mark = outcome => (outcome === 'passed' ? '✓' : outcome.startsWith('skipped') ? 'not offered' : '✗');

const args = process.argv.slice(2);
const wanted = args.filter(arg => !arg.startsWith('--'));
const prefix = mkdtempSync(join(tmpdir(), 'tunebook-conformance-'));
try {
  const columns = [];
  for (const name of wanted.length > 0 ? wanted : Object.keys(KERNELS)) {
    try {
      await KERNELS[name].install({ prefix });
    } catch (error) {
      process.stderr.write(`${name} is left out: ${error.message}\n`);
      continue;
    }
    columns.push({ name: `${name} ${KERNELS[name].version()}`, found: await run(name, prefix) });
  }
  const rows = Object.entries(TESTS).map(([test, topic]) => [
    `\`${topic}\``,
    ...columns.map(({ found }) => mark(found[test] ?? '✗')),
  ]);
  const passed = columns.map(({ found }) => Object.keys(TESTS).filter(test => found[test] === 'passed').length);
  const table = [
    ['jupyter_kernel_test', ...columns.map(({ name }) => name)],
    ['---', ...columns.map(() => ':-:')],
    ...rows,
    ['passed', ...passed.map(n => `**${n} of ${rows.length}**`)],
  ];
  process.stdout.write(`${table.map(row => `| ${row.join(' | ')} |`).join('\n')}\n`);
  if (args.includes('--reasons')) {
    for (const { name, found } of columns)
      for (const [test, outcome] of Object.entries(found))
        if (outcome !== 'passed') process.stdout.write(`\n${name}, ${TESTS[test] ?? test}: ${outcome.slice(0, 400)}\n`);
  }
} finally {
  rmSync(prefix, { recursive: true, force: true });
}
