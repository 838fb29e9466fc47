import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Leftovers } from '../../src/kernel/leftovers.js';

/** A thread that begins after some looks at it and then computes all the time. */
function thread(startsAfter: number): Worker {
  let looks = 0;
  const eventLoopUtilization = (now?: { active: number }, last?: { active: number }) => {
    if (now && last) return { active: now.active - last.active, idle: 0, utilization: 1 };
    const active = 100 * Math.max(0, ++looks - startsAfter);
    return { active, idle: 0, utilization: active > 0 ? 1 : 0 };
  };
  return { performance: { eventLoopUtilization }, once: () => {} } as unknown as Worker;
}

describe('what an interrupted cell leaves running', () => {
  let cell = 0;
  let leftovers: Leftovers;
  beforeAll(async () => {
    // The kernel keeps Node's timers as they are when it is loaded.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    // Vitest reads and writes files whenever it likes.
    vi.spyOn(process, 'getActiveResourcesInfo').mockReturnValue([]);
    const kernel = await import('../../src/kernel/leftovers.js');
    leftovers = new kernel.Leftovers(() => cell);
    leftovers.install();
  });
  afterAll(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    process.removeAllListeners('worker');
  });

  /** What is told of a cell with such threads; `meanwhile` is called half-way. */
  async function told(threads: Worker[], meanwhile = () => {}): Promise<string> {
    const interrupted = ++cell;
    for (const each of threads) (process as NodeJS.EventEmitter).emit('worker', each);
    let text = '';
    leftovers.watch(
      interrupted,
      () => cell !== interrupted,
      more => {
        text += more;
      },
    );
    await vi.advanceTimersByTimeAsync(450);
    meanwhile();
    await vi.advanceTimersByTimeAsync(10_000);
    return text;
  }

  it('is told of its threads, and of no others', async () => {
    expect(await told([thread(0)])).toMatch(/^Of the interrupted cell this goes on: a worker thread \(/);
    expect(await told([thread(0), thread(0)])).toContain('2 worker threads');
    expect(await told([])).toBe('');
  });

  it('is told of a thread that begins late, as on a busy machine', async () => {
    expect(await told([thread(30)])).toContain('a worker thread');
  });

  it('is not told when another cell was started since, however soon that was over', async () => {
    expect(await told([thread(0)], () => cell++)).toBe('');
  });
});
