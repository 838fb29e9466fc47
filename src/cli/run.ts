import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInput, quote } from '../base/core/index.js';
import { execute } from './run-execute.js';
import { RUN_HELP, readOptions } from './run-options.js';
import { writePage } from './run-page.js';
import { describe, report } from './run-report.js';

/** `tunebook run`: exit code 0, 1 when a cell failed, 2 for an argument or data that cannot be used, 3 without Jupyter, 130 when stopped. */
export async function runCommand(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (!options) {
    process.stdout.write(RUN_HELP);
    return 0;
  }
  await checkNotebook(options.notebook);
  if (options.data) await checkData(options.data);

  const name = basename(options.notebook, '.ipynb');
  // Made only now: a run that cannot start leaves nothing behind.
  await mkdir(options.out, { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), 'tunebook-run-'));
  try {
    const result = join(scratch, 'result.json');
    const executed = join(options.out, `${name}.ipynb`);
    const outcome = await execute({
      python: options.python,
      script: fileURLToPath(new URL('../../setup/run_notebook.py', import.meta.url)),
      notebook: options.notebook,
      output: executed,
      timeout: options.timeout,
      scratch,
      env: {
        TUNEBOOK_RESULT: result,
        ...(options.data && { TUNEBOOK_DATA: options.data }),
        ...(options.backend && options.backend !== 'auto' && { TUNEBOOK_BACKEND: options.backend }),
        ...(options.steps && { TUNEBOOK_STEPS: String(options.steps) }),
      },
    });
    if (!existsSync(executed)) {
      await rmdir(options.out).catch(() => {}); // not empty: it was the user's own folder
      describe(outcome, undefined);
      return outcome.code || 1;
    }
    describe(outcome, executed);
    const page = outcome.code === 130 ? undefined : await writePage(executed);
    await report({ result, executed, page });
    return outcome.code;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function checkNotebook(path: string): Promise<void> {
  const where = { file: path };
  const expected = 'a Jupyter notebook (.ipynb, nbformat 4)';
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new BadInput({
      problem: missing ? 'no such file' : 'the file cannot be read',
      where,
      expected,
      fix: 'check the path',
      cause,
    });
  }
  let notebook: unknown;
  try {
    notebook = JSON.parse(text);
  } catch (cause) {
    throw new BadInput({ problem: 'not valid JSON', where, expected, found: quote(text, 40), fix: 'check the path', cause });
  }
  if (!Array.isArray((notebook as { cells?: unknown } | null)?.cells)) {
    throw new BadInput({ problem: 'the file has no "cells"', where, expected, fix: 'check the path' });
  }
}

// Read whole before the notebook starts: a bad line 812 is told at once, not after a minute of set-up inside a cell.
async function checkData(path: string): Promise<void> {
  const { readRows } = await import('../prepare/data/index.js');
  const { report } = await readRows(path);
  const { read, kept, skipped } = report;
  process.stdout.write(`tunebook: ${kept} of ${read} rows of ${path} can be used\n`);
  for (const { line, index, reason } of skipped.slice(0, 5)) {
    process.stdout.write(`  left out: ${line === undefined ? `row ${index + 1}` : `line ${line}`}: ${reason}\n`);
  }
  if (skipped.length > 5) process.stdout.write(`  … and ${skipped.length - 5} more\n`);
}
