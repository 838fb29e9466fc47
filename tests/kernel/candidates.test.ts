import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Language } from '../../src/kernel/language.js';
import { PATIENCE } from './front-end.js';

describe('candidates while a name is being written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-candidates-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const language = new Language(folder);
  const run = (code: string) => {
    const { cell } = language.compile(code);
    language.commit(cell!, cell!.values);
  };
  const names = (code: string) => language.complete(code, code.length).items.map(({ text }) => text);

  run('const word = "a"; function wordy(o: { width: number; way: "wide" | "wise" }) { return o; }');

  it.each([
    ['const total = wo', ' + 1;'],
    ['word.toUp', ''],
    ['wordy({ wi', ' })'],
    ['wordy({ way: "wi', '" })'],
    ['const { le', ' } = word;'],
    ['for (const each of', ' word) {}'],
    ['`a ${wor', '} b`'],
    ['{ a: Mat', ' }'],
  ])('are those of the place: %s…%s', { timeout: PATIENCE }, (before, after) => {
    const lengths = [3, 2, 1, 0].map(less => before.length - less);
    const at = (length: number) => language.complete(before.slice(0, length) + after, length);
    const grown = lengths.map(at);
    const afresh = lengths.map(length => {
      language.complete('0;', 2);
      return at(length);
    });
    expect(grown).toEqual(afresh);
  });

  it('are others once something has changed', { timeout: PATIENCE }, () => {
    expect(names('word.toU')).toEqual(['toUpperCase']);
    run('let word = 1');
    expect(names('word.toU')).toEqual([]);
    expect(names('word.toFi')).toEqual(['toFixed']);
    const local = join(folder, 'local.ts');
    const code = "import { value } from './local';\nvalue.f";
    writeFileSync(local, 'export const value = { first: 1 };');
    expect(names(code)).toEqual(['first']);
    writeFileSync(local, 'export const value = { found: 1, far: 2 };');
    expect(names(code)).toEqual(['far', 'found']);
    expect(names("import './lo")).toEqual(['local']);
    writeFileSync(join(folder, 'lost.ts'), '');
    expect(names("import './lo")).toEqual(['local', 'lost']);
  });

  it('come from the files that declare them', { timeout: PATIENCE }, () => {
    for (const [code, text] of [
      ['Math.max', 'max(...values: number[]): number;'],
      ["import { join } from 'node:path'; join", 'join(...paths: string[]): string;'],
    ] as const) {
      const [, path, line] = /^(\/.*|[A-Z]:.*):(\d+)$/m.exec(language.inspect(code, code.length, 1)!['text/plain']!)!;
      expect(readFileSync(path!, 'utf8').split('\n')[Number(line) - 1]).toContain(text);
    }
  });
});
