import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  available,
  type BackendStatus,
  findCompiler,
  findPython,
  nvidiaDriver,
  runProgram,
  tfjsCopies,
  verifyInstalled,
} from '../base/backend/index.js';
import { BadInput, type Progress, progress, quote, TunebookError } from '../base/core/index.js';
import { backendFindings, type Finding, findingsTable } from './doctor-table.js';

/**
 * `tunebook doctor [--json]`: what this machine has, what works (each backend computes a matrix product), and what to do about the rest.
 * Returns 0 when native or wasm works and there is exactly one tfjs-core; 3 otherwise.
 */
export async function doctor(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(
      'tunebook doctor [--json]: what works on this machine, what does not, and what to do about it. Exit code 0 when it can train.\n',
    );
    return 0;
  }
  const odd = args.find(arg => arg !== '--json');
  if (odd !== undefined) {
    const error = new BadInput({ problem: 'doctor has no such option', expected: '--json', found: quote(odd) });
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  const checks: [string, () => Promise<Finding> | Finding][] = [
    ['node', node],
    ['python', python],
    ['jupyter', jupyter],
    ['kernelspec', kernelspec],
    ['compiler', compiler],
    ['tfjs', tfjs],
    ['gpu', gpu],
  ];
  const task = progress('doctor', { total: checks.length + 5, unit: 'checks' });
  let done = 0;
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    task.update(done++, name);
    findings.push(await check());
  }
  const backends = await available({ onProbe: name => task.update(done++, `backend ${name}`) });
  await checkFiles(backends);
  findings.push(...backendFindings(backends));
  task.finish();
  const engine = backends.some(({ name, works }) => works && (name === 'native' || name === 'wasm'));
  const healthy = engine && findings.find(({ name }) => name === 'tfjs-core')?.state === 'ok';
  process.stdout.write(
    args.includes('--json') ? `${JSON.stringify({ healthy, findings, backends }, null, 2)}\n` : findingsTable(findings),
  );
  return healthy ? 0 : 3;
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'Node',
    state: ok ? 'ok' : 'missing',
    found: process.version,
    remedy: ok ? undefined : 'install Node 20.19 or newer (22 and 24 are tested too)',
  };
}

async function python(): Promise<Finding> {
  return attempt('Python', 'missing', async () => {
    const { command, version } = await findPython();
    return `${version} (${command})`;
  });
}

async function compiler(): Promise<Finding> {
  return attempt('C++ compiler', 'optional', findCompiler);
}

async function attempt(name: string, state: Finding['state'], look: () => Promise<string>): Promise<Finding> {
  try {
    return { name, state: 'ok', found: await look() };
  } catch (error) {
    if (!(error instanceof TunebookError)) throw error;
    return { name, state, found: error.parts.problem, remedy: error.parts.fix };
  }
}

const SETUP = 'npm run setup';

async function jupyter(): Promise<Finding> {
  const name = 'Jupyter';
  const script = 'import sys, jupyterlab; print("JupyterLab", jupyterlab.__version__)';
  const own = '.venv/bin/python';
  if (!existsSync(own)) return { name, state: 'missing', found: 'there is no .venv here', remedy: SETUP };
  const { status, stdout } = await runProgram(own, ['-c', script]);
  if (status === 0) return { name, state: 'ok', found: `${stdout.trim()} in .venv` };
  return { name, state: 'missing', found: '.venv has no JupyterLab', remedy: SETUP };
}

function kernelspec(): Finding {
  const name = 'kernelspec';
  const folder = '.venv/share/jupyter/kernels';
  const specs = existsSync(folder) ? readdirSync(folder) : [];
  for (const spec of specs.filter(entry => entry.includes('tunebook'))) {
    try {
      const { argv } = JSON.parse(readFileSync(join(folder, spec, 'kernel.json'), 'utf8')) as { argv: string[] };
      // A spec that points to a moved or deleted clone starts nothing.
      const gone = argv.find(word => word.startsWith('/') && !existsSync(word));
      if (gone === undefined) return { name, state: 'ok', found: join(folder, spec) };
      return { name, state: 'missing', found: `${spec} points to ${gone}, which is not there`, remedy: SETUP };
    } catch (error) {
      return { name, state: 'missing', found: `${spec} cannot be read (${(error as Error).message})`, remedy: SETUP };
    }
  }
  return { name, state: 'missing', found: `no tunebook kernel in ${folder}`, remedy: SETUP };
}

function tfjs(): Finding {
  const copies = tfjsCopies();
  const found = copies.map(({ path, version }) => `${version} in ${path}`).join('; ');
  const ok = copies.length === 1;
  return {
    name: 'tfjs-core',
    state: ok ? 'ok' : 'missing',
    found: ok ? `one copy: ${found}` : `${copies.length} copies: ${found || 'none'}`,
    remedy: ok ? undefined : 'npm dedupe; "npm ls @tensorflow/tfjs-core" shows who brings another one',
  };
}

function gpu(): Finding {
  const driver = nvidiaDriver();
  if ('version' in driver) return { name: 'GPU', state: 'ok', found: `NVIDIA driver ${driver.version}` };
  return { name: 'GPU', state: 'optional', found: driver.missing };
}

/** Compare every byte of the installed libraries with what was installed; a damaged one is said to not work. */
async function checkFiles(backends: BackendStatus[]): Promise<void> {
  for (const name of ['native', 'cuda'] as const) {
    const status = backends.find(row => row.name === name);
    if (!status?.works) continue;
    let task: Progress | undefined;
    const wrong = await verifyInstalled(name, (done, total) => {
      task ??= progress(`check the files of ${name}`, { unit: 'B', total });
      task.update(done);
    });
    task?.finish();
    const remedy = `tunebook backend install ${name} --force`;
    if (wrong !== undefined) Object.assign(status, { works: false, reason: `damaged: ${wrong}`, remedy });
    else status.details.push('checksums right');
  }
}
