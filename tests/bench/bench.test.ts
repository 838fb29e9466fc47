import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { alpacaLike } from '../../bench/alpaca-like.mjs';
import { AXES, BASE, points, sidesOf } from '../../bench/cost.mjs';
import { costFigure } from '../../bench/cost-figure.mjs';
import { judge } from '../../bench/display.mjs';
import { findDeno } from '../../bench/kernel.mjs';
import { chartCells } from '../../bench/kernel-cells.mjs';
import { median, spread, table } from '../../bench/numbers.mjs';
import { Random } from '../../src/base/core/index.js';
import { PALETTE, renderSvg } from '../../src/show/index.js';

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../../bench/bench.mjs', import.meta.url)), ...args], { encoding: 'utf8' });

describe('npm run bench', () => {
  it('says what there is', () => {
    const { status, stdout } = bench();
    expect(status).toBe(0);
    expect(stdout).toMatch(/bench -- setup[\s\S]*bench -- sft[\s\S]*--rounds/);
  });

  it('refuses what it does not know, before anything is built', () => {
    expect(bench('nothing').status).toBe(2);
    expect(bench('sft', '--stepz', '3')).toMatchObject({ status: 2, stderr: expect.stringMatching(/stepz/) });
    expect(bench('sft', '--rounds', '0')).toMatchObject({ status: 2, stderr: expect.stringMatching(/--rounds.*found "0"/) });
    const missing = bench('sft', '--python', '/no/such/python');
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringMatching(/does not have the peers.*bench -- setup/) });
  });
});

describe('bench cost', () => {
  const sides = ['tunebook', 'TRL SFTTrainer'];
  const report = {
    steps: 5,
    points: points().map(point => ({
      ...point,
      tunebook: { ms: point.length * point.batch, peakMB: 500 },
      'TRL SFTTrainer': { ms: 3 * point.length * point.batch, peakMB: 1500 },
    })),
  };

  it('measures every size of every axis once, and the shared point once for all', () => {
    const all = points();
    const sizes = Object.values(AXES).flat().length;
    expect(all).toHaveLength(sizes - 3);
    expect(all.filter(point => point.axes.length > 1)).toEqual([{ ...BASE, axes: Object.keys(AXES) }]);
    expect(bench('cost', '--peers', 'nobody')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/trl and torch.*nobody/),
    });
  });

  it('draws one panel an axis with every side, equal for equal numbers', async () => {
    expect(sidesOf(report)).toEqual(sides);
    const figure = costFigure(report, sides, PALETTE);
    expect(costFigure(structuredClone(report), sides, PALETTE)).toEqual(figure);
    const panels = figure.spec.vconcat.flatMap((row: { hconcat: { data: { values: object[] } }[] }) => row.hconcat);
    expect(panels.map((panel: { data: { values: object[] } }) => panel.data.values.length)).toEqual(
      Object.values(AXES).map(sizes => 2 * sizes.length),
    );
    const svg = await renderSvg(figure.spec);
    for (const text of ['tokens of a row', 'vocabulary', '131,072', ...sides]) expect(svg).toContain(text);
    expect(figure.alt).toContain('rows of a batch 1 to 16: tunebook 128 to 2048 ms, TRL SFTTrainer 384 to 6144 ms');
  });
});

describe('bench display', () => {
  it('fails only where most of the pairs say so', () => {
    expect(judge({ median: 0.004, low: -0.01 })).toBe('held');
    expect(judge({ median: 0.03, low: 0.001 })).toMatch(/not decided/);
    expect(judge({ median: 0.05, low: 0.03 })).toBe('missed');
  });
});

describe('bench kernel', () => {
  it('refuses kernels it does not know, and a Python without Jupyter', () => {
    expect(bench('kernel', '--only', 'bash')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/tunebook, tslab.*"bash"/),
    });
    const missing = bench('kernel', '--jupyter', '/no/such/python');
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringMatching(/jupyter_client.*npm run setup/) });
  });

  it('leaves Deno out where there is none', () => {
    expect(findDeno('/no/such/deno')).toBeUndefined();
  });

  it('draws the same chart in every TypeScript kernel, by the module name that kernel takes', () => {
    const cellsOf = (kernel: string, dist = '/a folder/dist') => chartCells(kernel, { dist, matplotlib: false });
    const [tunebook, tslab, deno] = ['tunebook', 'tslab', 'deno'].map(kernel => cellsOf(kernel));
    expect(cellsOf('tunebook', fileURLToPath(new URL('../../dist', import.meta.url)))[0]!.code).toContain(
      'import("tunebook/show")',
    );
    expect(cellsOf('ipykernel')).toEqual([]);
    expect(tunebook).toEqual(tslab);
    expect(deno![0]!.code).toBe(tunebook![0]!.code.replace('/a folder/', 'file:///a%20folder/'));
  });
});

describe('bench paint', () => {
  it('refuses kernels that do not draw our charts', () => {
    expect(bench('paint', '--only', 'ipykernel')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/tunebook, tslab.*"ipykernel"/),
    });
  });
});

describe('the generated rows', () => {
  it('are Alpaca rows, the same every time', () => {
    const rows = alpacaLike(Random, 50);
    expect(rows).toHaveLength(50);
    expect(alpacaLike(Random, 50)).toEqual(rows);
    for (const row of rows) expect(Object.keys(row)).toEqual(['instruction', 'input', 'output']);
    expect(rows.every((row: { output: string }) => row.output.length > 0)).toBe(true);
  });
});

describe('numbers', () => {
  it('gives medians with their range, and aligned tables', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(spread([3, 1, 2])).toBe('2 (1–3)');
    expect(spread([1.25], 1)).toBe('1.3');
    expect(
      table([
        ['', 'ab'],
        ['row', 1],
      ]),
    ).toBe('     ab\nrow   1');
  });
});
