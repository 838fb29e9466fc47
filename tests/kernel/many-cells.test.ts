import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Language } from '../../src/kernel/language.js';
import { drive, noJupyter, PATIENCE, result } from './front-end.js';

const CELLS = 200;

describe('a notebook of many cells', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-many-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const notebook = () => {
    const language = new Language(folder);
    const run = (code: string) => {
      const { cell, diagnostics } = language.compile(code);
      expect(diagnostics.map(each => each.messageText)).toEqual([]);
      language.commit(cell!, cell!.values);
      return language.programSize;
    };
    return { language, run };
  };

  it('costs a cell nothing that does not use them', { timeout: PATIENCE }, () => {
    const { run } = notebook();
    const alone = run('1 + 1');
    for (let i = 0; i < CELLS; i++)
      run(`const v${i} = [${i}]; function f${i}(x: number) { return x * v${i}[0] } interface I${i} { a: number }`);
    expect(run('1 + 2')).toBe(alone);
    expect(run('f7(v9[0])')).toBe(alone + 2);
  });

  it('costs a cell little where each builds on the one before, and types stay exact', { timeout: PATIENCE }, () => {
    const { language, run } = notebook();
    const alone = run('class Foo { #p = 1; self() { return this } }\nlet x0 = { v: [1] }; let foo0 = new Foo();');
    let largest = 0;
    for (let i = 1; i <= CELLS; i++)
      largest = Math.max(
        largest,
        run(
          `let x${i} = { v: [...x${i - 1}.v, ${i}] }; let foo${i} = foo${i - 1}.self(); const both${i} = () => [x${i}, foo${i}] as const;`,
        ),
      );
    expect(largest).toBeLessThan(alone + 20);
    run(`const exact: Foo = foo${CELLS}; const numbers: number[] = both${CELLS}()[0].v;`);
    expect(language.compile(`x${CELLS}.w`).diagnostics[0]!.messageText).toContain("does not exist on type '{ v: number[]; }'");
  });

  it('costs the same however often one cell is run again', { timeout: PATIENCE }, () => {
    const { run } = notebook();
    run('let total = 0;');
    const first = run('const step = total + 1; var list = [step];');
    for (let i = 0; i < CELLS; i++) expect(run('const step = total + 1; var list = [step];')).toBe(first);
  });

  it.skipIf(noJupyter)(`runs ${noJupyter ?? ''}`, { timeout: PATIENCE }, async () => {
    const cells = Array.from({ length: CELLS }, (_, i) => ({ code: `const n${i} = ${i ? `n${i - 1} + 1` : '0'};\nn${i}` }));
    const done = await drive([...cells, { code: `[n0, n${CELLS - 1}]` }], { cwd: folder });
    expect(done.map(result)).toEqual([...cells.map((_, i) => String(i)), `[ 0, ${CELLS - 1} ]`]);
  });
});
