import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipBrowser } from '../helpers/browser.js';
import { root } from '../helpers/built.js';
import {
  chartsOf,
  type Executor,
  executor,
  expectCommitted,
  expectComplete as expectWhole,
  line,
  type Notebook,
  onPage,
  readNotebook,
  shown,
  skipJupyter,
  textsOf,
} from './notebook.js';

const committed = join(root, 'notebooks', 'training.ipynb');

function expectComplete(notebook: Notebook) {
  expectWhole(notebook);
  // Three losses as they fell, all three, the broken run, the hook, and the curves of the records.
  expect(chartsOf(notebook)).toHaveLength(7);
}

/** Held-out accuracy in percent by lambda: the new task, and what the model knew. */
function heldTo(notebook: Notebook, lambda: string): { doubling: number; known: number } {
  const [, doubling, known] = line(shown(notebook, 'Held-out accuracy'), `${lambda} `);
  return { doubling: Number.parseFloat(doubling!), known: Number.parseFloat(known!) };
}

/** What holds however long the training was. */
function expectSound(notebook: Notebook, steps: number) {
  const texts = textsOf(notebook).join('\n');
  expect(texts).toMatch(new RegExp(`ended by SIGKILL after step \\d+ of ${steps}\n`));
  expect(texts).toMatch(/left on disk: .*step-\d{6}/);
  const losses = shown(notebook, 'Losses').slice(3, 9);
  for (const row of losses) expect(row.split(/ {2,}/).at(-1)!.trim(), row).toBe('0');
  expect(texts).toContain(`${steps} of ${steps} losses are equal to the last bit`);
  expect(texts).toMatch(/The loss is NaN \(the first gradient .*\) at step \d+; .* line 42.*⟦/);
  expect(texts).toMatch(/the run failed after step \d+\n/);
  expect(texts).toContain('done after 16 steps; around the batch that was left out:');
  const records = shown(notebook, 'Recorded runs');
  expect(line(records, 'killed and resumed').slice(1, 3)).toEqual(['finished', `${steps}/${steps}`]);
  expect(line(records, 'killed and resumed')[5]).toBe('2');
  expect(line(records, 'full fine-tuning')[5]).toBe('1');
  expect(line(records, 'poisoned ')[1]).toBe('failed');
  // The same rows, by their hash.
  const rows = ['full fine-tuning', 'LoRA', 'soft prompt', 'killed and resumed'].map(name => line(records, name).at(-1));
  expect(new Set(rows).size).toBe(1);
  const trained = ['full', 'LoRA', 'soft'].map(name => Number.parseFloat(line(shown(notebook, 'What each costs'), name)[1]!));
  expect(trained[0]).toBe(100);
  expect(trained[1]).toBeLessThan(12);
  expect(trained[2]).toBeLessThan(1);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    await expectCommitted(committed, { cells: 12, lines: 30 });
    expectComplete(await readNotebook(committed));
  });

  test('shows what it says', async () => {
    const notebook = await readNotebook(committed);
    expectSound(notebook, 150);
    const costs = shown(notebook, 'What each costs');
    for (const name of ['full', 'LoRA']) expect(Number.parseFloat(line(costs, name)[3]!), name).toBeGreaterThan(90);
    expect(Number.parseFloat(line(costs, 'soft')[3]!)).toBeGreaterThan(40);
    // The hook keeps what was known, and the task is learned all the same.
    const [free, held] = [heldTo(notebook, '0'), heldTo(notebook, '1')];
    expect(held.doubling).toBeGreaterThan(85);
    expect(held.known).toBeGreaterThan(free.known + 25);
  });
});

describe.skipIf(skipJupyter)('the notebook executed by Jupyter', () => {
  let jupyter: Executor;
  beforeAll(async () => {
    jupyter = await executor(committed, { seconds: 300 });
  });
  afterAll(() => jupyter?.dispose());

  test('trains three ways, survives a kill bit by bit, holds back, leaves NaN out, and finds its records', async () => {
    const { executed, notebook } = await jupyter.execute('training', { TUNEBOOK_STEPS: '40' });
    expectComplete(notebook);
    expectSound(notebook, 40);
    expect(heldTo(notebook, '1').known).toBeGreaterThan(heldTo(notebook, '0').known);
    if (skipBrowser) return;
    await onPage(executed, async page => {
      expect(await page.locator('.tb-chart svg').count()).toBe(7);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1100);
    });
  });
});
