import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadUsage } from './usage.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const root = dirname(here);
const venv = join(root, '.venv-bench');
export const venvPython = process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');

/** The Python that has the peers: --python, TUNEBOOK_PEER_PYTHON or .venv-bench. */
export function peerPython(given) {
  const python = given ?? process.env.TUNEBOOK_PEER_PYTHON ?? venvPython;
  const check = spawnSync(python, ['-c', 'import torch, transformers, trl'], { encoding: 'utf8' });
  if (check.status === 0) return python;
  const why = (check.error?.message ?? check.stderr).trim().split('\n').at(-1);
  throw new BadUsage(`${python} does not have the peers (${why}). Run "npm run bench -- setup", give --python, or --no-peer.`);
}

/** Make .venv-bench. */
export async function setUp() {
  if (!existsSync(venvPython)) await command(process.env.PYTHON ?? 'python3', ['-m', 'venv', venv]);
  await command(venvPython, ['-m', 'pip', 'install', '--progress-bar', 'off', '-r', join(here, 'requirements.txt')]);
  console.log(`The peers are in ${venv}`);
}

function command(program, args) {
  console.log(`${program} ${args.join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))));
  });
}

/** Run a worker with a job file as its last argument; its last line on stdout is the result as JSON. */
export function worker(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', data => {
      out += data;
    });
    child.stderr.on('data', data => {
      err += data;
    });
    child.on('error', reject);
    child.on('exit', code => {
      if (code === 0) resolve(JSON.parse(out.trim().split('\n').at(-1)));
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}\n${err.slice(-3000)}`));
    });
  });
}
