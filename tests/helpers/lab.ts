import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Locator, Page } from 'playwright-core';
import { jupyterEnvironment, VENV, VENV_PYTHON } from '../../setup/paths.mjs';
import { launchBrowser, skipBrowser } from './browser.js';
import { ensureBuilt, root } from './built.js';

/** Whether tests in a real JupyterLab must be left out here, with the reason printed. In CI they run, and fail where they cannot. */
export const skipLab: boolean =
  skipBrowser ||
  (() => {
    if (existsSync(VENV_PYTHON) || process.env.CI) return false;
    console.warn('skipped: JupyterLab is not in .venv (npm run setup)');
    return true;
  })();

/** Whether tests of buttons must be left out here: a `.venv` that was set up before they existed. */
export const skipWidgets: boolean = (() => {
  const manager = join(VENV, 'share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager');
  if (skipLab || existsSync(manager) || process.env.CI) return skipLab;
  console.warn('skipped: buttons need jupyterlab-widgets in .venv (npm run setup)');
  return true;
})();

/** A JupyterLab server of its own with a browser on it. */
export interface Lab {
  /** Folder the server shows. */
  readonly folder: string;
  readonly browser: Browser;
  /** Write a notebook with these code cells and open it. With `widgets: false` in a JupyterLab without the widget manager. */
  open(
    name: string,
    cells: readonly string[],
    options?: { kernel?: string; dark?: boolean; widgets?: boolean },
  ): Promise<LabNotebook>;
  close(): Promise<void>;
}

/** An open notebook. */
export interface LabNotebook {
  readonly page: Page;
  /** Start every cell; {@link LabNotebook.idle} waits for their end. */
  runAll(): Promise<void>;
  /** Wait until no cell waits or runs. */
  idle(seconds?: number): Promise<void>;
  /** The outputs of the nth code cell. */
  outputs(cell: number): Locator;
  /** Interrupt the kernel, as the toolbar's button does. */
  interrupt(): Promise<void>;
  /** Load the page anew, as after closing it: the kernel has run on. */
  reload(): Promise<void>;
  /** Save, and read the file. */
  saved(): Promise<{ cells: { outputs?: Record<string, unknown>[]; execution_count?: number | null }[] }>;
}

