// Makes notebooks/assets/quickstart.png, the README's picture, from the outputs of the committed quickstart notebook:
//   npm run make-picture        (needs Chromium; execute the notebook first)
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = name => fileURLToPath(new URL(name, import.meta.url));
const { cells } = JSON.parse(readFileSync(here('quickstart.ipynb'), 'utf8'));
const bundles = cells.flatMap(cell => cell.outputs ?? []).flatMap(output => output.data ?? []);
const joined = value => [value].flat().join('');
const html = bundles.map(data => joined(data['text/html'] ?? '')).filter(text => text.includes('after training'));
const charts = bundles.map(data => joined(data['image/png'] ?? '')).filter(Boolean);

const picture = png => `<img src="data:image/png;base64,${png}">`;
const page = `<!doctype html><meta charset="utf-8"><style>
  body { margin: 0; padding: 24px 28px; width: 1144px; font-family: system-ui, sans-serif; background: #fff }
  .row { display: flex; gap: 28px; align-items: center; margin-top: 18px } img { width: 558px }
</style>${html[0]}<div class="row">${picture(charts[0])}${picture(charts[1])}</div>`;

const executablePath = process.env.TUNEBOOK_CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const tab = await browser.newPage({ viewport: { width: 1200, height: 400 }, deviceScaleFactor: 1.5 });
await tab.setContent(page);
await tab.screenshot({ path: here('assets/quickstart.png'), fullPage: true });
await browser.close();
