import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { usable } from '../../helpers/backends.js';
import { ensureBuilt, root } from '../../helpers/built.js';

const [native] = await usable('native');
const { signals } = constants;
const has = (mask: string, signal: number) => ((BigInt(mask) >> BigInt(signal - 1)) & 1n) === 1n;

interface Said {
  heard: number;
  wrong: number;
  main: string;
  threads: string[];
  child: string;
}

describe.skipIf(!native!.here)('signals while TensorFlow computes', () => {
  let said: Said;
  let ended: { code: number | null; signal: NodeJS.Signals | null; errors: string };
  beforeAll(async () => {
    await ensureBuilt();
    const script = fileURLToPath(new URL('./signals-child.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, join(root, 'dist')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, errors] = ['', ''];
    let storm: NodeJS.Timeout | undefined;
    child.stderr.on('data', part => {
      errors += part;
    });
    child.stdout.on('data', part => {
      out += part;
      // Where threads that compute could be reached, a second of this ends the process: "corrupted size vs. prev_size".
      storm ??= setInterval(() => {
        for (let i = 0; i < 50; i++) child.kill('SIGWINCH');
      }, 1);
    });
    ended = await new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, errors })));
    clearInterval(storm);
    said = ended.code === 0 ? JSON.parse(out.split('\n')[1]!) : ({} as Said);
  });

  it('leave memory as it was, and are heard', () => {
    expect(ended).toEqual({ code: 0, signal: null, errors: '' });
    expect(said.wrong).toBe(0);
    expect(said.heard).toBeGreaterThanOrEqual(20);
  });

  it('reach no thread that computes, faults excepted, but one that sleeps', () => {
    for (const name of ['SIGCHLD', 'SIGINT', 'SIGTERM', 'SIGWINCH', 'SIGUSR2'] as const)
      expect([name, has(said.main, signals[name])]).toEqual([name, true]);
    for (const name of ['SIGSEGV', 'SIGABRT', 'SIGFPE', 'SIGPROF'] as const)
      expect([name, has(said.main, signals[name])]).toEqual([name, false]);
    expect(said.threads).toContain('0');
  });

  it('reach child processes as ever', () => {
    expect(said.child).toMatch(/SigBlk:\s*0+\n/);
  });
});
