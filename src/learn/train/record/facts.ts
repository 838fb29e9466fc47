import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, hostname, platform, release, totalmem } from 'node:os';
import { version_core } from '@tensorflow/tfjs-core';
import { current } from '../../../base/backend/index.js';
import { host } from '../../../base/core/index.js';
import type { GitState, Hardware, RecordSession, RecordVersions } from './types.js';

/** Milliseconds git may take: nobody waits for all of them. */
const PATIENCE = 20_000;

export function versions(): RecordVersions {
  const backend = current();
  const own = new URL('../../../../package.json', import.meta.url);
  return {
    tunebook: (JSON.parse(readFileSync(own, 'utf8')) as { version: string }).version,
    node: process.versions.node,
    tfjs: version_core,
    ...(backend && { backend: backend.name, details: backend.details }),
    ...(backend?.version && { engine: backend.version }),
  };
}

export function hardware(): Hardware {
  const gpus = nvidiaGpus();
  return {
    os: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    ...(gpus.length > 0 && { gpus }),
  };
}

/** Models of the GPUs that NVIDIA's driver has. */
function nvidiaGpus(): string[] {
  const folder = '/proc/driver/nvidia/gpus';
  try {
    return readdirSync(folder).map(name => {
      const text = readFileSync(`${folder}/${name}/information`, 'utf8');
      return /^Model:\s*(.+)$/m.exec(text)?.[1] ?? 'NVIDIA GPU';
    });
  } catch {
    return [];
  }
}

/** The process a run begins or goes on in. */
export function session(step: number): RecordSession {
  // Jupyter names the notebook to its kernels; in one, argv is the kernel's own.
  const script = host() ? process.env.JPY_SESSION_NAME : process.argv[1];
  const birth = birthOf(process.pid);
  return {
    started: new Date().toISOString(),
    step,
    host: hostname(),
    pid: process.pid,
    ...(birth && { birth }),
    directory: process.cwd(),
    ...(script && { script }),
    versions: versions(),
    hardware: hardware(),
  };
}

/** Whether the process of a session lives; undefined where that cannot be known, as it is another machine's. */
export function lives({ host: machine, pid, birth }: Pick<RecordSession, 'host' | 'pid' | 'birth'>): boolean | undefined {
  if (machine !== hostname()) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const stat = statOf(pid);
  // One that has ended and that nobody has waited for yet (in a container it may stay so) is still listed.
  if (stat && /^[ZX]$/.test(stat[0]!)) return false;
  return birth === undefined || stat?.[19] === birth;
}

/** Linux: when a process began, in clock ticks since the machine did (proc(5), field 22 of stat). */
export function birthOf(pid: number): string | undefined {
  return statOf(pid)?.[19];
}

/** What proc(5) says of a process, from its state (field 3) on. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Commit and changes of the repository around a folder; undefined without git, or where it is not one. Nothing is written. */
export async function gitState(directory: string): Promise<GitState | undefined> {
  try {
    const commit = (await git(directory, 'rev-parse', 'HEAD')).trim();
    const branch = (await git(directory, 'rev-parse', '--abbrev-ref', 'HEAD')).trim();
    const changes = (await git(directory, 'status', '--porcelain')).split('\n').filter(Boolean);
    return {
      commit,
      ...(branch !== 'HEAD' && { branch }),
      dirty: changes.length,
      ...(changes.length > 0 && { changes: changes.slice(0, 100) }),
    };
  } catch {
    return undefined;
  }
}

function git(directory: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // No lock is taken and no program that the repository's own settings name is run.
    const asked = ['-c', 'core.fsmonitor=false', '-C', directory, ...args];
    const env = { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' };
    execFile('git', asked, { timeout: PATIENCE, maxBuffer: 2 ** 24, env, windowsHide: true }, (error, out) =>
      error ? reject(error) : resolve(out),
    ).unref();
  });
}
