import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { alpacaLike } from '../../bench/alpaca-like.mjs';
import { median, spread, table } from '../../bench/numbers.mjs';
import { Random } from '../../src/base/core/index.js';

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
