import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  host: string;
  pid: number;
  /** When it began, in the words of this system; empty where that cannot be told. */
  start: string;
}

/** This process. */
export function identity(): ProcessIdentity {
  return { host: hostname(), pid: process.pid, start: startOf(process.pid) ?? '' };
}

/** Whether that process still runs; undefined where this machine cannot know, because it ran on another one. */
export function isAlive({ host, pid, start }: ProcessIdentity): boolean | undefined {
  if (host !== hostname()) return undefined;
  const now = startOf(pid);
  return now !== undefined && (start === '' || now === '' || now === start);
}

/** When a process began; undefined where there is none with this number, or one that has ended and waits to be collected. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') return linuxStart(pid);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** The boot and the clock tick in which it began. */
function linuxStart(pid: number): string | undefined {
  try {
    const fields = statOf(pid);
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** What the system says of a process from its state on: proc(5), the third and further fields of `stat`. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may hold anything; the fields wanted stand behind its last bracket.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** A variable in the environment of every process of an attempt: its folder. */
export const MARK = 'TUNEBOOK_ATTEMPT';

/**
 * End every process of an attempt at a trial: its process group, and those that left the group but carry its mark in their
 * environment (Linux only).
 * @param pid leader of the group
 */
export function signalAttempt(pid: number, folder: string, signal: NodeJS.Signals): void {
  // Found before the first of them is gone, and told once each.
  const others = strays(pid, folder);
  for (const to of [process.platform === 'win32' ? pid : -pid, ...others]) {
    try {
      process.kill(to, signal);
    } catch {
      // It has ended by itself.
    }
  }
}

/** Processes with the mark of this folder that are not in the group. */
function strays(group: number, folder: string): number[] {
  if (process.platform !== 'linux') return [];
  const mark = `${MARK}=${folder}`;
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark)) return [];
      return Number(statOf(Number(name))[2]) === group ? [] : [Number(name)];
    } catch {
      return []; // It has ended, or is somebody else's.
    }
  });
}
