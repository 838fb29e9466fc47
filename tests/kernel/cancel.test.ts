import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Language } from '../../src/kernel/language.js';
import { ENDLESS_TYPES } from './endless-types.js';
import { PATIENCE } from './front-end.js';

describe('the language of a notebook', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-cancel-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  /** Asked this often, it says that what is being checked is to be given up. */
  let left = Number.POSITIVE_INFINITY;
  const language = new Language(folder, () => --left < 0);
  const run = (code: string) => {
    const { cell, diagnostics } = language.compile(code);
    if (cell) language.commit(cell, cell.values);
    return diagnostics.map(each => each.messageText);
  };
  const names = (code: string) => language.complete(code, code.length).items.map(({ text }) => text);

  it('gives up checking in the middle of a type, and checks on', { timeout: PATIENCE }, () => {
    expect(run('const word = "a";')).toEqual([]);
    left = 10_000;
    expect(() => language.compile(ENDLESS_TYPES)).toThrow(language.ts.OperationCanceledException);
    left = Number.POSITIVE_INFINITY;
    expect(run('word.length')).toEqual([]);
    expect(run('const n: number = word')).toEqual([`Type 'string' is not assignable to type 'number'.`]);
  });

  it('completes nothing where that would take for ever, and the next time again', { timeout: PATIENCE }, () => {
    left = 10_000;
    expect(names(`${ENDLESS_TYPES}orders0[0].`)).toEqual([]);
    left = Number.POSITIVE_INFINITY;
    expect(names('word.toUpp')).toEqual(['toUpperCase']);
  });

  it('compiles a cell that runs again only when nothing has changed for it', { timeout: PATIENCE }, () => {
    expect(run('let value = 1;')).toEqual([]);
    const once = language.compile('value.toFixed()').cell!;
    const again = language.compile('value.toFixed()').cell!;
    expect(again.output).toBe(once.output);
    expect(again.trace).toBe(once.trace);
    expect(run('let value = "text";')).toEqual([]);
    expect(run('value.toFixed()')[0]).toContain(`Property 'toFixed' does not exist on type 'string'`);
    expect(run('value.toUpperCase()')).toEqual([]);
  });

  it('reads a file again that could not be read', { timeout: PATIENCE }, () => {
    writeFileSync(join(folder, 'late.ts'), 'export const late = 1;');
    const { sys } = language.ts;
    const { readFile } = sys;
    sys.readFile = (path, encoding) => (path.endsWith('late.ts') ? undefined : readFile.call(sys, path, encoding));
    try {
      expect(run(`import { late } from './late'`)[0]).toContain(`Cannot find module './late'`);
    } finally {
      sys.readFile = readFile;
    }
    expect(run(`import { late } from './late'`)).toEqual([]);
  });

  it('keeps what is only being written out of what runs', { timeout: PATIENCE }, () => {
    expect(names('declare global { var draft: number }\ndraf')).toContain('draft');
    expect(run('draft')).toEqual([`Cannot find name 'draft'.`]);
    expect(run('declare global { interface Array<T> { second: T } }')).toEqual([]);
    expect(run('declare global { interface Array<T> { second: T } }\n[1, 2].second')).toEqual([]);
    expect(names('[1, 2].secon')).toEqual(['second']);
  });
});
