import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VEGALITE_MIME } from '../../src/show/index.js';
import { WIDGET_MIME } from '../../src/show/widgets.js';
import { type Lab, type LabNotebook, skipLab, skipWidgets, startLab } from '../helpers/lab.js';
import { ALL, ATTACKS } from './attacks.js';
import { showsEverything } from './lab-figures.js';

/** Screenshots land here for a person to look at; TUNEBOOK_SCREENSHOTS names a folder that stays. */
const folder = process.env.TUNEBOOK_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'tunebook-lab-pictures-'));
const PATIENCE = 600_000;

/** Cells that train a tiny model for an hour. */
function training(options: { name?: string; extra?: string } = {}): string[] {
  const name = JSON.stringify(options.name ?? 'sft');
  return [
    `import { backend, models, show, train } from 'tunebook';
await backend.use('cpu');
const model = models.init('nano', { vocabSize: 32, hiddenSize: 16, seed: 1 });
const rows = Array.from({ length: 16 }, (_, i) => { const ids = Array.from({ length: 8 }, (_, j) => (i + 3 * j) % 32); return { ids, labels: ids }; });
const run = train.sft({ model, rows, batchSize: 2, steps: 1_000_000, seed: 1, name: ${name}${options.extra ?? ''} });`,
    `show.live(run);
await run.finish();
console.log('now', run.status, run.step);`,
    `console.log('after', run.status, run.step, 6 * 7);`,
  ];
}

const text = async (notebook: LabNotebook, cell: number) => (await notebook.outputs(cell).allTextContents()).join('\n');
const stopButton = (notebook: LabNotebook) => notebook.page.locator('button.jupyter-button', { hasText: 'Stop' });

/** The outputs of a cell as they are saved. */
const savedOutputs = async (notebook: LabNotebook, cell: number) => JSON.stringify((await notebook.saved()).cells[cell]!.outputs);

/** Steps that the last chart of a saved notebook shows. */
async function chartOf(notebook: LabNotebook): Promise<{ step: number; png: boolean }> {
  const saved = await notebook.saved();
  const charts = saved.cells
    .flatMap(cell => cell.outputs ?? [])
    .flatMap(output => {
      const data = output.data as Record<string, unknown> | undefined;
      return data?.[VEGALITE_MIME] ? [data] : [];
    });
  const spec = charts.at(-1)![VEGALITE_MIME] as { data: { values: { step: number }[] } };
  return { step: spec.data.values.at(-1)!.step, png: charts.at(-1)!['image/png'] !== undefined };
}

/** No script of the data ran, and none of it became an element. */
async function inert({ page }: LabNotebook): Promise<void> {
  await page.evaluate(() => {
    for (const node of document.querySelectorAll<HTMLElement>('.jp-OutputArea *'))
      for (const type of ['mouseover', 'focus', 'error', 'load', 'pointerenter']) node.dispatchEvent(new Event(type));
  });
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => (window as { __pwned?: unknown }).__pwned)).toBeUndefined();
  expect(
    await page.locator('.jp-OutputArea :is(script, iframe, link, object, embed, img[src="x"], a[href^="javascript" i])').count(),
  ).toBe(0);
}

