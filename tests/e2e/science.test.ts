// The science pages: every sweep's table is whole, and every page shows the tables that are there.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromCSV } from 'arquero';
import { describe, expect, test } from 'vitest';
import { VEGALITE_MIME } from '../../src/show/index.js';
import { root } from '../helpers/built.js';
import { built } from '../study/experiment/lab.js';
import { chartsOf, codeOf, expectCommitted, expectComplete, joined, type Notebook, readNotebook, textsOf } from './notebook.js';

const folder = join(root, 'notebooks', 'science');
const named = (ending: string) =>
  readdirSync(folder).flatMap(file => (file.endsWith(ending) ? [file.slice(0, -ending.length)] : []));
const [sweeps, pages] = [named('.sweep.ts').sort(), named('.ipynb').sort()];

/** Sweeps that make what others start from; no page shows them. */
const BASES = ['bases', 'suite-bases'];

const csv = (sweep: string) => readFile(join(folder, `${sweep}.csv`), 'utf8');
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
/** The tables that a page reads. */
const readBy = (notebook: Notebook): string[] =>
  codeOf(notebook).flatMap(({ source }) => [...joined(source).matchAll(/\bresults\('([\w-]+)'\)/g)].map(([, name]) => name!));

test('every question has its page', () => {
  expect(pages).toEqual(['diversity', 'examples', 'kl', 'loss-weights', 'methods', 'narrow', 'replay', 'styles']);
});

describe.each(sweeps)('the sweep %s', name => {
  test('has a table of exactly its trials, with every number', async () => {
    const experiment = await built();
    const { trials } = experiment.sweep(await experiment.readSweepFile(join(folder, `${name}.sweep.ts`)));
    const rows = fromCSV(await csv(name), { autoType: false }).objects() as Record<string, string>[];
    expect(rows.map(row => row.trial)).toEqual(trials.map(({ id }) => id));
    expect(new Set(rows.map(row => row.status))).toEqual(new Set(['done']));
    expect(new Set(rows.map(row => row.seed)).size).toBeGreaterThanOrEqual(5);

    const settings = new Set(trials.flatMap(({ config }) => Object.keys(config)));
    const others = new Set([...settings, 'trial', 'seed', 'status', 'error', 'seconds', 'attempt']);
    const metrics = Object.keys(rows[0]!).filter(column => !others.has(column));
    expect(metrics.length).toBeGreaterThan(0);
    const measured = new Map<string, string>();
    for (const [i, row] of rows.entries()) {
      const { config } = trials[i]!;
      for (const [setting, value] of Object.entries(config))
        expect(row[setting], `${setting} of ${row.trial}`).toBe(String(value));
      const numbers = metrics.filter(metric => row[metric] !== '' && row[metric] != null);
      for (const metric of numbers) expect(Number(row[metric]), `${metric} of ${row.trial}`).toSatisfy(Number.isFinite);
      // What one seed measured, all seeds of these settings did.
      const arm = JSON.stringify(config);
      expect(numbers.join(), `metrics of ${row.trial}`).toBe(measured.get(arm) ?? numbers.join());
      measured.set(arm, numbers.join());
    }
  });
});

describe.each(pages)('the page %s', name => {
  const path = join(folder, `${name}.ipynb`);

  test('is short, ran to its end, names no machine, and says in words what it shows', async () => {
    await expectCommitted(path, { cells: 10, lines: 30 });
    const notebook = await readNotebook(path);
    expectComplete(notebook);
    expect(chartsOf(notebook).length).toBeGreaterThanOrEqual(2);
    for (const chart of chartsOf(notebook)) {
      const { description } = chart[VEGALITE_MIME] as { description?: string };
      expect(description?.length).toBeGreaterThan(30);
    }
  });

  test('shows the tables as they are, and how to make them', async () => {
    const notebook = await readNotebook(path);
    const tables = readBy(notebook);
    expect(tables.length).toBeGreaterThan(0);
    const shown = textsOf(notebook).join('\n');
    const told = notebook.cells.map(({ source }) => joined(source)).join('\n');
    for (const table of tables) {
      const text = await csv(table);
      expect(shown).toContain(`${table}.csv: ${text.trimEnd().split('\n').length - 1} trials`);
      expect(shown).toContain(hashOf(text).slice(0, 12));
      expect(told).toContain(`npx tunebook sweep notebooks/science/${table}.sweep.ts --csv notebooks/science/${table}.csv`);
    }
    // The small sweep ran, and none of its trials failed.
    expect(shown).toMatch(/(\d+)\/\1 trials/);
    expect(shown).not.toMatch(/\d+ failed/);
    expect(shown).toContain('Differences over equal seeds');
  });
});

test('every table is shown by a page', async () => {
  const read = await Promise.all(pages.map(async page => readBy(await readNotebook(join(folder, `${page}.ipynb`)))));
  expect([...new Set([...read.flat(), ...BASES])].sort()).toEqual(sweeps);
});
