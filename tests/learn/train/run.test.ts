import { describe, expect, it } from 'vitest';
import { onProgress, type ProgressEvent, setHost, viewOf } from '../../../src/base/core/index.js';
import type { StepReport } from '../../../src/learn/train/history.js';
import type { TrainableModel } from '../../../src/learn/train/index.js';
import { type Driver, Run } from '../../../src/learn/train/run.js';

function counting(total: number, extra: Partial<Driver> = {}): Driver & { made: number } {
  const driver = {
    name: 'count',
    model: {} as TrainableModel,
    total,
    made: 0,
    async step(): Promise<StepReport | undefined> {
      driver.made++;
      const step = driver.made;
      return {
        step,
        loss: 1 / step,
        gradNorm: 1,
        learningRate: 1,
        tokens: 1,
        padding: 0,
        labelTokens: 1,
        tokensPerSecond: 1,
        labelTokensPerSecond: 1,
        seconds: 1,
        epoch: 0,
        skipped: 0,
      };
    },
    ...extra,
  };
  return driver;
}

describe('Run', () => {
  it('is driven by pulling it, and by nothing else', async () => {
    const driver = counting(3);
    const run = new Run(driver);
    const seen: number[] = [];
    run.onStep(report => void seen.push(report.step));
    await new Promise(resolve => setTimeout(resolve, 5));
    expect(driver.made).toBe(0);
    const history = await run.finish();
    expect(history.step).toEqual([1, 2, 3]);
    expect(seen).toEqual([1, 2, 3]);
    expect(run.status).toBe('done');
    expect(run.last).toMatchObject({ step: 3 });
    await run.finish();
    expect(driver.made).toBe(3);
  });

  it('pauses at break and goes on where it was', async () => {
    const run = new Run(counting(5));
    for await (const { step } of run) if (step === 2) break;
    expect(run.status).toBe('paused');
    const rest: number[] = [];
    for await (const { step } of run.resume()) rest.push(step);
    expect(rest).toEqual([3, 4, 5]);
  });

  it('refuses a second loop while one is driving', async () => {
    const run = new Run(counting(3));
    for await (const _ of run) {
      expect(() => run[Symbol.asyncIterator]()).toThrow(/already being driven.*onStep/);
      await expect(run.finish()).rejects.toThrow(/already being driven/);
    }
    expect(run.step).toBe(3);
  });

  it('keeps steps apart when next() is called twice at once', async () => {
    let inside = 0;
    const driver = counting(2);
    const step = driver.step.bind(driver);
    driver.step = async () => {
      expect(++inside).toBe(1);
      await new Promise(resolve => setTimeout(resolve, 2));
      inside--;
      return step();
    };
    const loop = new Run(driver)[Symbol.asyncIterator]();
    const [a, b] = await Promise.all([loop.next(), loop.next()]);
    expect([a.value.step, b.value.step]).toEqual([1, 2]);
  });

  it('ends after the current step at stop(), and goes on after resume()', async () => {
    const ends: string[] = [];
    const run = new Run(counting(6, { ended: async status => void ends.push(status) }));
    run.onStep(({ step }) => {
      if (step === 2) run.stop();
    });
    await run.finish();
    expect([run.step, run.status]).toEqual([2, 'stopped']);
    await run.finish();
    expect(run.step).toBe(2);
    await run.resume().finish();
    expect([run.step, run.status]).toEqual([6, 'done']);
    expect(ends).toEqual(['stopped', 'stopped', 'done']);
  });

  it('watches an AbortSignal and the signal of the notebook cell', async () => {
    const abort = new AbortController();
    const run = new Run(counting(9), { signal: abort.signal });
    for await (const { step } of run) if (step === 3) abort.abort();
    expect([run.step, run.status]).toEqual([3, 'stopped']);

    const cell = new AbortController();
    const shielded: string[] = [];
    setHost({
      name: 'test',
      display() {},
      clear() {},
      signal: cell.signal,
      shield: section => {
        shielded.push('in');
        return section();
      },
    });
    try {
      for await (const { step } of run.resume()) if (step === 5) cell.abort();
      expect(run.step).toBe(5);
      // Two steps, and the end with its checkpoint.
      expect(shielded).toHaveLength(3);
    } finally {
      setHost(undefined);
    }
    await run.resume().finish();
    expect(run.step).toBe(9);
  });

  it('goes through the macrotask queue at every step', async () => {
    const driver = counting(5);
    const step = driver.step.bind(driver);
    let turns = 0;
    driver.step = async () => {
      // What the step before put into the queue has had its turn.
      expect(turns).toBe(driver.made);
      setImmediate(() => turns++);
      return step();
    };
    await new Run(driver).finish();
    expect(turns).toBeGreaterThanOrEqual(4);
  });

  it('fails with the error of the step, refuses to go on unasked, and resumes when asked', async () => {
    let fail = true;
    const driver = counting(2);
    const step = driver.step.bind(driver);
    driver.step = async () => {
      if (fail) throw new Error('boom');
      return step();
    };
    const run = new Run(driver);
    await expect(run.finish()).rejects.toThrow('boom');
    expect(run.status).toBe('failed');
    await expect(run.finish()).rejects.toThrow(/has failed/);
    fail = false;
    await run.resume().finish();
    expect(run.status).toBe('done');
  });

  it('describes itself and reports progress', async () => {
    const events: ProgressEvent[] = [];
    const off = onProgress(event => events.push(event));
    const run = new Run(counting(2));
    await run.finish();
    off();
    expect(events.map(e => [e.label, e.done, e.total, e.note, e.finished])).toEqual([
      ['count', 1, 2, 'loss 1.000', false],
      ['count', 2, 2, 'loss 0.500', false],
      ['count', 2, 2, 'done', true],
    ]);
    expect(viewOf(run)).toMatchObject({ kind: 'run', data: { name: 'count', total: 2, status: 'done' } });
  });
});
