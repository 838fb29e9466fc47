import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, skipWidgets, startLab } from '../helpers/lab.js';

/** Where pictures of what was seen go, for whoever wants to look. */
const pictures = process.env.TUNEBOOK_PICTURES;

const SCORED = `
import { evaluate, show } from 'tunebook';
const rows: any[] = Array.from({ length: 45 }, (_, i) => ({ task: ['copy', 'reverse'][i % 2], messages: [{ role: 'user', content: 'repeat ' + i + ' : bee <b>pen</b>' }, { role: 'assistant', content: 'bee pen ' + i }] }));
const arm = (name: string, good: number) => evaluate.judgeAnswers(rows.map((_, i) => (i % good === 0 ? 'bee pen ' + i : 'bee red pen')), { rows, name });
const [base, tuned] = [await arm('base', 5), await arm('tuned', 2)];
`;

/** A busy machine takes its time. */
const patience = { timeout: 60_000 };

describe.skipIf(skipWidgets)('scores in JupyterLab', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  }, 240_000);
  afterAll(() => lab?.close());

  it('are filtered by ticks without a kernel, and by lists, search and buttons with one; pairs are rated by buttons', async () => {
    const notebook = await lab.open('scores', [
      SCORED,
      'show.samples(tuned, { limit: 6 })',
      'const browser = await show.browse(tuned, { limit: 5 }); 0',
      "const session = await show.rate(evaluate.pairs([base, tuned], { rows: 6 }).slice(0, 2), { file: 'ratings.jsonl' }); 0",
    ]);
    await notebook.runAll();
    await notebook.idle(120);
    const picture = async (name: string, cell: number) => {
      if (pictures)
        await notebook
          .outputs(cell)
          .first()
          .screenshot({ path: join(pictures, `${name}.png`) });
    };
    const cards = notebook.outputs(1);
    expect((await notebook.outputs(0).allTextContents()).join('')).toBe('');
    await expect.poll(() => cards.locator('.tb-card:visible').count(), patience).toBe(6);
    await cards.locator('summary', { hasText: 'Filter' }).click();
    await cards.locator('label', { hasText: 'right' }).locator('input').uncheck();
    await expect.poll(() => cards.locator('.tb-card:visible').count(), patience).toBe(3);
    await picture('samples', 1);

    const browser = notebook.page.locator('.jp-CodeCell').nth(2);
    await expect.poll(() => browser.locator('.tb-card').count(), patience).toBe(5);
    await browser.locator('select').first().selectOption('wrong');
    await expect.poll(() => browser.innerText(), patience).toContain('22 pass the filter');
    await browser.locator('select').nth(1).selectOption('reverse');
    await expect.poll(() => browser.innerText(), patience).toContain('Page 1 of 5');
    await browser.locator('button', { hasText: '▶' }).click();
    await expect.poll(() => browser.innerText(), patience).toContain('Page 2 of 5');
    await browser.locator('input[type=text]').fill('repeat 13');
    await browser.locator('input[type=text]').press('Enter');
    await expect.poll(() => browser.locator('.tb-card').count(), patience).toBe(1);
    if (pictures) await browser.screenshot({ path: join(pictures, 'browse.png') });

    const rating = notebook.page.locator('.jp-CodeCell').nth(3);
    await expect.poll(() => rating.innerText(), patience).toContain('pair 1 of 2');
    if (pictures) await rating.screenshot({ path: join(pictures, 'rate.png') });
    await rating.locator('button', { hasText: 'A is better' }).click();
    await expect.poll(() => rating.innerText(), patience).toContain('pair 2 of 2');
    await rating.locator('button', { hasText: 'Tie' }).click();
    await expect.poll(() => rating.innerText(), patience).toContain('2 of 2 pairs are done');
    await expect.poll(() => rating.locator('button.jupyter-button').count(), patience).toBe(0);
    const file = join(lab.folder, 'ratings.jsonl');
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim().split('\n').length, patience).toBe(2);
  }, 300_000);
});
