// What the operating system knows of processes: Linux tells it in /proc, other systems through pgrep.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The state of this process's main thread; undefined where the system does not tell. */
export function mainThread(): { runnable: boolean; computed: number } | undefined {
  try {
    const folder = `/proc/self/task/${process.pid}`;
    // The state stands behind the name, which may hold anything.
    const stat = readFileSync(`${folder}/stat`, 'latin1');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    const [nanoseconds] = readFileSync(`${folder}/schedstat`, 'latin1').split(' ');
    // D: it waits for the disk, or for memory that lies there.
    return { runnable: state === 'R' || state === 'D', computed: Number(nanoseconds) / 1e6 };
  } catch {
    return undefined;
  }
}

/** Command line of a process; empty where the system does not tell. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** The processes that `pid` started and theirs, without those in `except` and what those started. */
export function descendants(pid: number, except: ReadonlySet<number> = new Set()): number[] {
  return children(pid)
    .filter(child => !except.has(child))
    .flatMap(child => [child, ...descendants(child)]);
}

function children(pid: number): number[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  } catch {
    text = process.platform === 'linux' ? '' : spawnSync('pgrep', ['-P', String(pid)], { encoding: 'latin1' }).stdout || '';
  }
  return text.split(/\s+/).filter(Boolean).map(Number);
}
