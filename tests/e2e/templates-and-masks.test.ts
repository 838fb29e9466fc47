import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jupyterEnvironment, VENV, VENV_PYTHON } from '../../setup/paths.mjs';
import { readRows } from '../../src/prepare/data/index.js';
import { notebookPage, VEGALITE_MIME } from '../../src/show/index.js';
import { launchBrowser, skipBrowser } from '../helpers/browser.js';
import { ensureBuilt, root } from '../helpers/built.js';

const committed = join(root, 'notebooks', 'templates-and-masks.ipynb');
const instructions = join(root, 'notebooks', 'assets', 'instructions.jsonl');

interface Cell {
  cell_type: string;
  source: string | string[];
  execution_count?: number | null;
  outputs?: { output_type: string; data?: Record<string, unknown>; text?: string | string[] }[];
}
interface Notebook {
  cells: Cell[];
  metadata: { kernelspec: { name: string } };
}

const joined = (text: unknown): string => [text ?? ''].flat().join('');
const read = async (path: string): Promise<Notebook> => JSON.parse(await readFile(path, 'utf8'));
const codeOf = (notebook: Notebook) => notebook.cells.filter(cell => cell.cell_type === 'code');
const outputsOf = (notebook: Notebook) => codeOf(notebook).flatMap(cell => cell.outputs ?? []);
/** Plain text of the token views, by title. */
const viewsOf = (notebook: Notebook): Record<string, string> =>
  Object.fromEntries(
    outputsOf(notebook)
      .map(output => joined(output.data?.['text/plain']))
      .filter(text => text.includes('(masked) «trained»'))
      .map(text => [text.slice(0, text.indexOf('   [template]')), text]),
  );

function expectComplete(notebook: Notebook) {
  expect(outputsOf(notebook).filter(output => output.output_type === 'error')).toEqual([]);
  for (const cell of codeOf(notebook)) {
    expect(cell.execution_count).toBeGreaterThan(0);
    expect(cell.outputs, joined(cell.source)).not.toEqual([]);
  }
  for (const { data } of outputsOf(notebook)) if (data) expect(data).toHaveProperty(['text/plain']);
  expect(Object.keys(viewsOf(notebook)).length).toBeGreaterThanOrEqual(8);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    const notebook = await read(committed);
    expect(notebook.metadata.kernelspec.name).toBe('tunebook');
    expect(codeOf(notebook).length).toBeLessThanOrEqual(14);
    for (const cell of codeOf(notebook)) expect(joined(cell.source).split('\n').length).toBeLessThanOrEqual(24);
    expectComplete(notebook);
    expect(await readFile(committed, 'utf8')).not.toMatch(/\/(work|home|Users|tmp|root)\//);
  });

  test('shows what it says', async () => {
    const views = viewsOf(await read(committed));
    // Five templates, each with its own end of turn in the trained text.
    const five = views['One conversation, five templates']!;
    for (const end of ['<|im_end|>»', '<|eot_id|>»', '<end_of_turn>»', '<|endoftext|>»']) expect(five).toContain(end);
    expect(five.match(/tokens are trained/g)).toHaveLength(5);
    // Tool results are read, never trained.
    const errand = views['Several turns, with tools']!;
    const trained = [...errand.matchAll(/«([^»]*)»/g)].map(m => m[1]).join(' ');
    expect(trained).toContain('<tool_call>');
    expect(trained).toContain('40 euros are 6,480 yen');
    expect(trained).not.toContain('"currency"');
    expect(errand).toContain('"currency"');
    // The repair trains the end of the turn, which the broken template never wrote.
    const [broken, repaired] = views['Before and after the repair']!.split('\nrepaired\n');
    expect(broken).toContain('with a fork.»');
    expect(repaired).toContain('with a fork.<|im_end|>»');
    const texts = outputsOf(await read(committed)).map(output => joined(output.data?.['text/plain']));
    const verdicts = texts
      .filter(text => text.startsWith('check '))
      .map(text => text.match(/ {2}(pass|fail|warn) {2}/g)!.map(v => v.trim()));
    expect(verdicts).toEqual([
      ['fail', 'fail', 'fail', 'fail', 'pass'],
      ['pass', 'pass', 'pass', 'pass', 'pass'],
    ]);
  });
});

