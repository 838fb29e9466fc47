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
  joined,
  type Notebook,
  onPage,
  outputsOf,
  readNotebook,
  skipJupyter,
  textsOf,
} from './notebook.js';

const committed = join(root, 'notebooks', 'displays.ipynb');

/** First lines of the figures that the gallery must show; those of long studies say that their numbers are made up. */
const REAL = [
  'Length and trained share of the rows',
  'Mixture of five tasks',
  'Five templates on the same rows',
  'The model and its memory',
  'Attention before training',
  'Which tokens carry loss',
  'instruction tuning',
  'Training loss',
  'Two learning rates',
  'Answers before and after',
  'Exact match on held-out instructions',
  'Right answers beside the baselines',
  'Answers of the tuned model',
  'pair 1 of ',
  'What this training gave and took',
  'Drift of the weights',
  'Four tasks, one after another',
];
const GENERATED = [
  'Learning and forgetting',
  'Divergence and forgetting',
  'Number of tasks and what is learned',
  'Without replay (a) and with it (b), six seeds',
  'Training on rewards',
  'Preference margins',
];

function expectComplete(notebook: Notebook) {
  expectWhole(notebook);
  expect(chartsOf(notebook)).toHaveLength(18);
  const titles = textsOf(notebook).map(text => text.split('\n')[0]!);
  for (const title of REAL) {
    const found = titles.filter(each => each.startsWith(title));
    expect(found, title).not.toEqual([]);
    expect(found.join(), title).not.toContain('generated');
  }
  for (const title of GENERATED) expect(titles, title).toContain(`${title} (generated)`);
  for (const { spec, text } of outputsOf(notebook).flatMap(({ data }) => (data ? [described(data)] : [])))
    if (spec) expect(spec.description, text).toMatch(/\w.*\d/);
}

function described(data: Record<string, unknown>) {
  return {
    spec: data['application/vnd.vegalite.v5+json'] as { description: string } | undefined,
    text: joined(data['text/plain']),
  };
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    await expectCommitted(committed, { cells: 21, lines: 22 });
    expectComplete(await readNotebook(committed));
  });

  test('shows a model that learned', async () => {
    const texts = textsOf(await readNotebook(committed));
    const [, first, last] = texts
      .join('\n')
      .match(/Loss falls from ([\d.]+) to ([\d.]+) in 160 steps/)!
      .map(Number);
    expect(last).toBeLessThan(first! / 10);
    expect(texts.join('\n')).toMatch(/Mean forgetting [1-9]/);
  });
});

describe.skipIf(skipJupyter)('the notebook executed by Jupyter', () => {
  let jupyter: Executor;
  beforeAll(async () => {
    jupyter = await executor(committed, { seconds: 200 });
  });
  afterAll(() => jupyter?.dispose());

  test('shows every figure, and its page every chart', async () => {
    const { executed, notebook } = await jupyter.execute('displays', { TUNEBOOK_STEPS: '24' });
    expectComplete(notebook);
    if (skipBrowser) return;
    await onPage(executed, async tab => {
      expect(await tab.locator('.tb-chart svg').count()).toBe(18);
      expect(await tab.locator('.tb-gen').count()).toBeGreaterThan(3);
      expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1100);
    });
  });
});
