import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BadInput, Interrupted, viewOf } from '../../../src/base/core/index.js';
import { sequence, taskMatrix } from '../../../src/study/forgetting/index.js';

// Made by make_avalanche.py with Avalanche 0.6.0.
interface Case {
  scores: number[][];
  untrained: number[];
  bestFirst: boolean;
  bwt: number;
  forgetting: number;
  forwardTransfer: number;
}
const avalanche = JSON.parse(readFileSync(new URL('avalanche.json', import.meta.url), 'utf8')) as Case[];

const a = [
  [0.9, 0.2, 0.1],
  [0.6, 0.8, 0.3],
  [0.5, 0.9, 0.7],
];
const b = [0.1, 0.15, 0.05];

describe('a matrix of tasks by time', () => {
  test('ACC, BWT, FWT, forgetting and intransigence of a matrix reckoned by hand', () => {
    const matrix = taskMatrix(a, b, { tasks: ['sum', 'sort', 'copy'], alone: [0.95, 0.9, 0.8] });
    expect(matrix.acc).toBeCloseTo((0.5 + 0.9 + 0.7) / 3, 12);
    expect(matrix.bwt).toBeCloseTo((0.5 - 0.9 + (0.9 - 0.8)) / 2, 12);
    expect(matrix.fwt).toBeCloseTo((0.2 - 0.15 + (0.3 - 0.05)) / 2, 12);
    // The best of `sort` before the last moment is 0.8, so that it has gained: forgetting below zero.
    expect(matrix.forgetting).toBeCloseTo((0.9 - 0.5 + (0.8 - 0.9)) / 2, 12);
    expect(matrix.intransigence).toBeCloseTo((0.05 + 0.1 + 0.1) / 3, 12);
    expect(matrix.fates[0]).toEqual({
      task: 'sum',
      untrained: 0.1,
      before: undefined,
      learned: 0.9,
      last: 0.5,
      forgotten: 0.4,
      intransigence: 0.95 - 0.9,
    });
    expect(matrix.fates[2]!.forgotten).toBeUndefined();
    expect(viewOf(matrix)).toEqual({
      kind: 'taskMatrix',
      data: { tasks: ['sum', 'sort', 'copy'], times: ['(untrained)', 'sum', 'sort', 'copy'], scores: [b, ...a] },
    });
  });

  test('the best score counts even where it came after later tasks', () => {
    const matrix = taskMatrix([
      [0.4, 0],
      [0.9, 0.5],
    ]);
    // With two tasks only the first moment is before the last.
    expect(matrix.forgetting).toBeCloseTo(0.4 - 0.9, 12);
    const three = taskMatrix([
      [0.4, 0, 0],
      [0.9, 0.5, 0],
      [0.3, 0.5, 0.6],
    ]);
    expect(three.fates[0]!.forgotten).toBeCloseTo(0.6, 12);
    expect(three.bwt).toBeCloseTo((0.3 - 0.4 + 0) / 2, 12);
  });

  test('what cannot be said is undefined', () => {
    const one = taskMatrix([[0.5]]);
    expect([one.acc, one.bwt, one.fwt, one.forgetting, one.intransigence]).toEqual([0.5, ...Array(4).fill(undefined)]);
    expect(taskMatrix(a).fwt).toBeUndefined();
    const blind = taskMatrix(
      [
        [0.9, Number.NaN],
        [0.4, 0.8],
      ],
      [0, 0],
    );
    expect(blind.fwt).toBeUndefined();
    expect(blind.bwt).toBeCloseTo(-0.5, 12);
  });

  test.each(avalanche)('Avalanche’s backward and forward transfer; its forgetting is at most ours', it => {
    const matrix = taskMatrix(it.scores, it.untrained);
    expect(matrix.bwt).toBeCloseTo(it.bwt, 12);
    expect(matrix.fwt).toBeCloseTo(it.forwardTransfer, 12);
    expect(-matrix.bwt!).toBeCloseTo(it.forgetting, 12);
    expect(matrix.forgetting! - it.forgetting).toBeGreaterThan(-1e-12);
    if (it.bestFirst) expect(matrix.forgetting).toBeCloseTo(it.forgetting, 12);
  });

  test('Avalanche’s forgetting differs where a task was best at another time', () => {
    const differ = avalanche.filter(it => taskMatrix(it.scores).forgetting! > it.forgetting + 0.01);
    expect(differ.length).toBeGreaterThan(0);
  });

  test('scores that are none are refused', () => {
    expect(() => taskMatrix([])).toThrow(BadInput);
    expect(() => taskMatrix([[1, 2]])).toThrow(BadInput);
    expect(() => taskMatrix(a, [0.1])).toThrow(/one score for each task/);
    expect(() => taskMatrix(a, b, { tasks: ['one'] })).toThrow(BadInput);
    expect(() => taskMatrix(a, b, { alone: [1, 1, Number.NaN] })).toThrow(/"alone"/);
    expect(() =>
      taskMatrix([
        [0.5, 0],
        [Number.NaN, 1],
      ]),
    ).toThrow(/score on task 1 after task 2 is not a number/);
  });
});

