import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NOUNS, quickstart } from '../../src/prepare/tasks/index.js';
import { Tokenizer } from '../../src/prepare/tokens/index.js';
import { skipBrowser } from '../helpers/browser.js';
import { root } from '../helpers/built.js';
import {
  chartsOf,
  codeOf,
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
} from './notebook.js';

const committed = join(root, 'notebooks', 'quickstart.ipynb');

function expectComplete(notebook: Notebook) {
  expectWhole(notebook);
  // Two loss curves, the ladder before and after, and what was forgotten.
  expect(chartsOf(notebook)).toHaveLength(4);
  expect(outputsOf(notebook).filter(({ data }) => data && 'text/html' in data).length).toBeGreaterThanOrEqual(6);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    await expectCommitted(committed, { cells: 12, lines: 32 });
    expectComplete(await readNotebook(committed));
  });

  test('reports held-out accuracy that rose', async () => {
    const tables = outputsOf(await readNotebook(committed)).flatMap(({ data }) => joined(data?.['text/plain']));
    const last = tables.at(-1)!.split('\n');
    const shares = (name: string) =>
      last
        .find(line => line.startsWith(name))!
        .match(/\d+(?=\s%)/g)!
        .map(Number);
    // Columns: new inputs, paraphrase, parameters, both, base-only verb, base-only skill, facts.
    expect(Math.max(...shares('base').slice(0, 4))).toBeLessThanOrEqual(2);
    expect(Math.min(...shares('tuned').slice(0, 4))).toBeGreaterThanOrEqual(60);
    expect(Math.min(...shares('with replay').slice(0, 4))).toBeGreaterThanOrEqual(60);
  });
});

describe('the committed base model', () => {
  const base = join(root, 'notebooks', 'assets', 'quickstart-base');

  test('has one token for every noun, in the middle of a line and at its beginning', async () => {
    const tokenizer = await Tokenizer.fromFile(base);
    for (const noun of NOUNS)
      for (const text of [noun, ` ${noun}`]) expect(tokenizer.encodeContent(text).ids, text).toHaveLength(1);
  });

  test('knows facts and worksheets, and answers a question with another question', async () => {
    const [, continued] = codeOf(await readNotebook(committed));
    const text = joined(continued!.outputs!.at(-1)!.data!['text/plain']);
    expect(text).toMatch(/tom lives in\s+oslo \./);
    expect(text).toMatch(/reverse : cat red pen =\s+pen red cat \./);
    expect(text).toMatch(/bee blue bread pen\s+\. [a-z ]+ : [a-z ]+ \./);
  });
});

describe.skipIf(skipJupyter)('the quickstart executed by Jupyter', () => {
  let jupyter: Executor;
  beforeAll(async () => {
    jupyter = await executor(committed, { seconds: 600 });
  });
  afterAll(() => jupyter?.dispose());

  /** Execute the notebook; returns what it wrote, and the figures it published. */
  async function execute(name: string, env: Record<string, string>) {
    const result = join(jupyter.folder, `${name}.json`);
    const { executed, notebook } = await jupyter.execute(name, { TUNEBOOK_RESULT: result, ...env });
    const figures: Record<string, number> = JSON.parse(await readFile(result, 'utf8'));
    return { executed, notebook, figures };
  }

  test('held-out accuracy rises, base text is forgotten, replay keeps it; its page shows the charts', async () => {
    const { executed, notebook, figures } = await execute('quickstart', { TUNEBOOK_STEPS: '200' });
    expectComplete(notebook);
    expect(figures.steps).toBe(200);
    expect(figures.heldOutBefore).toBeLessThanOrEqual(0.02);
    expect(figures.heldOutAfter).toBeGreaterThanOrEqual(0.6);
    expect(figures.heldOutLossAfter).toBeLessThan(figures.heldOutLossBefore! / 4);
    expect(figures.baseLossAfter! - figures.baseLossBefore!).toBeGreaterThan(0.3);
    expect(figures.baseLossAfterReplay! - figures.baseLossBefore!).toBeLessThan(0.15);
    expect(figures.factsBefore).toBeGreaterThan(0.95);
    expect(figures.factsAfterReplay).toBeGreaterThan(figures.factsAfter!);

    if (skipBrowser) return;
    await onPage(executed, async tab => {
      const charts = await tab.locator('.tb-chart svg').all();
      expect(charts).toHaveLength(4);
      for (const chart of charts) {
        const box = (await chart.boundingBox())!;
        expect(Math.min(box.width, box.height)).toBeGreaterThan(100);
        // Something is drawn inside: lines or symbols with an extent of their own.
        const drawn = await chart
          .locator('path')
          .evaluateAll(
            paths =>
              paths.filter(path => path.getBoundingClientRect().width > 20 || path.getBoundingClientRect().height > 5).length,
          );
        expect(drawn).toBeGreaterThan(2);
        expect(await chart.locator('text').count()).toBeGreaterThan(3);
      }
      expect(await tab.locator('.tb-tokens').count()).toBe(2);
      expect(await tab.getByText('<|im_start|>').first().isVisible()).toBe(true);
    });
  });

  test('tells the same story on rows of one’s own', async () => {
    const file = join(jupyter.folder, 'rows.jsonl');
    const rows = quickstart({ seed: 5, rows: 120, perRung: 1 }).rows.map(({ messages: [user, answer] }) => {
      const [instruction, input] = user!.content.split(/ : (?=[a-z ]+$)/);
      return JSON.stringify({ instruction, input, output: answer!.content });
    });
    await writeFile(file, rows.join('\n'));
    const { notebook, figures } = await execute('own', { TUNEBOOK_DATA: file, TUNEBOOK_STEPS: '30' });
    expectComplete(notebook);
    expect(figures.heldOutBefore).toBe(0);
    expect(figures.heldOutLossAfter).toBeLessThan(figures.heldOutLossBefore! / 2);
    expect(figures.baseLossAfter).toBeGreaterThan(figures.baseLossBefore!);
  });
});
