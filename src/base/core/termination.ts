import { host } from './host.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const driven = new Set<{ name: string; how: string; stop: (signal: string) => void }>();
let pending: NodeJS.Signals | undefined;

/**
 * While something is driven (a run, a sweep), the first SIGINT or SIGTERM (Ctrl-C, a scheduler, a shutdown) ends it in good order;
 * then the process ends by that signal as it would have, unless somebody else listens to it. A second signal ends it at once. In a
 * notebook signals are the kernel's, and worker threads get none.
 * @param how what a person is told of that, e.g. `ends after this step`
 * @param stop ends it
 * @returns call it when it is at rest
 */
export function onTermination(name: string, how: string, stop: (signal: string) => void): () => void {
  // Asked for here, so that the rooms that stand on core load in a browser page.
  if (host() || !process.getBuiltinModule('node:worker_threads').isMainThread) return () => undefined;
  if (driven.size === 0) for (const signal of SIGNALS) process.on(signal, stopAll);
  const run = { name, how, stop };
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
  for (const { name, how, stop } of [...driven]) {
    process.stderr.write(`${signal}: "${name}" ${how}; once more to end at once\n`);
    stop(signal);
  }
}

function unlisten(): void {
  for (const signal of SIGNALS) process.off(signal, stopAll);
}