describe('the committed rows', () => {
  test('are all usable, and hold every kind the notebook speaks of', async () => {
    const rows = await readRows(instructions);
    expect(rows.report.skipped).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(40);
    expect(new Set(rows.map(row => row.task)).size).toBeGreaterThanOrEqual(8);
    const holds = (wanted: (message: (typeof rows)[number]['messages'][number]) => unknown) =>
      rows.filter(row => row.messages.some(m => wanted(m))).length;
    expect(holds(m => m.input)).toBeGreaterThan(3);
    expect(holds(m => m.toolCalls?.length)).toBeGreaterThan(2);
    expect(holds(m => m.role === 'tool' && m.toolCallId)).toBeGreaterThan(2);
    expect(holds(m => m.thinking)).toBeGreaterThan(2);
    expect(rows.filter(row => row.tools?.length).length).toBeGreaterThan(2);
  });
});

const jupyter = existsSync(VENV_PYTHON) && existsSync(join(VENV, 'share', 'jupyter', 'kernels', 'tunebook', 'kernel.json'));
if (!jupyter && !process.env.CI)
  console.warn('skipped: executing the notebook needs Jupyter and the kernel in .venv (npm run setup)');

describe.skipIf(!jupyter && !process.env.CI)('the notebook executed by Jupyter', () => {
  let folder: string;
  beforeAll(async () => {
    await ensureBuilt();
    folder = await mkdtemp(join(tmpdir(), 'tunebook-masks-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function execute(name: string, env: Record<string, string> = {}) {
    const executed = join(folder, `${name}.ipynb`);
    const child = spawn(VENV_PYTHON, [join(root, 'setup', 'run_notebook.py'), committed, executed, '120'], {
      env: { ...process.env, ...jupyterEnvironment(join(folder, 'jupyter')), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text));
    const code = await new Promise(done => child.on('close', done));
    expect(code, output.slice(-4000)).toBe(0);
    return { executed, notebook: await read(executed) };
  }

  test('gives what is committed, and its page shows the masks', { timeout: 180_000 }, async () => {
    const { executed, notebook } = await execute('masks');
    expectComplete(notebook);
    expect(viewsOf(notebook)).toEqual(viewsOf(await read(committed)));
    if (skipBrowser) return;
    const page = join(folder, 'masks.html');
    await writeFile(page, await notebookPage(await readFile(executed, 'utf8')));
    const browser = await launchBrowser();
    try {
      const tab = await browser.newPage({ viewport: { width: 1100, height: 900 } });
      const problems: string[] = [];
      tab.on('console', message => message.type() === 'error' && problems.push(message.text()));
      tab.on('pageerror', error => problems.push(String(error)));
      await tab.goto(pathToFileURL(page).href);
      const views = await tab.locator('.tb-tokens').all();
      expect(views.length).toBe(Object.keys(viewsOf(notebook)).length);
      for (const view of views) expect((await view.locator('.tb-toks').first().boundingBox())!.height).toBeGreaterThan(40);
      expect(await tab.locator('.tb-tokens .tb-trained').count()).toBeGreaterThan(100);
      const charts = outputsOf(notebook).filter(output => output.data && VEGALITE_MIME in output.data).length;
      expect(charts).toBeGreaterThan(0);
      expect(await tab.locator('.tb-chart svg').count()).toBe(charts);
      const trained = tab.locator('.tb-toks .tb-trained').first();
      await trained.hover();
      expect(await trained.evaluate(node => getComputedStyle(node, '::after').content)).toMatch(
        /id \d+.*role assistant.*trained/,
      );
      expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1100);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  test('runs on rows of one’s own', { timeout: 180_000 }, async () => {
    const file = join(folder, 'rows.jsonl');
    const rows = Array.from({ length: 30 }, (_, i) => ({
      instruction: `Double ${i}.`,
      input: i % 3 ? '' : 'Carefully.',
      output: `${2 * i}`,
    }));
    await writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'));
    const { notebook } = await execute('own', { TUNEBOOK_DATA: file });
    expectComplete(notebook);
    expect(
      outputsOf(notebook)
        .map(output => joined(output.text))
        .join(''),
    ).toContain('30 rows read from');
  });
});
