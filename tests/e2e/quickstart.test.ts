import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jupyterEnvironment, VENV, VENV_PYTHON } from '../../setup/paths.mjs';
import { NOUNS, quickstart } from '../../src/prepare/tasks/index.js';
import { Tokenizer } from '../../src/prepare/tokens/index.js';
import { notebookPage, VEGALITE_MIME } from '../../src/show/index.js';
import { launchBrowser, skipBrowser } from '../helpers/browser.js';
import { ensureBuilt } from '../helpers/built.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const committed = join(root, 'notebooks', 'quickstart.ipynb');

interface Output {
  output_type: string;
  data?: Record<string, unknown>;
  text?: string | string[];
  ename?: string;
}
interface Notebook {
  cells: { cell_type: string; source: string | string[]; outputs?: Output[]; execution_count?: number | null }[];
  metadata: { kernelspec: { name: string } };
}

const read = async (path: string): Promise<Notebook> => JSON.parse(await readFile(path, 'utf8'));
const codeOf = (notebook: Notebook) => notebook.cells.filter(cell => cell.cell_type === 'code');
const outputsOf = (notebook: Notebook) => codeOf(notebook).flatMap(cell => cell.outputs ?? []);
const sourceOf = (cell: { source: string | string[] }) => [cell.source].flat().join('');

function expectComplete(notebook: Notebook) {
  expect(outputsOf(notebook).filter(output => output.output_type === 'error')).toEqual([]);
  for (const cell of codeOf(notebook)) {
    expect(cell.execution_count).toBeGreaterThan(0);
    expect(cell.outputs, sourceOf(cell)).not.toEqual([]);
  }
  const bundles = outputsOf(notebook).flatMap(output => (output.data ? [output.data] : []));
  for (const bundle of bundles) expect(bundle).toHaveProperty(['text/plain']);
  const charts = bundles.filter((bundle): boolean => VEGALITE_MIME in bundle);
  // Two loss curves, the ladder before and after, and what was forgotten.
  expect(charts).toHaveLength(4);
  for (const chart of charts) expect([chart['image/png']].flat().join('')).toMatch(/^iVBOR/);
  expect(bundles.filter(bundle => 'text/html' in bundle).length).toBeGreaterThanOrEqual(6);
}

