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

const committed = join(root, 'notebooks', 'models-and-adapters.ipynb');

function expectComplete(notebook: Notebook) {
  expectWhole(notebook);
  // Parameters of the model and of the adapters, three losses, what each learned.
  expect(chartsOf(notebook)).toHaveLength(6);
}

/** Held-out accuracy by what learned: the new task, and what the model knew. */
function accuracy(notebook: Notebook): Record<string, { trained: number; doubling: number; known: number }> {
  const lines = shown(notebook, 'Held-out accuracy of each');
  return Object.fromEntries(
    ['lora', 'bottleneck', 'prompt', 'full fine-tuning'].map(name => {
      const [, trained, , doubling, known] = line(lines, name);
      return [
        name,
        {
          trained: Number(trained!.replaceAll(',', '')),
          doubling: Number.parseFloat(doubling!),
          known: Number.parseFloat(known!),
        },
      ];
    }),
  );
}

/** What holds however long the training was: files, round trips, switching. */
function expectSound(notebook: Notebook) {
  const texts = textsOf(notebook).join('\n');
  expect(texts).toContain('logits of the saved and of the loaded model: 0\n');
  expect(texts).toMatch(/user {7}please turn around these words : bee blue bread pen\nassistant {2}pen bread blue bee/);
  const back = shown(notebook, 'Saved and loaded again');
  for (const name of ['lora', 'bottleneck', 'prompt']) expect(line(back, name).at(-1), name).toBe('0');
  const files = shown(notebook, 'Saved adapters').join('\n');
  expect(files.match(/adapter_config\.json/g)).toHaveLength(3);
  expect(files.match(/adapter_model\.safetensors/g)).toHaveLength(3);
  const merging = shown(notebook, 'Logits compared');
  expect(Number(line(merging, 'adapter on – merged').at(-1)!.replace('−', '-'))).toBeLessThan(1e-3);
  expect(line(merging, 'before – after').at(-1)).toBe('0');
  expect(texts).toContain('The adapter does not fit this model – of another shape:');
  expect(shown(notebook, 'One model, four ways').at(-2)).toMatch(/^none .* pen red cat$/);
  const { lora, bottleneck, prompt, 'full fine-tuning': full } = accuracy(notebook);
  expect(prompt!.trained).toBeLessThan(bottleneck!.trained);
  expect(bottleneck!.trained).toBeLessThan(lora!.trained);
  expect(lora!.trained).toBeLessThan(full!.trained / 8);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    await expectCommitted(committed, { cells: 16, lines: 28 });
    expectComplete(await readNotebook(committed));
  });

  test('shows what it says', async () => {
    const notebook = await readNotebook(committed);
    expectSound(notebook);
    const learned = accuracy(notebook);
    for (const name of ['lora', 'bottleneck', 'full fine-tuning']) expect(learned[name]!.doubling, name).toBeGreaterThan(90);
    expect(learned.prompt!.doubling).toBeGreaterThan(50);
    const texts = textsOf(notebook).join('');
    for (const name of ['lora', 'prompt'])
      expect(Number(new RegExp(`${name}: largest difference from PEFT (\\S+),`).exec(texts)![1])).toBeLessThan(1e-3);
  });
});

describe.skipIf(skipJupyter)('the notebook executed by Jupyter', () => {
  let jupyter: Executor;
  beforeAll(async () => {
    jupyter = await executor(committed, { seconds: 300 });
  });
  afterAll(() => jupyter?.dispose());

  test('loads, chats, adapts, saves and loads again; its page shows it', async () => {
    const { executed, notebook } = await jupyter.execute('models-and-adapters', { TUNEBOOK_STEPS: '40' });
    expectComplete(notebook);
    expectSound(notebook);
    expect(accuracy(notebook).lora!.doubling).toBeGreaterThan(50);
    if (skipBrowser) return;
    await onPage(executed, async page => {
      expect(await page.locator('.tb-chart svg').count()).toBe(6);
      expect(await page.locator('.tb-talk .tb-turn').count()).toBeGreaterThanOrEqual(6);
      const turn = page.locator('.tb-talk .tb-turn').first();
      expect((await turn.boundingBox())!.height).toBeGreaterThan(30);
      expect(await turn.evaluate(node => getComputedStyle(node).paddingLeft)).toBe('12px');
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1100);
    });
  });
});