describe.skipIf(skipLab)('in JupyterLab', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  }, PATIENCE);
  afterAll(() => lab?.close(), PATIENCE);

  it.skipIf(skipWidgets)(
    'the Stop button ends a training after its step, and the kernel lives',
    { timeout: PATIENCE },
    async () => {
      const notebook = await lab.open('stop', training({ name: `sft ${ALL}` }));
      await notebook.runAll();
      await stopButton(notebook).waitFor();
      await notebook.page.screenshot({ path: join(folder, 'stop-running.png') });
      await inert(notebook);
      await expect.poll(() => notebook.page.locator('.tb-bars progress').count()).toBe(1);
      await stopButton(notebook).click();
      await notebook.idle();
      await expect.poll(() => text(notebook, 1)).toMatch(/now stopped \d+/);
      const step = Number(/now stopped (\d+)/.exec(await text(notebook, 1))![1]);
      await expect.poll(() => text(notebook, 2)).toContain(`after stopped ${step} 42`);
      await expect.poll(() => stopButton(notebook).count()).toBe(0);
      await expect.poll(() => notebook.page.locator('.tb-bars progress').count()).toBe(0);
      await notebook.page.screenshot({ path: join(folder, 'stop-stopped.png') });
      await expect.poll(() => chartOf(notebook)).toEqual({ step, png: true });
      await inert(notebook);
    },
  );

  it.skipIf(skipWidgets)('the Stop button works in a page that was loaded anew', { timeout: PATIENCE }, async () => {
    const notebook = await lab.open('reload', training());
    await notebook.runAll();
    await stopButton(notebook).waitFor();
    await notebook.saved();
    await notebook.reload();
    await stopButton(notebook).waitFor();
    await notebook.page.screenshot({ path: join(folder, 'reloaded.png') });
    await stopButton(notebook).click();
    await notebook.page.locator('#jp-main-statusbar', { hasText: '| Idle' }).waitFor();
    // JupyterLab shows nothing more of a cell that began before the page was loaded; the next cell tells.
    await notebook.page.locator('.jp-CodeCell').nth(2).locator('.cm-content').click();
    await notebook.page.keyboard.press('Shift+Enter');
    await expect.poll(() => text(notebook, 2)).toMatch(/after stopped \d+ 42/);
  });

  it('the last state of a chart arrives when its cell is interrupted or its run fails', { timeout: PATIENCE }, async () => {
    const cut = await lab.open('cut', training());
    await cut.runAll();
    await cut.page.locator('.tb-bars progress').waitFor();
    await cut.interrupt();
    await cut.idle();
    await expect.poll(() => text(cut, 1)).toContain('KeyboardInterrupt');
    await expect.poll(() => savedOutputs(cut, 1)).toContain('stopped');
    await expect.poll(() => chartOf(cut)).toMatchObject({ png: true });
    await cut.page.screenshot({ path: join(folder, 'interrupted.png') });

    const fails = await lab.open('fails', [
      ...training({ extra: ", hooks: { onStep: ({ step }) => { if (step === 7) throw new Error('no more'); } }" }),
    ]);
    await fails.runAll();
    await fails.idle();
    await expect.poll(() => text(fails, 1)).toContain('no more');
    await expect.poll(() => chartOf(fails)).toEqual({ step: 7, png: true });
  });

  it('every kind of figure and view is drawn, and answers the pointer', { timeout: PATIENCE }, () => showsEverything(lab));

  it('hostile content is inert in every view', { timeout: PATIENCE }, async () => {
    const attacks = JSON.stringify(ATTACKS);
    const cells = [
      `import { show } from 'tunebook';
const attacks: string[] = ${attacks};
const all = attacks.join(' ');
for (const a of attacks) {
  await show.display([{ [a]: a }]);
  await show.display(new Map([[a, a]]));
  await show.display([{ role: a, content: a }]);
  await show.display(show.errorView({ name: a, parts: { problem: a, found: a, fix: a } }));
  await show.display(show.progressBars([{ id: 1, label: a, note: a, done: 1, unit: a, elapsed: 1, finished: false }]));
  await show.display(show.tokens({ title: a, tokens: [{ text: a, id: 1, role: a, control: false, trained: true, loss: 1 }] }));
}
await show.display(show.tensor({ shape: [2], dtype: 'float32', size: 2, isDisposed: false }, [1, 2], { title: all }));
await show.display(show.lossCurve({ loss: [2, 1] }, { title: all }));
await show.display(all);
throw new Error(all);`,
    ];
    const notebook = await lab.open('hostile', cells);
    const requests: string[] = [];
    notebook.page.on('request', request => requests.push(request.url()));
    await notebook.runAll();
    await notebook.idle();
    await expect.poll(() => notebook.outputs(0).count()).toBe(6 * ATTACKS.length + 4);
    await notebook.page.screenshot({ path: join(folder, 'hostile.png') });
    await inert(notebook);
    expect(requests.filter(url => /evil\.example/.test(url))).toEqual([]);
  });

  it('without widgets, the Stop button is a sentence', { timeout: PATIENCE }, async () => {
    const notebook = await lab.open('plain', training(), { widgets: false });
    await notebook.runAll();
    await notebook.page.getByText('To stop sft: interrupt the cell.').waitFor();
    expect(await stopButton(notebook).count()).toBe(0);
    await notebook.page.screenshot({ path: join(folder, 'no-widgets.png') });
    await notebook.interrupt();
    await notebook.idle();
    await expect.poll(() => savedOutputs(notebook, 1)).not.toContain('To stop sft');
    expect(await savedOutputs(notebook, 1)).not.toContain(WIDGET_MIME);
  });
});
