import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows } from '../../src/prepare/data/index.js';
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

const committed = join(root, 'notebooks', 'templates-and-masks.ipynb');
const instructions = join(root, 'notebooks', 'assets', 'instructions.jsonl');

/** Plain text of the token views, by title. */
const viewsOf = (notebook: Notebook): Record<string, string> =>
  Object.fromEntries(
    outputsOf(notebook)
      .map(output => joined(output.data?.['text/plain']))
      .filter(text => text.includes('(masked) «trained»'))
      .map(text => [text.slice(0, text.indexOf('   [template]')), text]),
  );

function expectComplete(notebook: Notebook) {
  expectWhole(notebook);
  expect(Object.keys(viewsOf(notebook)).length).toBeGreaterThanOrEqual(8);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    await expectCommitted(committed, { cells: 14, lines: 24 });
    expectComplete(await readNotebook(committed));
  });

  test('shows what it says', async () => {
    const views = viewsOf(await readNotebook(committed));
    // Five templates, each with its own end of turn in the trained text.
    const five = views['One conversation, five templates']!;
    for (const end of ['<|im_end|>»', '<|eot_id|>»', '<end_of_turn>»', '<|endoftext|>»']) expect(five).toContain(end);
    expect(five.match(/tokens are trained/g)).toHaveLength(5);
    // Tool results are read, never trained.
    const errand = views['Several turns, with tools']!;
    const trained = [...errand.matchAll(/«([^»]*)»/g)].map(m => m[1]).join(' ');
    expect(trained).toContain('<tool_call>');
    expect(trained).toContain('40 euros are 6,480 yen');
    expect(trained).not.toContain('"currency"');
    expect(errand).toContain('"currency"');
    // The repair trains the end of the turn, which the broken template never wrote.
    const [broken, repaired] = views['Before and after the repair']!.split('\nrepaired\n');
    expect(broken).toContain('with a fork.»');
    expect(repaired).toContain('with a fork.<|im_end|>»');
    const texts = textsOf(await readNotebook(committed));
    const verdicts = texts
      .filter(text => text.startsWith('check '))
      .map(text => text.match(/ {2}(pass|fail|warn) {2}/g)!.map(v => v.trim()));
    expect(verdicts).toEqual([
      ['fail', 'fail', 'fail', 'fail', 'pass'],
      ['pass', 'pass', 'pass', 'pass', 'pass'],
    ]);
  });
});

describe('the committed rows', () => {
  test('are all usable, and hold every kind the notebook speaks of', async () => {
    const rows = await readRows(instructions);
    expect(rows.report.skipped).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(40);
    expect(new Set(rows.map(row => row.task)).size).toBeGreaterThanOrEqual(8);
    const holds = (wanted: (message: (typeof rows)[number]['messages'][number]) => unknown) =>
      rows.filter(row => row.messages.some(m => wanted(m))).length;
    expect(holds(m => m.input)).toBeGreaterThan(3);
    expect(holds(m => m.toolCalls?.length)).toBeGreaterThan(2);
    expect(holds(m => m.role === 'tool' && m.toolCallId)).toBeGreaterThan(2);
    expect(holds(m => m.thinking)).toBeGreaterThan(2);
    expect(rows.filter(row => row.tools?.length).length).toBeGreaterThan(2);
  });
});

describe.skipIf(skipJupyter)('the notebook executed by Jupyter', () => {
  let jupyter: Executor;
  beforeAll(async () => {
    jupyter = await executor(committed, { seconds: 120 });
  });
  afterAll(() => jupyter?.dispose());

  test('gives what is committed, and its page shows the masks', async () => {
    const { executed, notebook } = await jupyter.execute('masks');
    expectComplete(notebook);
    expect(viewsOf(notebook)).toEqual(viewsOf(await readNotebook(committed)));
    if (skipBrowser) return;
    await onPage(executed, async tab => {
      const views = await tab.locator('.tb-tokens').all();
      expect(views.length).toBe(Object.keys(viewsOf(notebook)).length);
      for (const view of views) expect((await view.locator('.tb-toks').first().boundingBox())!.height).toBeGreaterThan(40);
      expect(await tab.locator('.tb-tokens .tb-trained').count()).toBeGreaterThan(100);
      const charts = chartsOf(notebook).length;
      expect(charts).toBeGreaterThan(0);
      expect(await tab.locator('.tb-chart svg').count()).toBe(charts);
      const trained = tab.locator('.tb-toks .tb-trained').first();
      await trained.hover();
      await expect
        .poll(() => trained.evaluate(node => getComputedStyle(node, '::after').content))
        .toMatch(/id \d+.*role assistant.*trained/);
      expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1100);
    });
  });

  test('runs on rows of one’s own', async () => {
    const file = join(jupyter.folder, 'rows.jsonl');
    const rows = Array.from({ length: 30 }, (_, i) => ({
      instruction: `Double ${i}.`,
      input: i % 3 ? '' : 'Carefully.',
      output: `${2 * i}`,
    }));
    await writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'));
    const { notebook } = await jupyter.execute('own', { TUNEBOOK_DATA: file });
    expectComplete(notebook);
    expect(textsOf(notebook).join('')).toContain('30 rows read from');
  });
});
