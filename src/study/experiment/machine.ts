import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Where the limits of this process's control group stand; tests give others. */
const GROUPS = '/sys/fs/cgroup';

/** Processors this process may use: what the scheduler gives it, and what its control group (a container, a job) may spend. */
export function cores(groups: string = GROUPS): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota(groups)) || 1));
}

/** Processors' worth of time a control group may use (cgroup v2 `cpu.max`, v1 `cpu.cfs_quota_us`); Infinity where it has no limit. */
function quota(groups: string): number {
  const read = (name: string) => {
    try {
      return readFileSync(`${groups}/${name}`, 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const [most, period] = read('cpu.max')?.split(' ') ?? [read('cpu/cpu.cfs_quota_us'), read('cpu/cpu.cfs_period_us')];
  const share = Number(most) / Number(period);
  return share > 0 ? share : Number.POSITIVE_INFINITY;
}

/** Bytes that can still be used, within the limits of the control group (Node asks the system for both). */
export function freeMemory(): number {
  return process.availableMemory();
}

/**
 * Trials to run at once: as many as there are processors for their threads and memory for what each needs; at least one.
 * @param memory bytes of one trial
 */
export function concurrencyFor(threads: number, memory: number, limits: { cores: number; free: number }): number {
  return Math.max(1, Math.min(Math.floor(limits.cores / threads), Math.floor(limits.free / memory)));
}

/** The variables by which numeric libraries are told how many threads they may use. */
export function threadVariables(threads: number): Record<string, string> {
  const names = [
    'OMP_NUM_THREADS',
    'MKL_NUM_THREADS',
    'OPENBLAS_NUM_THREADS',
    'TF_NUM_INTRAOP_THREADS',
    'TF_NUM_INTEROP_THREADS',
  ];
  return Object.fromEntries(names.map(name => [name, String(threads)]));
}
