import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { exportCommand } from '../../src/cli/export.js';
import { JUPYTER_DISPLAY } from '../../src/show/index.js';
import { launchBrowser, skipBrowser } from '../helpers/browser.js';
import { root } from '../helpers/built.js';
import { studies } from '../show/study-examples.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-export-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

async function exported(
  name: string,
  cells: object[],
  ...options: string[]
): Promise<{ file: string; html: string; said: string }> {
  const notebook = join(dir, `${name}.ipynb`);
  await writeFile(notebook, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    said += text;
    return true;
  });
  expect(await exportCommand([notebook, ...options])).toBe(0);
  vi.restoreAllMocks();
  const file = join(dir, `${name}.html`);
  return { file, html: await readFile(file, 'utf8'), said };
}

const code = (...bundles: object[]) => ({
  cell_type: 'code',
  source: 'show.training(run)',
  outputs: bundles.map(data => ({ output_type: 'display_data', data, metadata: {} })),
});

async function studyCells(): Promise<object[]> {
  const cells: object[] = [{ cell_type: 'markdown', source: '# What training did' }];
  for (const figure of Object.values(studies())) cells.push(code(await figure[JUPYTER_DISPLAY]()));
  return cells;
}

test('says what is wrong with its arguments', async () => {
  await expect(exportCommand([])).rejects.toThrow(/no notebook is named/);
  await expect(exportCommand([join(dir, 'none.ipynb')])).rejects.toThrow(/no such file/);
  await expect(exportCommand(['a.ipynb', '--wide'])).rejects.toThrow(/wide/);
  const file = join(dir, 'text.ipynb');
  await writeFile(file, 'hello');
  await expect(exportCommand([file])).rejects.toThrow(/text\.ipynb: the notebook is not JSON/);
  await expect(exportCommand([file, '--out', file])).rejects.toThrow(/replace the notebook/);
});

