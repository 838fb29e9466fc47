// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { isComplete } from '../../src/kernel/is-complete.js';

const status = (code: string) => isComplete(ts, code).status;
const indent = (code: string) => {
  const found = isComplete(ts, code);
  return found.status === 'incomplete' ? found.indent : found.status;
};

describe('is_complete', () => {
  it.each([
    '',
    '1 // x',
    'const x = await f()',
    'for await (const x of y) {}',
    'const s = `a\nb ${`c ${1}`}`',
    '/* a */ /** b */',
    'using x = y;',
    'const t = a satisfies B',
    'if (a) b\nelse c',
    'import { a } from "b"',
  ])('%j can run', code => expect(status(code)).toBe('complete'));

  it.each([
    'f(]',
    'const 1 = 2',
    'let x = ;\nlet y',
    "const s = 'a",
    'const s = "a\n + 1',
    'const re = /[/',
    'f(1))',
    'f(1,\n]',
    '}',
  ])('%j is wrong whatever follows', code => expect(status(code)).toBe('invalid'));

  it.each([
    // Brackets: one step deeper than the line that opened the innermost.
    ['f(1,', '  '],
    ['function f() {\n  if (a) {\n    b();', '    '],
    ['const o = {\n  a: [\n    1,', '    '],
    ['  f({', '    '],
    ['f("(", /* [ */ {a: 1},', '  '],
    ['f( // x', '  '],
    // The middle of a statement.
    ['if (true)', '  '],
    ['const a =', '  '],
    ['a +', '  '],
    ['x =>', '  '],
    ['foo.', '  '],
    ['import { a', '  '],
    // Text of a template literal is taken as it is; its holes are code.
    ['const s = `a', ''],
    ['  const s = `a ${f({})} b', ''],
    ['const s = `a ${b', '  '],
    ['`a ${ {b: 1}.b } c` + [', '  '],
    ['`${`a ${b}` }', ''],
    // Comments and strings.
    ['/* a', ''],
    ['  a\n  /** b', '  '],
    ["const s = 'a\\", '  '],
  ])('%j wants more', (code, expected) => expect(indent(code)).toBe(expected));
});
