import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

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

/** A headless browser. The caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('no Chromium found: apt install chromium, or set TUNEBOOK_CHROMIUM');
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
}
