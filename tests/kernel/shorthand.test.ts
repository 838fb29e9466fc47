import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type Compiler, rewriteCell } from '../../src/kernel/rewrite.js';

const rewrite = (code: string) => rewriteCell(ts as Compiler, code);

describe('shorthand properties of earlier cells’ variables', () => {
  it('are looked up among them, and among the globals', () => {
    expect(rewrite('f({ a });')).toBe('f({ a: ("a" in exports ? exports.a : a) });');
    expect(rewrite('f({ a, b: c });')).toBe('f({ a: ("a" in exports ? exports.a : a), b: c });');
    expect(rewrite('const f = () => ({ a });')).toContain('exports.a');
    expect(rewrite('{ const a = 1; } f({ a });')).toContain('exports.a');
    expect(rewrite('function g(a) {} f({ a });')).toContain('exports.a');
  });

  it.each([
    'const a = 1; f({ a });',
    'const { b: [a] } = c; f({ a });',
    'f({ a }); function a() {}',
    'f({ a }); if (x) { var a = 1; }',
    'function g(a) { return { a }; }',
    'const g = ({ a }) => ({ a });',
    'for (const a of b) f({ a });',
    'try { g(); } catch (a) { f({ a }); }',
    'class a { m() { return { a }; } }',
    'const g = () => { { f({ a }); } let a = 1; };',
  ])('stay as they are where the cell itself declares the name: %s', code => {
    expect(rewrite(code)).toBe(code);
  });

  it('names that an import of the cell declares stay too', () => {
    expect(rewrite('import { a } from "m"; f({ a });')).toContain('f({ a });');
    expect(rewrite('import * as a from "m"; f({ a });')).toContain('f({ a });');
  });

  it('can be assigned to', () => {
    expect(rewrite('({ a } = b);')).toBe('({ a: exports.a } = b);');
    expect(rewrite('({ a = 1 } = b);')).toBe('({ a: exports.a = 1 } = b);');
    expect(rewrite('({ x: [{ a }] } = b);')).toBe('({ x: [{ a: exports.a }] } = b);');
  });
});