test('the page has one script, named in its policy by its hash, and none with --static', async () => {
  const { html, said } = await exported('plain', (await studyCells()).slice(0, 3));
  expect(said).toMatch(/plain\.html: [\d.]+ MB, 2 charts, 2 of them live/);
  expect(html).toMatch(/default-src 'none'[^"]*; script-src 'sha256-[\w+/=]{44}'"/);
  expect(html.match(/<script(?! type="application\/json")/g)).toHaveLength(1);
  const { html: still, said: saidStill } = await exported(
    'still',
    (await studyCells()).slice(0, 3),
    '--static',
    '--title',
    'Mine',
  );
  expect(still).not.toContain('<script');
  expect(still).toContain('<title>Mine</title>');
  expect(saidStill).toMatch(/2 charts\n/);
});

describe.skipIf(skipBrowser)('the page in a browser without a network', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A tab that is offline, with what it asked for and what went wrong. `open` waits until every chart has been tried. */
  async function open(
    file: string,
    scheme: 'light' | 'dark' = 'light',
  ): Promise<{ page: Page; requests: string[]; problems: string[] }> {
    const context = await browser.newContext({ offline: true, colorScheme: scheme, viewport: { width: 1000, height: 900 } });
    const page = await context.newPage();
    const [requests, problems]: string[][] = [[], []];
    page.on('request', request => requests!.push(request.url()));
    page.on('pageerror', error => problems!.push(String(error)));
    page.on('console', message => message.type() === 'error' && problems!.push(message.text()));
    page.on('dialog', dialog => {
      problems!.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(pathToFileURL(file).href);
    const holders = await page.locator('[data-chart]').all();
    for (const holder of holders) {
      await holder.scrollIntoViewIfNeeded();
      await expect.poll(() => holder.getAttribute('data-live')).not.toBeNull();
    }
    return { page, requests: requests!, problems: problems! };
  }

  for (const scheme of ['light', 'dark'] as const)
    test(`draws every figure with vega, and answers the pointer (${scheme})`, async () => {
      const { file } = await exported(`studies-${scheme}`, await studyCells());
      const { page, requests, problems } = await open(file, scheme);
      const charts = Object.values(studies()).filter(({ spec }) => spec);
      expect(await page.locator('[data-live=yes]').count()).toBe(charts.length);
      expect(problems).toEqual([]);
      expect(requests.filter(url => !/^(file|data):/.test(url))).toEqual([]);
      // Letters wear the colours of the page.
      const ink = await page
        .locator('[data-live] svg text')
        .first()
        .evaluate(node => getComputedStyle(node).fill);
      expect(ink).toBe(scheme === 'light' ? 'rgb(77, 77, 77)' : 'rgb(196, 196, 196)');
      // The training panel: a rule and its values where the pointer is, in every panel.
      const training = page.locator('[data-chart]').first();
      await training.scrollIntoViewIfNeeded();
      const box = (await training.locator('svg').boundingBox())!;
      await page.mouse.move(box.x + box.width / 2, box.y + 160);
      await page.mouse.move(box.x + box.width / 2 + 4, box.y + 162);
      await expect.poll(() => page.locator('.tb-tip').innerText()).toMatch(/step \d+[\s\S]*loss[\s\S]*learning rate/);
      // Five panels: the rule of each follows.
      await expect.poll(() => training.locator('.mark-rule.role-mark line[opacity="0.8"]').count()).toBe(5);
      if (process.env.TUNEBOOK_SCREENSHOTS)
        await page.screenshot({ path: join(process.env.TUNEBOOK_SCREENSHOTS, `export-${scheme}.png`), fullPage: true });
      // The attention map: another head by its menu.
      const menu = page.locator('.tb-chart-menus select');
      expect(await menu.locator('option').allInnerTexts()).toEqual([
        'layer 1, head 0',
        'layer 0, head 0',
        'layer 0, head 1',
        'layer 1, head 1',
      ]);
      const cells = () =>
        page.locator('[data-chart] .mark-rect path').evaluateAll(nodes => nodes.map(node => node.getAttribute('fill')).join());
      const before = await cells();
      await menu.selectOption({ index: 2 });
      await expect.poll(cells).not.toBe(before);
      await page.context().close();
    });

  test('every notebook of the house: all its charts live, and nothing to complain of', async () => {
    const notebooks = (await readdir(join(root, 'notebooks'))).filter(name => name.endsWith('.ipynb'));
    expect(notebooks.length).toBeGreaterThanOrEqual(5);
    for (const name of notebooks) {
      const file = join(dir, `${name}.html`);
      vi.spyOn(process.stdout, 'write').mockReturnValue(true);
      await exportCommand([join(root, 'notebooks', name), '--out', file]);
      vi.restoreAllMocks();
      const { page, requests, problems } = await open(file);
      const live = await page.locator('[data-chart]').evaluateAll(charts => charts.map(chart => chart.getAttribute('data-live')));
      expect(live, name).toEqual(live.map(() => 'yes'));
      expect(live.length, name).toBeGreaterThan(0);
      expect(problems, name).toEqual([]);
      expect(
        requests.filter(url => !/^(file|data):/.test(url)),
        name,
      ).toEqual([]);
      await page.context().close();
    }
  });

  test('a brush zooms every panel', async () => {
    const { file } = await exported('brush', (await studyCells()).slice(0, 2));
    const { page, problems } = await open(file);
    const chart = page.locator('[data-chart]').first();
    const ticks = () => chart.locator('.role-axis text').allInnerTexts();
    const before = (await ticks()).join();
    const box = (await chart.locator('svg').boundingBox())!;
    const y = box.y + box.height - 20;
    await page.mouse.move(box.x + 200, y);
    await page.mouse.down();
    await page.mouse.move(box.x + 240, y);
    await page.mouse.move(box.x + 300, y);
    await page.mouse.up();
    await expect.poll(async () => (await ticks()).join()).not.toBe(before);
    expect(problems).toEqual([]);
  });

  test('nothing of a hostile notebook runs, leads anywhere or hangs', async () => {
    const pwn = 'window.__pwned=1';
    const html = `<script>${pwn}</script><img src=x onerror="${pwn}"><svg onload="${pwn}"><a href="javascript:${pwn}">x</a><iframe srcdoc="<script>parent.__pwned=1</script>"></iframe>`;
    const spec = (more: object) => ({
      'application/vnd.vegalite.v5+json': {
        $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
        data: { values: [{ a: html, b: 1, href: `javascript:${pwn}` }] },
        mark: 'bar',
        encoding: { x: { field: 'b', type: 'quantitative', title: html }, y: { field: 'a', type: 'nominal' } },
        ...more,
      },
      'text/plain': `</script>${html}`,
    });
    const calculate = (text: string) => spec({ transform: [{ calculate: text, as: 'c' }] });
    const attacks = [
      spec({}),
      spec({ mark: { type: 'bar', href: `javascript:${pwn}`, tooltip: html } }),
      spec({ encoding: { href: { field: 'href' }, x: { field: 'b', type: 'quantitative' } } }),
      spec({ mark: { type: 'image', url: 'https://evil.example/x.png', width: 9, height: 9 } }),
      spec({ data: { url: 'https://evil.example/data.json' } }),
      spec({ params: [{ name: 'p', value: 'x', bind: { input: 'text', onfocus: pwn, autofocus: true, placeholder: html } }] }),
      spec({ params: [{ name: 'p', value: 'x', bind: { element: 'body' } }] }),
      spec({ usermeta: { embedOptions: { loader: { http: html } } }, title: `</script><script>${pwn}</script>` }),
      calculate("datum.a.constructor.constructor('window.__pwned=1')()"),
      calculate("datum['constructor']['constructor']"),
      calculate('{valueOf: 1} + 1'),
      calculate('merge({}, {__proto__: {polluted: 1}})'),
      calculate("replace(datum.a, regexp('(a+)+$'), '')"),
      calculate('sequence(1e9)'),
      calculate("pad('x', 1e9)"),
      spec({ data: { sequence: { start: 0, stop: 1e9 } } }),
      { 'image/svg+xml': `<svg xmlns="http://www.w3.org/2000/svg" onload="${pwn}"><script>${pwn}</script></svg>` },
      { 'text/html': html },
      { 'text/html': `<a ${'"<a '.repeat(200_000)}` },
      {
        'text/markdown': `${html}\n\n[x](javascript:${pwn}) [y](data:text/html,${html}) ${'['.repeat(100_000)}\n\n${'>'.repeat(50_000)}`,
      },
      { 'text/plain': `${'\r'.repeat(500_000)}x\u202e${'y'.repeat(3_000_000)}` },
      { 'image/png': `"><script>${pwn}</script>` },
      {
        'application/vnd.vegalite.v5+json': JSON.parse(`${'{"layer":['.repeat(2000)}1${']}'.repeat(2000)}`),
        'text/plain': 'deep',
      },
    ];
    const { file, html: written } = await exported('hostile', [
      { cell_type: 'markdown', source: `# ${html}\u202e` },
      null as never,
      { cell_type: 'code', source: `</code></pre>${html}`, outputs: [null, 3, { output_type: 'error', traceback: [html, 7] }] },
      { cell_type: 'code', source: 1, outputs: 'x' },
      ...attacks.map(attack => code(attack)),
    ]);
    expect(written.length).toBeLessThan(6e6);
    const { page, requests, problems } = await open(file);
    await page.evaluate(() => {
      for (const node of document.querySelectorAll<HTMLElement>('body *'))
        for (const type of ['mouseover', 'focus', 'error', 'load', 'click', 'pointerenter', 'input'])
          if (!(node instanceof HTMLAnchorElement)) node.dispatchEvent(new MouseEvent(type, { bubbles: true }));
    });
    await page.waitForTimeout(300);
    expect(await page.evaluate(() => (window as { __pwned?: unknown }).__pwned)).toBeUndefined();
    expect(await page.evaluate(() => (({}) as { polluted?: unknown }).polluted)).toBeUndefined();
    expect(requests.filter(url => !/^(file|data):/.test(url))).toEqual([]);
    expect(page.url()).toBe(pathToFileURL(file).href);
    expect(await page.locator('iframe, form, base, [onfocus], [onerror], [onload]').count()).toBe(0);
    for (const target of await page.locator('a').evaluateAll(links => links.map(link => link.getAttribute('href') ?? '')))
      expect(target).toMatch(/^(https?:|mailto:|#|$)/);
    expect(problems.filter(text => !/ERR_|net::/.test(text))).toEqual([]);
    // A bidirectional override in the source is written by name.
    expect(written).not.toContain('\u202e');
  });
});
