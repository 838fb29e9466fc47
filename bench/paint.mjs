import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { jupyterEnvironment, VENV_PYTHON } from '../setup/paths.mjs';
import { builtDist } from './built.mjs';
import { showModule } from './kernel-cells.mjs';
import { median, spread, table } from './numbers.mjs';
import { root } from './peer.mjs';
import { BadUsage, options } from './usage.mjs';

const KERNELS = ['tunebook', 'tslab'];
/** Milliseconds after which a chart will not come. */
const PATIENCE = 60_000;
const BROWSERS = [
  process.env.TUNEBOOK_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** From the key that runs a cell to the first pixels of its chart in JupyterLab, in our kernel and in tslab: our own training chart. */
export async function benchPaint(args) {
  const { values, number } = options(args, {
    rounds: { type: 'string', default: '3' },
    charts: { type: 'string', default: '6' },
    only: { type: 'string', default: KERNELS.join(',') },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [rounds, charts] = [number('rounds'), number('charts')];
  const names = values.only.split(',');
  for (const name of names)
    if (!KERNELS.includes(name)) throw new BadUsage(`--only names ${KERNELS.join(', ')}, found "${name}"`);
  const executablePath = BROWSERS.find(file => file !== '' && existsSync(file));
  if (!executablePath) throw new BadUsage('no Chromium found (Debian: apt install chromium; or set TUNEBOOK_CHROMIUM)');
  if (!existsSync(VENV_PYTHON)) throw new BadUsage('JupyterLab is not in .venv. Run "npm run setup".');
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-paint-${process.pid}`);
  let server;
  let browser;
  try {
    const address = await startLab(work, dist, child => {
      server = child;
    });
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const results = Object.fromEntries(names.map(name => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const name of names.map((_, i) => names[(i + round) % names.length])) {
        const times = await paintTimes(browser, address, join(work, 'files'), { name, round, charts, dist });
        results[name].push(times);
        console.error(`round ${round + 1}/${rounds} ${name}: ${times.map(time => time.toFixed(0)).join(', ')} ms`);
      }
    const text = summarise(results);
    console.log(text);
    if (values.json) await writeFile(values.json, JSON.stringify(results, undefined, 1));
  } finally {
    await browser?.close();
    await stop(server);
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A JupyterLab server with kernelspecs and settings of its own; gives its address. */
async function startLab(work, dist, started) {
  await mkdir(join(work, 'files'), { recursive: true });
  const specs = await import(pathToFileURL(join(dist, 'kernel', 'install.js')));
  await specs.installKernelspec({ prefix: work });
  await specs.installTslabKernelspec({ prefix: work });
  const settings = ['--no-browser', '--allow-root', '--ServerApp.port=0', '--IdentityProvider.token=bench'];
  const server = spawn(VENV_PYTHON, ['-m', 'jupyterlab', ...settings, `--ServerApp.root_dir=${join(work, 'files')}`], {
    env: { ...process.env, ...jupyterEnvironment(work), JUPYTER_PATH: join(work, 'share', 'jupyter') },
    stdio: 'ignore',
  });
  started(server);
  for (let waited = 0; waited < 120_000 && server.exitCode === null; waited += 200) {
    const files = await readdir(join(work, 'runtime')).catch(() => []);
    const file = files.find(each => /^jpserver-\d+\.json$/.test(each));
    const info = file && (await readFile(join(work, 'runtime', file), 'utf8').then(JSON.parse, () => undefined));
    if (
      info &&
      (await fetch(`${info.url}api?token=bench`).then(
        reply => reply.ok,
        () => false,
      ))
    )
      return info.url;
    await sleep(200);
  }
  throw new Error('JupyterLab did not start');
}

async function stop(server) {
  if (!server || server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise(resolve => server.once('exit', resolve));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(timer);
}

/** Milliseconds to the first pixels of each chart of a notebook with a new kernel: the first loads the libraries of both sides. */
async function paintTimes(browser, address, folder, { name, round, charts, dist }) {
  // One expression a cell, without variables but the module: tslab does not know all that an earlier cell declared.
  const draw = i =>
    `await show.display(show.lossCurve({ loss: Array.from({ length: 1000 }, (_, j) => 4 * Math.exp(-j / 300) + 0.2 * Math.sin(12.9898 * j * j)) }, { title: 'chart ${i}' }));`;
  const load = `const show = await import(${showModule(name, dist)});`;
  const sources = [load, ...Array.from({ length: charts }, (_, i) => draw(i))];
  const cells = sources.map((source, i) => ({
    cell_type: 'code',
    id: `c${i}`,
    source,
    metadata: {},
    outputs: [],
    execution_count: null,
  }));
  const kernelspec = { name, display_name: name, language: 'typescript' };
  const notebook = `paint-${name}-${round}.ipynb`;
  await writeFile(join(folder, notebook), JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }));
  const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
  try {
    page.setDefaultTimeout(120_000);
    await page.goto(`${address}lab/tree/${notebook}?reset&token=bench`);
    await page.locator('.jp-CodeCell').first().waitFor();
    await page.locator('#jp-main-statusbar', { hasText: '| Idle' }).waitFor();
    await page.locator('.jp-CodeCell .cm-content').first().click();
    const done = i => page.locator('.jp-CodeCell .jp-InputPrompt', { hasText: `[${i + 1}]` }).waitFor();
    await page.keyboard.press('Shift+Enter');
    await done(0);
    const times = [];
    for (let i = 1; i < sources.length; i++) {
      await page.evaluate(watch, i);
      await page.keyboard.press('Shift+Enter');
      const time = await Promise.race([page.evaluate(() => window.painted), sleep(PATIENCE)]);
      if (time === undefined) {
        const said = await page.locator('.jp-OutputArea').allInnerTexts();
        throw new Error(`${name} drew no chart in ${PATIENCE / 1000} s; its cells say: ${said.join(' ').trim().slice(0, 600)}`);
      }
      times.push(time);
      // The next cell waits for this one's PNG and for the kernel to be idle.
      await done(i);
    }
    return times;
  } finally {
    await page.close();
  }
}

/** In the page: `window.painted` is what it takes from the next key to the frame in which the chart of a cell has pixels. */
function watch(cell) {
  window.painted = new Promise(resolve => {
    const begin = event => {
      if (event.key !== 'Enter') return;
      window.removeEventListener('keydown', begin, true);
      const start = performance.now();
      const look = () => {
        const canvas = document.querySelectorAll('.jp-CodeCell')[cell].querySelector('.jp-RenderedVegaCommon5 canvas');
        const drawn =
          canvas?.width > 0 &&
          canvas
            .getContext('2d')
            .getImageData(0, 0, canvas.width, canvas.height)
            .data.some(value => value > 0);
        // This frame's pixels are on the screen when the next one begins.
        requestAnimationFrame(drawn ? now => resolve(now - start) : look);
      };
      requestAnimationFrame(look);
    };
    window.addEventListener('keydown', begin, true);
  });
}

function summarise(results) {
  const names = Object.keys(results);
  const rows = { 'first chart of a kernel and page, ms': times => times[0], 'later charts, ms': times => median(times.slice(1)) };
  return [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}; from the key that runs a cell to the chart's first pixels in JupyterLab`,
    '',
    table([
      ['', ...names],
      ...Object.entries(rows).map(([row, of]) => [
        row,
        ...names.map(name => spread(results[name].map(of).filter(Number.isFinite))),
      ]),
    ]),
  ].join('\n');
}