describe('the committed notebook', () => {
  test('is short, has its outputs, and names no machine', async () => {
    const notebook = await read(committed);
    expect(notebook.metadata.kernelspec.name).toBe('tunebook');
    expect(codeOf(notebook).length).toBeLessThanOrEqual(12);
    for (const cell of codeOf(notebook)) expect(sourceOf(cell).split('\n').length).toBeLessThanOrEqual(32);
    expectComplete(notebook);
    expect(await readFile(committed, 'utf8')).not.toMatch(/\/(work|home|Users|tmp|root)\//);
  });

  test('reports held-out accuracy that rose', async () => {
    const tables = outputsOf(await read(committed)).flatMap(output => [output.data?.['text/plain'] ?? []].flat().join(''));
    const last = tables.at(-1)!.split('\n');
    const shares = (name: string) =>
      last
        .find(line => line.startsWith(name))!
        .match(/\d+(?=\s%)/g)!
        .map(Number);
    // Columns: new inputs, paraphrase, parameters, both, base-only verb, base-only skill, facts.
    expect(Math.max(...shares('base').slice(0, 4))).toBeLessThanOrEqual(2);
    expect(Math.min(...shares('tuned').slice(0, 4))).toBeGreaterThanOrEqual(60);
    expect(Math.min(...shares('with replay').slice(0, 4))).toBeGreaterThanOrEqual(60);
  });
});

describe('the committed base model', () => {
  const base = join(root, 'notebooks', 'assets', 'quickstart-base');

  test('has one token for every noun, in the middle of a line and at its beginning', async () => {
    const tokenizer = await Tokenizer.fromFile(base);
    for (const noun of NOUNS)
      for (const text of [noun, ` ${noun}`]) expect(tokenizer.encodeContent(text).ids, text).toHaveLength(1);
  });

  test('knows facts and worksheets, and answers a question with another question', async () => {
    const [, continued] = codeOf(await read(committed));
    const text = [continued!.outputs!.at(-1)!.data!['text/plain']].flat().join('');
    expect(text).toMatch(/tom lives in\s+oslo \./);
    expect(text).toMatch(/reverse : cat red pen =\s+pen red cat \./);
    expect(text).toMatch(/bee blue bread pen\s+\. [a-z ]+ : [a-z ]+ \./);
  });
});

const jupyter = existsSync(VENV_PYTHON) && existsSync(join(VENV, 'share', 'jupyter', 'kernels', 'tunebook', 'kernel.json'));
if (!jupyter && !process.env.CI)
  console.warn('skipped: executing the notebook needs Jupyter and the kernel in .venv (npm run setup)');

describe.skipIf(!jupyter && !process.env.CI)('the quickstart executed by Jupyter', () => {
  let folder: string;
  beforeAll(async () => {
    await ensureBuilt();
    folder = await mkdtemp(join(tmpdir(), 'tunebook-quickstart-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Execute the notebook; returns what it wrote, and the figures it published. */
  async function execute(name: string, env: Record<string, string>) {
    const executed = join(folder, `${name}.ipynb`);
    const result = join(folder, `${name}.json`);
    const runner = [join(root, 'setup', 'run_notebook.py'), committed, executed, '600'];
    const child = spawn(VENV_PYTHON, runner, {
      env: { ...process.env, ...jupyterEnvironment(join(folder, 'jupyter')), TUNEBOOK_RESULT: result, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text));
    const code = await new Promise(done => child.on('close', done));
    expect(code, output.slice(-4000)).toBe(0);
    const figures: Record<string, number> = JSON.parse(await readFile(result, 'utf8'));
    return { executed, notebook: await read(executed), figures };
  }

  test('held-out accuracy rises, base text is forgotten, replay keeps it; its page shows the charts', {
    timeout: 300_000,
  }, async () => {
    const { executed, notebook, figures } = await execute('quickstart', { TUNEBOOK_STEPS: '200' });
    expectComplete(notebook);
    expect(figures.steps).toBe(200);
    expect(figures.heldOutBefore).toBeLessThanOrEqual(0.02);
    expect(figures.heldOutAfter).toBeGreaterThanOrEqual(0.6);
    expect(figures.heldOutLossAfter).toBeLessThan(figures.heldOutLossBefore! / 4);
    expect(figures.baseLossAfter! - figures.baseLossBefore!).toBeGreaterThan(0.3);
    expect(figures.baseLossAfterReplay! - figures.baseLossBefore!).toBeLessThan(0.15);
    expect(figures.factsBefore).toBeGreaterThan(0.95);
    expect(figures.factsAfterReplay).toBeGreaterThan(figures.factsAfter!);

    if (skipBrowser) return;
    const page = join(folder, 'quickstart.html');
    await writeFile(page, await notebookPage(await readFile(executed, 'utf8')));
    const browser = await launchBrowser();
    try {
      const tab = await browser.newPage({ viewport: { width: 1100, height: 900 } });
      const problems: string[] = [];
      tab.on('console', message => message.type() === 'error' && problems.push(message.text()));
      tab.on('pageerror', error => problems.push(String(error)));
      await tab.goto(pathToFileURL(page).href);
      const charts = await tab.locator('.tb-chart svg').all();
      expect(charts).toHaveLength(4);
      for (const chart of charts) {
        const box = (await chart.boundingBox())!;
        expect(Math.min(box.width, box.height)).toBeGreaterThan(100);
        // Something is drawn inside: lines or symbols with an extent of their own.
        const drawn = await chart
          .locator('path')
          .evaluateAll(
            paths =>
              paths.filter(path => path.getBoundingClientRect().width > 20 || path.getBoundingClientRect().height > 5).length,
          );
        expect(drawn).toBeGreaterThan(2);
        expect(await chart.locator('text').count()).toBeGreaterThan(3);
      }
      expect(await tab.locator('.tb-tokens').count()).toBe(2);
      expect(await tab.getByText('<|im_start|>').first().isVisible()).toBe(true);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  test('tells the same story on rows of one’s own', { timeout: 300_000 }, async () => {
    const file = join(folder, 'rows.jsonl');
    const rows = quickstart({ seed: 5, rows: 120, perRung: 1 }).rows.map(({ messages: [user, answer] }) => {
      const [instruction, input] = user!.content.split(/ : (?=[a-z ]+$)/);
      return JSON.stringify({ instruction, input, output: answer!.content });
    });
    await writeFile(file, rows.join('\n'));
    const { notebook, figures } = await execute('own', { TUNEBOOK_DATA: file, TUNEBOOK_STEPS: '30' });
    expectComplete(notebook);
    expect(figures.heldOutBefore).toBe(0);
    expect(figures.heldOutLossAfter).toBeLessThan(figures.heldOutLossBefore! / 2);
    expect(figures.baseLossAfter).toBeGreaterThan(figures.baseLossBefore!);
  });
});
