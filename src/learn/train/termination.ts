import { isMainThread } from 'node:worker_threads';
import { host } from '../../base/core/index.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const driven = new Set<{ name: string; stop: (signal: string) => void }>();
let pending: NodeJS.Signals | undefined;

/**
 * While a run is driven, the first SIGINT or SIGTERM (Ctrl-C, a scheduler, a shutdown) ends it after its current step, with a checkpoint;
 * then the process ends by that signal as it would have, unless somebody else listens to it. A second signal ends it at once. In a
 * notebook signals are the kernel's, and worker threads get none.
 * @param stop ends the run
 * @returns call it when the run is at rest
 */
export function onTermination(name: string, stop: (signal: string) => void): () => void {
  if (host() || !isMainThread) return () => undefined;
  if (driven.size === 0) for (const signal of SIGNALS) process.on(signal, stopAll);
  const run = { name, stop };
  driven.add(run);
  return () => {
    if (!driven.delete(run) || driven.size > 0) return;
    unlisten();
    const signal = pending;
    pending = undefined;
    if (signal && process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
}

function stopAll(signal: NodeJS.Signals): void {
  pending = signal;
  unlisten();
  for (const { name, stop } of [...driven]) {
    process.stderr.write(`${signal}: "${name}" ends after this step; once more to end at once\n`);
    stop(signal);
  }
}

function unlisten(): void {
  for (const signal of SIGNALS) process.off(signal, stopAll);
}
