import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { jupyterEnvironment, VENV, VENV_PYTHON } from '../../setup/paths.mjs';
import { notebookPage, VEGALITE_MIME } from '../../src/show/index.js';
import { launchBrowser } from '../helpers/browser.js';
import { ensureBuilt, root } from '../helpers/built.js';

export interface Output {
  output_type: string;
  data?: Record<string, unknown>;
  text?: string | string[];
}

export interface Cell {
  cell_type: string;
  source: string | string[];
  execution_count?: number | null;
  outputs?: Output[];
}

export interface Notebook {
  cells: Cell[];
  metadata: { kernelspec: { name: string } };
}

/** Text as nbformat keeps it, whole or in lines. */
export const joined = (text: unknown): string => [text ?? ''].flat().join('');
export const codeOf = (notebook: Notebook): Cell[] => notebook.cells.filter(cell => cell.cell_type === 'code');
export const outputsOf = (notebook: Notebook): Output[] => codeOf(notebook).flatMap(cell => cell.outputs ?? []);
/** Plain text of every output: what was printed, and the text form of what was shown. */
export const textsOf = (notebook: Notebook): string[] =>
  outputsOf(notebook).map(({ text, data }) => joined(text ?? data?.['text/plain']));
/** Bundles of every chart. */
export const chartsOf = (notebook: Notebook): Record<string, unknown>[] =>
  outputsOf(notebook).flatMap(({ data }) => (data && VEGALITE_MIME in data ? [data] : []));

export const readNotebook = async (path: string): Promise<Notebook> => JSON.parse(await readFile(path, 'utf8'));

/** Every cell ran, none failed, each shows something, everything shown has a text form and every chart its PNG. */
export function expectComplete(notebook: Notebook): void {
  expect(outputsOf(notebook).filter(output => output.output_type === 'error')).toEqual([]);
  for (const cell of codeOf(notebook)) {
    expect(cell.execution_count).toBeGreaterThan(0);
    expect(cell.outputs, joined(cell.source)).not.toEqual([]);
  }
  for (const { data } of outputsOf(notebook)) if (data) expect(data).toHaveProperty(['text/plain']);
  for (const chart of chartsOf(notebook)) expect(joined(chart['image/png'])).toMatch(/^iVBOR/);
}

/** The notebook in the repository: for our kernel, short, and without a path of the machine it was made on. */
export async function expectCommitted(path: string, most: { cells: number; lines: number }): Promise<void> {
  const notebook = await readNotebook(path);
  expect(notebook.metadata.kernelspec.name).toBe('tunebook');
  expect(codeOf(notebook).length).toBeLessThanOrEqual(most.cells);
  for (const cell of codeOf(notebook)) expect(joined(cell.source).split('\n').length).toBeLessThanOrEqual(most.lines);
  // Not in the pictures: their base64 holds any five letters sooner or later.
  const told = JSON.stringify(notebook, (key, value) => (key === 'image/png' ? undefined : value));
  expect(told).not.toMatch(/\/(work|home|Users|tmp|root)\//);
}

/** Whether notebooks cannot be executed here, with the reason printed. In CI they are executed, and fail where they cannot be. */
export const skipJupyter: boolean = (() => {
  const there = existsSync(VENV_PYTHON) && existsSync(join(VENV, 'share', 'jupyter', 'kernels', 'tunebook', 'kernel.json'));
  if (there || process.env.CI) return false;
  console.warn('skipped: executing the notebook needs Jupyter and the kernel in .venv (npm run setup)');
  return true;
})();

/** Executes one notebook, with different settings, in a folder of its own. */
export interface Executor {
  readonly folder: string;
  /** Execute it and read what became of it. */
  execute(name: string, env?: Record<string, string>): Promise<{ executed: string; notebook: Notebook }>;
  dispose(): Promise<void>;
}

export async function executor(notebook: string, { seconds }: { seconds: number }): Promise<Executor> {
  await ensureBuilt();
  const folder = await mkdtemp(join(tmpdir(), 'tunebook-notebook-'));
  return {
    folder,
    async execute(name, env = {}) {
      const executed = join(folder, `${name}.ipynb`);
      const child = spawn(VENV_PYTHON, [join(root, 'setup', 'run_notebook.py'), notebook, executed, String(seconds)], {
        // What the notebook writes to the temporary folder goes with ours.
        env: { ...process.env, ...jupyterEnvironment(join(folder, 'jupyter')), TMPDIR: folder, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text));
      const code = await new Promise(done => child.on('close', done));
      expect(code, output.slice(-4000)).toBe(0);
      return { executed, notebook: await readNotebook(executed) };
    },
    dispose: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Look at the page of an executed notebook in a browser; nothing on it may fail. */
export async function onPage(executed: string, look: (page: Page) => Promise<void>): Promise<void> {
  const file = executed.replace(/\.ipynb$/, '.html');
  await writeFile(file, await notebookPage(await readFile(executed, 'utf8')));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
    const problems: string[] = [];
    page.on('console', message => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', error => problems.push(String(error)));
    await page.goto(pathToFileURL(file).href);
    await look(page);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
  }
}

/** The output that begins with this line, as its lines. */
export function shown(notebook: Notebook, title: string): string[] {
  const text = textsOf(notebook).find(text => text.startsWith(title));
  expect(text, title).toBeDefined();
  return text!.split('\n');
}

/** Cells of a text table by the first word of the line. */
export const line: (lines: string[], name: string) => string[] = (lines, name) =>
  lines
    .find(each => each.startsWith(name))!
    .split(/ {2,}/)
    .map(cell => cell.trim());
