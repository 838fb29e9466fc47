import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { page, renderPng } from '../../src/show/index.js';
import { addVega, drawSpecs, launchBrowser, skipBrowser } from '../helpers/browser.js';
import { gallery } from './examples.js';

/** Screenshots land here for a person to look at; TUNEBOOK_SCREENSHOTS names a folder that stays. */
const folder = process.env.TUNEBOOK_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'tunebook-show-'));

describe.skipIf(skipBrowser)('the gallery in Chromium', () => {
  let browser: Browser;
  let html: string;
  beforeAll(async () => {
    browser = await launchBrowser();
    html = await page(Object.values(gallery()), { title: 'Gallery' });
    writeFileSync(join(folder, 'gallery.html'), html);
  });
  afterAll(() => browser?.close());

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`shows charts, masks and tables in ${colorScheme}`, async () => {
      const tab = await browser.newPage({ colorScheme, viewport: { width: 920, height: 1000 }, deviceScaleFactor: 1.5 });
      const errors: string[] = [];
      tab.on('console', message => message.type() === 'error' && errors.push(message.text()));
      await tab.setContent(html);
      expect(await tab.locator('svg.marks').count()).toBe(10);
      expect(await tab.locator('.tb-toks').count()).toBe(3);
      expect(await tab.locator('.tb-table table').count()).toBe(5);
      // Letters in the ink of the scheme: the CSS variables reach into the SVG.
      const ink = await tab
        .locator('svg.marks text')
        .first()
        .evaluate(node => getComputedStyle(node).fill);
      expect(ink).toBe(colorScheme === 'light' ? 'rgb(77, 77, 77)' : 'rgb(196, 196, 196)');
      await tab.screenshot({ path: join(folder, `gallery-${colorScheme}.png`), fullPage: true });
      expect(errors).toEqual([]);
      await tab.close();
    });
  }

  it('says what a token is when the pointer or the keyboard reaches it', async () => {
    const tab = await browser.newPage({ viewport: { width: 900, height: 500 } });
    await tab.setContent(await page(gallery().tokens!));
    const paris = tab.locator('.tb-toks .tb-tok', { hasText: 'Paris' });
    const tip = () => paris.evaluate(node => getComputedStyle(node, '::after').content);
    expect(await tip()).toBe('none');
    await paris.hover();
    await expect.poll(tip).toMatch(/Paris.*id 119.*role assistant.*trained.*label 119.*loss 2\.7 nats/);
    await tab.screenshot({ path: join(folder, 'tokens-hover.png') });
    await tab.mouse.move(0, 0);
    await paris.focus();
    await tab.keyboard.press('Shift+Tab');
    await tab.keyboard.press('Tab');
    await expect.poll(tip).toMatch(/loss 2\.7 nats/);
    expect(await paris.getAttribute('title')).toContain('loss 2.7 nats');
    await tab.close();
  });
});

describe.skipIf(skipBrowser)('the loss curve where vega draws it', () => {
  it('follows the pointer with a rule', async () => {
    const browser = await launchBrowser();
    try {
      const tab = await browser.newPage();
      await tab.setContent('<div id="chart"></div>');
      await addVega(tab);
      const rules = () =>
        tab
          .locator('.mark-rule.role-mark line')
          .evaluateAll(lines => lines.filter(l => Number(l.getAttribute('opacity') ?? 1) > 0).length);
      await drawSpecs(tab, [gallery().loss!.spec!]);
      expect(await rules()).toBe(0);
      await tab.mouse.move(300, 200);
      await tab.mouse.move(305, 202);
      await expect.poll(rules).toBe(1);
    } finally {
      await browser.close();
    }
  });
});

describe('the gallery as PNG', () => {
  for (const theme of ['light', 'dark'] as const) {
    it(`renders every chart in ${theme}`, async () => {
      for (const [name, figure] of Object.entries(gallery())) {
        if (!figure.spec) continue;
        const png = await renderPng(figure, { theme });
        writeFileSync(join(folder, `${name}-${theme}.png`), png);
        expect(Buffer.from(png.subarray(1, 4)).toString()).toBe('PNG');
        expect(png.length).toBeGreaterThan(8000);
      }
    });
  }
});
