import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../../../src/base/core/index.js';
import { tInterval } from '../../../src/study/evaluate/index.js';
import { concurrencyFor, cores } from '../../../src/study/experiment/machine.js';
import { SweepState, type TrialRecord } from '../../../src/study/experiment/records.js';
import { SweepResults } from '../../../src/study/experiment/results.js';
import { indexList } from '../../../src/study/experiment/slurm-commands.js';
import { shellWord } from '../../../src/study/experiment/slurm-script.js';
import { interval } from '../../../src/study/experiment/summary.js';

const record = (config: object, seed: number, metrics: object, more: object = {}): TrialRecord =>
  ({
    type: 'end',
    id: JSON.stringify([config, seed]),
    attempt: 1,
    at: '',
    code: '',
    status: 'done',
    config,
    seed,
    metrics,
    ...more,
  }) as TrialRecord;

function results(records: TrialRecord[], budgeted = false): SweepResults {
  const state = new SweepState();
  records.forEach(state.note);
  return new SweepResults('.', state, { ids: records.map(({ id }) => id), budgeted });
}

describe('summaries', () => {
  it("has Student's interval over seeds, and counts what is missing", () => {
    const all = results([
      record({ m: 'a' }, 1, { acc: 0.5, note: 'x' }),
      record({ m: 'a' }, 2, { acc: 0.7, note: 'y' }),
      record({ m: 'a' }, 3, {}, { nonFinite: { acc: 'NaN' } }),
      record({ m: 'b' }, 1, {}, { status: 'failed', error: { message: 'no' } }),
    ]);
    const [a, b] = all.summary();
    expect(a).toMatchObject({ config: { m: 'a' }, metric: 'acc', n: 2, missing: 1 });
    expect(a!.mean).toBeCloseTo(0.6, 12);
    // t(1) = 12.7062, sd/√n = 0.1
    expect(a!.high - a!.mean).toBeCloseTo(1.27062, 5);
    expect(b).toMatchObject({ n: 0, missing: 1, mean: Number.NaN });
    expect(() => all.summary({ metric: 'ac' })).toThrow(/did you mean "acc"\?/);
    expect(() => all.summary({ by: ['n'] })).toThrow(/no setting "n"/);
    expect(all.summary({ by: [] })[0]).toMatchObject({ config: {}, n: 2, missing: 2 });
    expect(results([]).summary()).toEqual([]);
  });

  it.each([
    [1, 12.7062],
    [2, 4.3027],
    [4, 2.7764],
    [5, 2.5706],
    [7, 2.3646],
    [9, 2.2622],
    [29, 2.0452],
    [1000, 1.9623],
  ])('the interval has t(%d) = %d, as tables have it', (freedom, wanted) => {
    const values = Array.from({ length: freedom + 1 }, (_, i) => i % 3);
    const { n, mean, sd, high } = interval(values);
    expect((high - mean) / (sd / Math.sqrt(n))).toBeCloseTo(wanted, 3);
    expect(high).toBe(tInterval(values).high);
  });

  it('of one value has no interval', () => {
    expect(interval([3])).toEqual({ n: 1, mean: 3, sd: Number.NaN, low: Number.NaN, high: Number.NaN });
  });
});

describe('figures', () => {
  const records = [8, 64, 512].flatMap(tasks =>
    ['uniform', 'long-tail'].flatMap(kind =>
      [1, 2].map(seed => record({ tasks, examples: 4096 / tasks, kind }, seed, { acc: tasks / 1000 + seed / 100 })),
    ),
  );

  it('a budget is drawn along its tasks, on a logarithmic axis, a line for each other setting', () => {
    const figure = results(records, true).figure();
    expect(figure).toMatchObject({ x: 'tasks', metric: 'acc', log: true });
    expect(figure.curves.map(({ name }) => name)).toEqual(['uniform', 'long-tail']);
    expect(figure.curves[0]!.points.map(({ n }) => n)).toEqual([8, 64, 512]);
    const [point] = figure.curves[0]!.points;
    expect(point!.value).toBeCloseTo(0.023, 12);
    expect(point!.low!).toBeLessThan(point!.value);
    expect(viewOf(figure)).toMatchObject({ kind: 'curves', data: { count: 'tasks', measure: 'acc', log: true } });
  });

  it('other settings may be the axis or the lines; words alone make a table', () => {
    const rates = [0, 0.5].flatMap(rate => ['a', 'b'].map(m => record({ rate, m }, 1, { acc: rate })));
    expect(results(rates).figure()).toMatchObject({ x: 'rate', log: false });
    expect(
      results(rates)
        .figure({ x: 'rate', lines: 'm' })
        .curves.map(({ name }) => name),
    ).toEqual(['a', 'b']);
    const words = results([record({ m: 'a' }, 1, { acc: 1 }), record({ m: 'b' }, 1, { acc: 0 })]).figure();
    expect(viewOf(words)).toMatchObject({
      kind: 'table',
      data: [
        { m: 'a', mean: 1 },
        { m: 'b', mean: 0 },
      ],
    });
    expect(viewOf(results(rates).figure({ x: 'm' }))).toMatchObject({ kind: 'table' });
    expect(() => results(rates).figure({ x: 'rat' })).toThrow(/did you mean "rate"\?/);
  });
});

describe('the machine', () => {
  it('runs as many trials as processors and memory allow, and at least one', () => {
    expect(concurrencyFor(1, 1e9, { cores: 8, free: 5.5e9 })).toBe(5);
    expect(concurrencyFor(3, 1e9, { cores: 8, free: 1e12 })).toBe(2);
    expect(concurrencyFor(16, 1e12, { cores: 8, free: 1e9 })).toBe(1);
  });

  it('knows the limits of its control group', () => {
    const groups = mkdtempSync(join(tmpdir(), 'tunebook-groups-'));
    try {
      expect(cores(groups)).toBe(availableParallelism());
      writeFileSync(join(groups, 'cpu.max'), 'max 100000\n');
      expect(cores(groups)).toBe(availableParallelism());
      writeFileSync(join(groups, 'cpu.max'), '50000 100000\n');
      expect(cores(groups)).toBe(1);
      rmSync(join(groups, 'cpu.max'));
      mkdirSync(join(groups, 'cpu'));
      writeFileSync(join(groups, 'cpu', 'cpu.cfs_quota_us'), '100000\n');
      writeFileSync(join(groups, 'cpu', 'cpu.cfs_period_us'), '100000\n');
      expect(cores(groups)).toBe(1);
    } finally {
      rmSync(groups, { recursive: true });
    }
  });
});

describe('the language of Slurm and of the shell', () => {
  it.each([
    ['7', [7]],
    ['0-3%2', [0, 1, 2, 3]],
    ['[1,4-6,9-13:2]', [1, 4, 5, 6, 9, 11, 13]],
    ['N/A', []],
  ])('%s', (text, wanted) => {
    expect(indexList(text)).toEqual(wanted);
  });

  it('any text is one word', () => {
    const text = `it's "$HOME" \`id\` \\ \n$(id) ü`;
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text);
  });
});
