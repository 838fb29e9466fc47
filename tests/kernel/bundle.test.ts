import { describe, expect, it } from 'vitest';
import { Bundles } from '../../src/kernel/bundle.js';

describe('a bundle of declaration files', () => {
  const files: Record<string, string> = {
    '/types/index.d.ts': [
      '/// <reference lib="es2020" />',
      '/// <reference types="other" />',
      '/// <reference path="sub/b.d.ts" />',
      '/// <reference path="module.d.ts" />',
      '/// <reference path="lost.d.ts" />',
      'declare const index: 1;',
    ].join('\n'),
    '/types/sub/b.d.ts': '/// <reference path="../index.d.ts" />\r\n/// <reference path="c.d.ts" />\r\ndeclare const b: 1;\r\n',
    '/types/sub/c.d.ts': 'declare module "c" {\n  export const c: 1;\n}',
    '/types/module.d.ts': 'export {};\ndeclare global { const d: 1; }',
    '/lib/lib.new.d.ts': '/// <reference lib="old" />\ndeclare const fresh: 1;',
    '/lib/lib.old.d.ts': 'declare const old: 1;',
    '/lib/lib.more.d.ts': 'declare const more: 1;',
    '/lib/lib.apart.d.ts': 'export {};',
  };

  it('holds what files refer to before them, but no modules', () => {
    const bundles = new Bundles(path => files[path]);
    bundles.add('/types/index.d.ts');
    const text = bundles.text('/types/index.d.ts')!;
    expect(text.split(/\s*\n\s*/).filter(Boolean)).toEqual([
      '/// <reference lib="es2020" />',
      '/// <reference types="other" />',
      '/// <reference path="/types/module.d.ts" />',
      '/// <reference path="/types/lost.d.ts" />',
      'declare module "c" {',
      'export const c: 1;',
      '}',
      'declare const b: 1;',
      'declare const index: 1;',
    ]);
    expect(bundles.text('/types/sub/b.d.ts')).toBe('');
    expect(bundles.text('/types/module.d.ts')).toBeUndefined();
    expect(bundles.origin('/types/index.d.ts', text.indexOf('const b'))).toEqual({ path: '/types/sub/b.d.ts', line: 3 });
    expect(bundles.origin('/types/index.d.ts', text.indexOf('const index'))).toEqual({ path: '/types/index.d.ts', line: 6 });
    expect(bundles.origin('/types/module.d.ts', 0)).toBeUndefined();
  });

  it('holds libraries', () => {
    const bundles = new Bundles(path => files[path]);
    bundles.add('/lib/lib.new.d.ts', '/lib', ['/lib/lib.more.d.ts', '/lib/lib.apart.d.ts']);
    expect(bundles.text('/lib/lib.new.d.ts')!.match(/\w+(?=: 1)/g)).toEqual(['old', 'fresh', 'more']);
    expect(bundles.has('/lib/lib.more.d.ts')).toBe(true);
    expect(bundles.has('/lib/lib.apart.d.ts')).toBe(false);
  });

  it('is none of a module, or of a file that is not there', () => {
    const bundles = new Bundles(path => files[path]);
    for (const path of ['/types/module.d.ts', '/types/none.d.ts']) {
      bundles.add(path);
      expect(bundles.text(path)).toBeUndefined();
    }
  });
});
