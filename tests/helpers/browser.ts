import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Debian's Chromium, or another one named by TUNEBOOK_CHROMIUM; undefined where there is none. */
export const chromiumPath: string | undefined = [process.env.TUNEBOOK_CHROMIUM ?? '', ...PLACES].find(
  path => path !== '' && existsSync(path),
);

/**
 * Whether browser tests must be left out here, with the reason printed. CI installs Chromium, so there its absence is a
 * failure: the tests run and say so.
 */
export const skipBrowser: boolean = (() => {
  if (chromiumPath !== undefined || process.env.CI) return false;
  console.warn('skipped: no Chromium found (Debian: apt install chromium; or set TUNEBOOK_CHROMIUM)');
  return true;
})();

/** Milliseconds that pages have for everything: a busy machine is slow, not broken. Playwright's own limit is 30 s. */
const PATIENCE = 300_000;

/** A headless browser. The caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('no Chromium found: apt install chromium, or set TUNEBOOK_CHROMIUM');
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'], timeout: PATIENCE });
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async options => {
    const context = await newContext(options);
    context.setDefaultTimeout(PATIENCE);
    return context;
  };
  return browser;
}

/** vega and vega-lite as scripts of the page: what a notebook front end draws our specs with. */
export async function addVega(page: Page): Promise<void> {
  const modules = join(createRequire(import.meta.url).resolve('../../package.json'), '../node_modules');
  await page.addScriptTag({ path: join(modules, 'vega/build/vega.min.js') });
  await page.addScriptTag({ path: join(modules, 'vega-lite/build/vega-lite.min.js') });
}

/** Draw each spec into the page, with interaction; returns how many charts stand there. */
export async function drawSpecs(page: Page, specs: readonly object[]): Promise<number> {
  return page.evaluate(
    async texts => {
      // biome-ignore lint/suspicious/noExplicitAny: globals of the scripts above
      const { vega, vegaLite } = window as any;
      for (const text of texts) {
        const container = document.body.appendChild(document.createElement('div'));
        const view = new vega.View(vega.parse(vegaLite.compile(JSON.parse(text)).spec), {
          renderer: 'svg',
          container,
          hover: true,
        });
        await view.runAsync();
      }
      return document.querySelectorAll('svg.marks').length;
    },
    specs.map(spec => JSON.stringify(spec)),
  );
}
