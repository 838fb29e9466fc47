// npm test: the set-up a user gets, then lint, types, and the suite on Node 20, 22 and 24; closes with "N passed, N failed".
// npm test -- tests/show …   only these files, on this Node.    npm run test:full   also the slow *.full.test.ts.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { printLedger } from './ledger.mjs';
import { installNode, MAJORS, nodeOf } from './nodes.mjs';
import { inRoot, jupyterEnvironment, ROOT } from './paths.mjs';
import { setUp, withMessages } from './setup.mjs';
import { describeFailure, runSteps, StepFailed } from './steps.mjs';

const full = process.argv.includes('--full');
const only = process.argv.slice(2).filter(arg => arg !== '--full');

// What is checked once, on this Node: the same Jupyter, browser and package from outside, whichever Node runs the checks. Everything else
// (units, invariants, parity, the kernel) runs on all three.
const ONCE = [
  ...['tests/house/**', 'tests/cli/**', 'tests/e2e/**', 'tests/notebooks/**', 'tests/browser/**', 'tests/bench/**'],
  // Long, and the same on every Node: killed processes, hundreds of steps, gigabytes streamed.
  ...['tests/learn/train/kill.test.ts', 'tests/learn/train/packing.test.ts', 'tests/invariants/memory.test.ts'],
  ...['tests/prepare/data/stream.test.ts', 'tests/prepare/tokens/stream-memory.test.ts', 'tests/kernel/output.test.ts'],
  // JupyterLab and other browsers, which do not know what runs the kernel; a notebook of two hundred cells.
  ...['tests/show/lab.test.ts', 'tests/show/hostile.test.ts', 'tests/show/kernels.test.ts', 'tests/show/gallery.test.ts'],
  ...['tests/kernel/lab.test.ts', 'tests/kernel/many-cells.test.ts'],
  // Sweeps whose processes are killed, and a real Slurm.
  ...['tests/study/experiment/kill.test.ts', 'tests/study/experiment/slurm.test.ts'],
];

const CHROMIUMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

function browser() {
  return {
    title: 'browser',
    check: () => [process.env.CHROMIUM, ...CHROMIUMS].find(path => path && existsSync(path)),
    run: () => {
      throw new StepFailed(
        'No Chromium was found; the tests that open pages need one.',
        '"sudo apt-get install chromium" (Debian), or name a Chromium or Chrome in CHROMIUM. bash .ci/run installs what is missing.',
      );
    },
  };
}

function otherNode(major) {
  return {
    title: `Node ${major}`,
    size: "from npm's package, about 45 MB to download",
    check: () => nodeOf(major) && 'in .cache',
    run: async live => {
      await installNode(major, live);
      return 'installed in .cache';
    },
  };
}

// Runs a program with its output passed through; returns its exit code and seconds.
function run(program, args, env = {}) {
  const start = performance.now();
  return new Promise(done => {
    const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
    const end = code => done({ code, seconds: (performance.now() - start) / 1000 });
    child.on('error', () => end(1));
    child.on('close', code => end(code ?? 1));
  });
}

async function check(title, args) {
  console.log(`\n── ${title}`);
  const { code, seconds } = await run(process.execPath, args);
  return { title, seconds, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, files: [] };
}

// More files than this do not fail by chance.
const CHANCES = 3;

async function suite(major, filters) {
  const title = `tests on Node ${major}`;
  console.log(`\n── ${title}`);
  const once = major === MAJORS[0] ? [] : ONCE.flatMap(glob => ['--exclude', glob]);
  const { files, unhandled, code, seconds } = await vitest(major, [...filters, ...once]);
  const suspects = files.filter(failedIn);
  const part = { title, seconds, files };
  // Tests that drive browsers, Jupyter, Slurm and killed processes meet the machine's chances. A file that failed runs once more, alone, and
  // what passes then is reported as unsteady, with the error of the first run; what is broken fails again.
  if (!unhandled && suspects.length > 0 && suspects.length <= CHANCES) {
    console.log(`\n── once more, alone (Node ${major}): ${suspects.map(({ file }) => file).join(', ')}`);
    const second = await vitest(major, [...suspects.map(({ file }) => file), '--no-file-parallelism']);
    part.seconds += second.seconds;
    part.files = files.map(first => afterSecondRun(first, second.files));
  }
  const count = state => part.files.reduce((sum, { tests }) => sum + tests.filter(test => test.state === state).length, 0);
  let failed = count('failed') + unhandled + part.files.filter(file => file.broken).length;
  if (code !== 0 && failed === 0 && suspects.length === 0) failed = 1;
  return { ...part, passed: count('passed'), failed };
}

const failedIn = ({ broken, tests }) => broken || tests.some(test => test.state === 'failed');

// The second run's word on a file that failed, with what had failed in the first one.
function afterSecondRun(first, files) {
  const again = failedIn(first) && files.find(({ file }) => file === first.file);
  if (!again) return first;
  const firstError = name => first.tests.find(test => test.name === name && test.state === 'failed')?.error;
  const tests = again.tests.map(test => (test.state === 'passed' ? { ...test, unsteady: firstError(test.name) } : test));
  return { ...again, seconds: first.seconds + again.seconds, tests, unsteady: first.broken ? first.error : undefined };
}

async function vitest(major, args) {
  const ledger = inRoot('.cache', `ledger-${major}.json`);
  rmSync(ledger, { force: true });
  const { code, seconds } = await run(
    nodeOf(major),
    ['node_modules/vitest/vitest.mjs', 'run', ...args, '--reporter=default', '--reporter=./setup/reporter.mjs'],
    {
      TUNEBOOK_LEDGER: ledger,
      // In npm test a native backend that does not load is a failure, never a skip.
      TUNEBOOK_REQUIRE_NATIVE: '1',
      ...(full && { TUNEBOOK_FULL: '1' }),
      ...jupyterEnvironment(inRoot('.cache', 'jupyter-test')),
    },
  );
  if (!existsSync(ledger)) return { files: [], unhandled: 1, code, seconds };
  return { ...JSON.parse(readFileSync(ledger, 'utf8')), code, seconds };
}

await withMessages(async () => {
  console.log(`tunebook: set-up for the tests (Node ${process.versions.node}, ${platform()} ${arch()}, ${cpus().length} cores)`);
  const majors = only.length ? MAJORS.slice(0, 1) : MAJORS;
  let setUpSeconds;
  try {
    setUpSeconds = await setUp({ tests: true, retry: true });
    await runSteps([browser(), ...majors.slice(1).map(otherNode)]);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    console.error(`\n  ${describeFailure(error)}\n\n0 passed, 1 failed`);
    return 3;
  }

  const parts = [{ title: 'set-up', seconds: setUpSeconds, passed: 0, failed: 0, files: [] }];
  if (!only.length) {
    parts.push(await check('lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']));
    parts.push(await check('types of src and tests', ['setup/types.mjs']));
  }
  for (const major of majors) parts.push(await suite(major, only));

  const failed = printLedger(parts);
  return failed ? 1 : 0;
});