describe('a sequence of tasks', () => {
  /** A learner that halves what it knew whenever it learns something. */
  const learner = () => {
    let known: Record<string, number> = {};
    return {
      known: () => known,
      train: (task: string) => {
        known = Object.fromEntries(Object.entries(known).map(([name, score]) => [name, score / 2]));
        known[task] = 1;
      },
      score: (task: string) => known[task] ?? 0,
    };
  };

  test('trains in order and scores everything before the first and after each', async () => {
    const { train, score } = learner();
    const told: [readonly number[], string | undefined][] = [];
    const matrix = await sequence({
      tasks: ['x', 'y', 'z'],
      train,
      score: async task => score(task),
      alone: { x: 1, y: 1, z: 1 },
      onScores: (scores, after) => void told.push([scores, after]),
    });
    expect(matrix.scores).toEqual([
      [1, 0, 0],
      [0.5, 1, 0],
      [0.25, 0.5, 1],
    ]);
    expect(matrix.untrained).toEqual([0, 0, 0]);
    expect([matrix.bwt, matrix.fwt, matrix.forgetting, matrix.intransigence]).toEqual([-0.625, 0, 0.625, 0]);
    expect(told.map(([, after]) => after)).toEqual([undefined, 'x', 'y', 'z']);
    expect(told[2]![0]).toEqual([0.5, 1, 0]);
  });

  test('goes on from scores that are there, and takes those that are all there', async () => {
    const { train, score, known } = learner();
    train('x');
    const rest = { tasks: ['x', 'y'], train, score, untrained: [0, 0] };
    const matrix = await sequence({ ...rest, scores: [[1, 0]] });
    expect(matrix.scores).toEqual([
      [1, 0],
      [0.5, 1],
    ]);
    const before = known();
    const again = await sequence({ ...rest, scores: matrix.scores });
    expect(again.bwt).toBe(-0.5);
    expect(known()).toBe(before);
  });

  test('what is no sequence is refused, and it can be stopped', async () => {
    const { train, score } = learner();
    await expect(sequence({ tasks: [], train, score })).rejects.toThrow(BadInput);
    await expect(sequence({ tasks: ['x', 'x'], train, score })).rejects.toThrow(/name of its own/);
    await expect(sequence({ tasks: ['x', 'y'], train, score, alone: { x: 1 } })).rejects.toThrow(/"y" alone/);
    await expect(sequence({ tasks: ['x'], train, score: () => Number.NaN })).rejects.toThrow(/"x" before training is no number/);
    // Told before anything is trained.
    const never = () => Promise.reject(new Error('trained in vain'));
    for (const scores of [
      [[1]],
      [
        [1, 0],
        [1, 1],
        [1, 1],
      ],
    ])
      await expect(sequence({ tasks: ['x', 'y'], train: never, score, scores })).rejects.toThrow(/scores from before/);
    await expect(sequence({ tasks: ['x', 'y'], train: never, score, untrained: [0] })).rejects.toThrow(/scores from before/);
    await expect(sequence({ tasks: ['x'], train, score, signal: AbortSignal.abort() })).rejects.toThrow(Interrupted);
  });
});
