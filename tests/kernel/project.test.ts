import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { mapped, projectPaths } from '../../src/kernel/project.js';

describe('names that stand for files', () => {
  const root = mkdtempSync(join(tmpdir(), 'tunebook-project-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'notebooks');
  mkdirSync(folder);
  const config = (text: string) => writeFileSync(join(root, 'tsconfig.json'), text);

  it('are read from the nearest tsconfig.json above, comments and all', () => {
    config('{ /* names */ "compilerOptions": { "paths": { "@/*": ["./src/*", "lib/*"] }, }, "include": ["**/*"] }');
    expect(projectPaths(ts, folder)).toEqual({ '@/*': [join(root, 'src/*'), join(root, 'lib/*')] });
    config('{ "compilerOptions": { "baseUrl": "src", "paths": { "one": ["a.ts"] } } }');
    expect(projectPaths(ts, folder)).toEqual({ one: [join(root, 'src/a.ts')] });
  });

  it('are none where the file is broken, or says nothing of them', () => {
    for (const text of [
      '{',
      '',
      '[]',
      '{ "compilerOptions": 5 }',
      '{ "compilerOptions": { "paths": null } }',
      '{ "extends": "./none" }',
    ]) {
      config(text);
      expect(projectPaths(ts, folder), text).toEqual({});
    }
  });

  it('are tried as TypeScript does: the name itself, else the longest pattern', () => {
    const paths = { 'a/*': ['/x/*', '/y/*'], 'a/b/*': ['/z/*.js'], 'a/b/c': ['/c'], '*.css': ['/css/*'] };
    expect(mapped(paths, 'a/q/r')).toEqual(['/x/q/r', '/y/q/r']);
    expect(mapped(paths, 'a/b/d')).toEqual(['/z/d.js']);
    expect(mapped(paths, 'a/b/c')).toEqual(['/c']);
    expect(mapped(paths, 'main.css')).toEqual(['/css/main']);
    expect(mapped(paths, 'a/$&')).toEqual(['/x/$&', '/y/$&']);
    for (const other of ['a', 'b', '.css/x', 'toString', '']) expect(mapped(paths, other)).toEqual([]);
  });
});
