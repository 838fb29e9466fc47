import { type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Unavailable } from '../../core/index.js';

/** What a program that was run left behind. */
export interface Finished {
  status: number;
  stdout: string;
  stderr: string;
}

/** Run a program to its end; never throws for a failing status. Status 127 when it does not exist. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: string } = {},
): Promise<Finished> {
  return new Promise(resolve => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', chunk => {
      stdout += chunk;
    });
    child.stderr?.on('data', chunk => {
      stderr += chunk;
    });
    child.on('error', error => {
      resolve({
        status: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 127 : 126,
        stdout,
        stderr: stderr || error.message,
      });
    });
    child.on('close', (status, signal) => resolve({ status: status ?? (signal ? 128 : 1), stdout, stderr }));
    // A child that ends without reading its input is no error of ours.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** A Python that is at least 3.10 and has pip. */
export interface Python {
  command: string;
  version: string;
}

const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];

/** The first Python ≥ 3.10 with pip: `PYTHON`, the project's own `.venv`, then what PATH has. Throws `Unavailable` with what was tried. */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<Python> {
  const tried: string[] = [];
  const own = env.PYTHON ? [env.PYTHON] : ['.venv/bin/python'].filter(path => existsSync(path));
  for (const command of [...own, ...CANDIDATES]) {
    const script = 'import sys, pip; print(".".join(map(str, sys.version_info[:3])), pip.__version__)';
    const { status, stdout, stderr } = await runProgram(command, ['-c', script], { env });
    const version = stdout.trim().split(' ')[0] ?? '';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (status === 0 && (major > 3 || (major === 3 && minor >= 10))) return { command, version };
    if (status === 127) continue;
    tried.push(
      `${command}: ${status === 0 ? `Python ${version}` : /No module named .?pip/.test(stderr) ? 'has no pip' : 'does not run'}`,
    );
  }
  throw new Unavailable({
    problem: 'no usable Python was found to fetch the TensorFlow wheel with',
    expected: 'Python ≥ 3.10 with pip on PATH (or named by PYTHON)',
    found: tried.length ? tried.join(', ') : 'none',
    fix: 'install Python (Debian and Ubuntu: apt install python3 python3-pip python3-venv), or set TUNEBOOK_TF_WHEEL to a wheel you have',
  });
}
