import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { root } from '../helpers/built.js';
import type { Lab } from '../helpers/lab.js';
import { gallery } from './examples.js';
import { studies } from './study-examples.js';

/** Screenshots land here for a person to look at; TUNEBOOK_SCREENSHOTS names a folder that stays. */
const folder = process.env.TUNEBOOK_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'tunebook-lab-figures-'));

/** A busy machine is slow, not broken. */
const SLOW = { timeout: 60_000 };

const CORE = JSON.stringify(join(root, 'dist', 'base', 'core', 'index.js'));

/** What shows itself without being asked, one cell each: a model, a weight of it, rows, a Map, messages, a run. */
const BY_THEMSELVES = [
  `import { backend, models, show } from 'tunebook';
await backend.use('cpu');
const model = models.init('nano', { vocabSize: 64, hiddenSize: 16, seed: 1 });
model`,
  'model.parameters[0]',
  "[{ task: 'reverse', rows: 1200, accuracy: 0.8125 }, { task: 'uppercase', rows: 900, accuracy: 0.97 }]",
  "new Map([['a', { x: 1, y: 2 }], ['b', { x: 3, y: 4 }]])",
  "[{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hi there.' }]",
];
const BARS = `const { progress } = await import(${CORE});
const outer = progress('outer', { total: 3 });
outer.update(1);
const inner = progress('inner', { total: 10 });
await new Promise(resolve => setTimeout(resolve, 2100));
inner.update(5);
await new Promise(resolve => setTimeout(resolve, 300));
inner.update(6);`;
const ALL = `import { readFileSync } from 'node:fs';
const figures: Record<string, show.FigureParts> = JSON.parse(readFileSync('figures.json', 'utf8'));
for (const parts of Object.values(figures)) await show.display(show.figure(parts));`;
const FAILS = `const { BadInput } = await import(${CORE});
throw new BadInput({ problem: 'no such thing', expected: 'a thing', found: '<b>none</b>', cause: new Error('deeper') });`;

/**
 * One page with every kind of figure and view, in the dark theme, in which more can go wrong: each is there, drawn by JupyterLab's
 * own Vega without a complaint; and the charts answer the pointer.
 */
export async function showsEverything(lab: Lab): Promise<void> {
  const figures = { ...gallery(), ...studies() };
  writeFileSync(join(lab.folder, 'figures.json'), JSON.stringify(figures));
  const notebook = await lab.open('figures', [...BY_THEMSELVES, BARS, ALL, FAILS], { dark: true });
  const { page } = notebook;
  const complaints: string[] = [];
  // Vega warns and fails in the console.
  page.on('console', message => {
    if (/^(WARN|ERROR)|vega/i.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  await notebook.runAll();
  await notebook.idle();

  const stderr = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]');
  await expect.poll(() => stderr.allTextContents(), SLOW).toEqual([expect.stringMatching(/BadInput.*no such thing.*deeper/s)]);

  const names = Object.keys(figures);
  const [bars, all] = [5, 6].map(cell => notebook.outputs(cell)) as [Locator, Locator];
  await expect.poll(() => all.count(), SLOW).toBe(names.length);
  for (const [i, name] of names.entries()) {
    const wanted = figures[name]!.spec ? '.jp-RenderedVegaCommon5 canvas' : '.jp-RenderedHTML > .tb-figure';
    await expect.poll(() => all.nth(i).locator(wanted).count(), { message: name, ...SLOW }).toBe(1);
  }
  const at = (name: string) => all.nth(names.indexOf(name));
  await expect.poll(() => notebook.outputs(0).locator('canvas').count(), SLOW).toBe(1);
  await expect.poll(() => notebook.outputs(1).locator('canvas').count(), SLOW).toBe(1);
  for (const cell of [2, 3])
    await expect.poll(() => notebook.outputs(cell).locator('.tb-table td').count(), SLOW).toBeGreaterThan(5);
  await expect.poll(() => notebook.outputs(4).locator('.tb-turn').count(), SLOW).toBe(2);
  // The outer task spoke once, before anything was drawn; the bar of the inner one stands below it.
  await expect.poll(() => bars.locator('progress').count(), SLOW).toBe(2);

  expect(await background(at('loss').locator('canvas'))).toEqual([51, 51, 51]);
  await answersThePointer(page, at);
  expect(complaints).toEqual([]);
  await page.screenshot({ path: join(folder, 'figures-lab.png') });
}

/** Hovering says values, a click in a legend fades the other lines, a brush zooms every panel, a menu chooses a head. */
async function answersThePointer(page: Page, at: (name: string) => Locator): Promise<void> {
  const canvas = (name: string) => at(name).locator('canvas');
  const tip = page.locator('#vg-tooltip-element.visible');

  await canvas('loss').hover({ position: { x: 300, y: 150 } });
  await page.mouse.move(1, 1);
  await canvas('loss').hover({ position: { x: 310, y: 152 } });
  await expect.poll(() => tip.textContent(), SLOW).toMatch(/step:?\d+.*loss:?\d\.\d+/);

  // The first name of the legend, some way below the two lines of the subtitle.
  const click = (y: number) => (box: Box) => page.mouse.click(box.x + 110, box.y + y);
  await changes(page, canvas('diversity'), click(66), click(72), click(60), click(78));
  await changes(page, canvas('training'), async box => {
    const y = box.y + box.height - 16;
    await page.mouse.move(box.x + 150, y);
    await page.mouse.down();
    await page.mouse.move(box.x + 250, y, { steps: 4 });
    await page.mouse.up();
  });
  await changes(page, canvas('attention'), () => at('attention').locator('select').selectOption({ index: 1 }));
}

type Box = { x: number; y: number; width: number; height: number };

/** One of the acts, tried in turn, changes the upper part of a chart: above the strip that is brushed. */
async function changes(page: Page, canvas: Locator, ...acts: ((box: Box) => Promise<unknown>)[]): Promise<void> {
  await canvas.scrollIntoViewIfNeeded();
  await page.mouse.move(1, 1);
  const before = await picture(canvas);
  let changed = false;
  for (const act of acts) {
    await act((await canvas.boundingBox())!);
    const until = Date.now() + (act === acts.at(-1) ? 60_000 : 2000);
    while (!changed && Date.now() < until) changed = (await picture(canvas)) !== before;
    if (changed) break;
  }
  expect(changed).toBe(true);
}

/** The pixels of the first 300 rows. */
function picture(canvas: Locator): Promise<string> {
  return canvas.evaluate((node: HTMLCanvasElement) => {
    const { data } = node.getContext('2d')!.getImageData(0, 40, node.width, 300);
    let hash = 0;
    for (const value of data) hash = (Math.imul(hash, 31) + value) | 0;
    return String(hash);
  });
}

function background(canvas: Locator): Promise<number[]> {
  return canvas.evaluate((node: HTMLCanvasElement) => [...node.getContext('2d')!.getImageData(1, 1, 1, 1).data].slice(0, 3));
}