export async function startLab(): Promise<Lab> {
  await ensureBuilt();
  const { installKernelspec, installTslabKernelspec } = await import(join(root, 'dist', 'kernel', 'install.js'));
  const base = await mkdtemp(join(tmpdir(), 'tunebook-lab-'));
  const folder = join(base, 'files');
  await mkdir(folder);
  await installKernelspec({ prefix: base });
  await installTslabKernelspec({ prefix: base });
  const config = join(base, 'config', 'labconfig');
  await mkdir(config, { recursive: true });
  // Read whenever a page is loaded. Nobody asks whether JupyterLab must be built anew: that takes a Node process a page.
  const configure = (widgets: boolean) => {
    const disabledExtensions = {
      '@jupyterlab/apputils-extension:announcements': true,
      '@jupyter-widgets/jupyterlab-manager': !widgets,
    };
    return writeFile(join(config, 'page_config.json'), JSON.stringify({ disabledExtensions, buildCheck: false }));
  };
  const settingsOf = async (extension: string, plugin: string, values: object) => {
    const at = join(base, 'lab', 'settings', '@jupyterlab', extension);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, `${plugin}.jupyterlab-settings`), JSON.stringify(values));
  };
  // Every cell is in the page, and every output: what is not drawn cannot be looked at.
  await settingsOf('notebook-extension', 'tracker', { windowingMode: 'none', maxNumberOutputs: 1000 });
  // A notebook is saved when a test says so, and at no other time.
  await settingsOf('docmanager-extension', 'plugin', { autosave: false });
  // On a busy machine a kernel's answer takes longer than the second after which JupyterLab shows nothing.
  await settingsOf('completer-extension', 'manager', { providerTimeout: 120_000 });
  const settings = ['--no-browser', '--allow-root', '--ServerApp.port=0', '--IdentityProvider.token=test'];
  // No search for the language servers of this machine.
  settings.push('--LanguageServerManager.autodetect=False');
  const server = spawn(VENV_PYTHON, ['-m', 'jupyterlab', ...settings, `--ServerApp.root_dir=${folder}`], {
    cwd: folder,
    env: { ...process.env, ...jupyterEnvironment(base), JUPYTER_PATH: join(base, 'share', 'jupyter') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  server.stderr!.setEncoding('utf8').on('data', text => (log += text));
  const address = await addressOf(server, join(base, 'runtime'), () => log);
  const browser = await launchBrowser();
  return {
    folder,
    browser,
    async open(name, cells, { kernel = 'tunebook', dark = false, widgets = true } = {}) {
      await configure(widgets);
      return openNotebook({ browser, address, folder, name, cells, kernel, dark });
    },
    async close() {
      await browser.close();
      await stop(server);
      await rm(base, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressOf(server: ChildProcess, runtime: string, log: () => string): Promise<string> {
  for (let waited = 0; waited < 120_000; waited += 200) {
    const files = await readdir(runtime).catch(() => []);
    const file = files.find(each => /^jpserver-\d+\.json$/.test(each));
    const info =
      file &&
      (await readFile(join(runtime, file), 'utf8')
        .then(JSON.parse)
        // Not there yet, or half written.
        .catch(() => undefined));
    // The file is written before the server answers.
    if (
      info &&
      (await fetch(`${info.url}api?token=test`).then(
        reply => reply.ok,
        () => false,
      ))
    )
      return String(info.url);
    if (server.exitCode !== null) break;
    await sleep(200);
  }
  throw new Error(`JupyterLab did not start:\n${log().slice(-4000)}`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise(resolve => server.once('exit', resolve));
  // Its kernels are shut down before it goes.
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(timer);
}

async function openNotebook(wanted: {
  browser: Browser;
  address: string;
  folder: string;
  name: string;
  cells: readonly string[];
  kernel: string;
  dark: boolean;
}): Promise<LabNotebook> {
  const { browser, address, folder, name, kernel, dark } = wanted;
  const file = join(folder, `${name}.ipynb`);
  const cells = wanted.cells.map((source, i) => ({
    cell_type: 'code',
    id: `cell-${i}`,
    source,
    metadata: {},
    outputs: [],
    execution_count: null,
  }));
  const kernelspec = { name: kernel, display_name: kernel, language: 'typescript' };
  await writeFile(file, JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }));
  const context = await browser.newContext({ viewport: { width: 1100, height: 1000 }, colorScheme: dark ? 'dark' : 'light' });
  const page = await context.newPage();
  // Reset: JupyterLab would open what earlier pages had open as well.
  const load = async () => {
    await page.goto(`${address}lab/tree/${name}.ipynb?reset&token=test`);
    await page.locator('.jp-NotebookPanel .jp-CodeCell').first().waitFor();
  };
  await load();
  if (dark) await theme(page, 'JupyterLab Dark');
  const menu = async (...items: string[]) => {
    await page.locator('.lm-MenuBar-item', { hasText: new RegExp(`^${items[0]}$`) }).click();
    for (const item of items.slice(1)) await page.locator('.lm-Menu-item', { hasText: item }).first().click();
  };
  const prompts = page.locator('.jp-CodeCell .jp-InputPrompt');
  return {
    page,
    async runAll() {
      // Before the kernel is there, Lab would ask which one to use.
      await page.locator('#jp-main-statusbar', { hasText: '| Idle' }).waitFor();
      await menu('Run', 'Run All Cells');
      await page.waitForFunction(() => {
        const all = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
        return all.some(each => /\[[*\d]+\]/.test(each.textContent ?? ''));
      });
    },
    async idle(seconds = 240) {
      await page.waitForFunction(
        () => {
          const all = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
          return all.every(each => !/\*/.test(each.textContent ?? ''));
        },
        undefined,
        { timeout: seconds * 1000 },
      );
    },
    outputs: cell =>
      prompts.nth(cell).locator('xpath=ancestor::*[contains(@class,"jp-CodeCell")][1]').locator('.jp-OutputArea-child'),
    interrupt: () => menu('Kernel', 'Interrupt Kernel'),
    async reload() {
      await page.goto('about:blank');
      await load();
    },
    async saved() {
      // The file tells, not the page: while a cell writes on, the mark of unsaved changes is off for less than a frame, and never seen.
      const changed = async () => (await stat(file, { bigint: true })).mtimeNs;
      const before = await changed();
      await menu('File', 'Save Notebook');
      // A notebook that had not changed is written, too, and over the old file: until that has ended there is a part of it, which is no JSON.
      for (let tries = 0; ; tries++) {
        await sleep(100);
        try {
          if ((await changed()) === before) throw new Error(`${file} was not written after "Save Notebook"`);
          return JSON.parse(await readFile(file, 'utf8'));
        } catch (error) {
          if (tries === 3000) throw error;
        }
      }
    },
  };
}

async function theme(page: Page, name: string): Promise<void> {
  await page.locator('.lm-MenuBar-item', { hasText: /^Settings$/ }).click();
  await page
    .locator('.lm-Menu-item', { hasText: /^Theme/ })
    .first()
    .hover();
  await page.locator('.lm-Menu-item', { hasText: name }).first().click();
}
