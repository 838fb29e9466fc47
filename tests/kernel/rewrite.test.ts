import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type Compiler, rewriteCell } from '../../src/kernel/rewrite.js';

const rewrite = (code: string) => rewriteCell(ts as Compiler, code);

describe('rewriting a compiled cell', () => {
  it('turns every form of static import into an awaited one', () => {
    expect(rewrite('import "m";')).toBe('await __tunebook__.import("m");');
    expect(rewrite('import D from "m";')).toBe('const { default: D } = await __tunebook__.import("m");');
    expect(rewrite('import { a, b as c } from "m";')).toBe('const { a, b: c } = await __tunebook__.import("m");');
    expect(rewrite('import * as N from "m";')).toBe('const N = await __tunebook__.namespace("m");');
    expect(rewrite('import D, * as N from "m";')).toBe(
      'const { default: D } = await __tunebook__.import("m"); const N = await __tunebook__.namespace("m");',
    );
  });

  it('makes every await a checkpoint, also nested ones and those in functions', () => {
    expect(rewrite('await a(await b);')).toBe('await  __tunebook__.await(a(await  __tunebook__.await(b)));');
    expect(rewrite('const f = async () => await g;')).toBe('const f = async () => await  __tunebook__.await(g);');
    expect(rewrite('for await (const x of xs) y;')).toBe('for await (const x of  __tunebook__.iterate(xs)) y;');
    expect(rewrite('await import("m");')).toBe('await  __tunebook__.await(__tunebook__.dynamicImport("m"));');
  });

  it('leaves strings, comments and properties alone', () => {
    const code = '"await x"; // await y\no.import(1); `$ await`;';
    expect(rewrite(code)).toBe(code);
  });

  it('keeps the numbers of lines', () => {
    const code = 'import {\n  a,\n  b,\n} from "m";\nawait a;\n';
    expect(rewrite(code).split('\n').length).toBe(code.split('\n').length);
    expect(rewrite(code).split('\n')[4]).toContain('await');
  });

  it('gives import.meta a meaning', () => {
    expect(rewrite('import.meta.url;')).toBe('__tunebook__.meta.url;');
  });
});
