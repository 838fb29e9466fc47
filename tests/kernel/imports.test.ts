import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, root } from '../helpers/built.js';
import { type Done, drive, noJupyter, PATIENCE, result, type Step, stream, trace } from './front-end.js';

/** A folder in which tunebook is installed as npm would: a copy of what it ships, its dependencies beside it. */
function foreignFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-foreign-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(modules, 'tunebook'));
  cpSync(join(root, 'package.json'), join(modules, 'tunebook', 'package.json'));
  cpSync(join(root, 'dist'), join(modules, 'tunebook', 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "someone-elses", "private": true }');
  return folder;
}

/** One state whichever way it is loaded: DESIGN contract 11. */
const oneState: Step[] = [
  {
    code: `import { BadInput, data } from 'tunebook';\nimport * as rows from 'tunebook/data';\n[typeof BadInput, data.readRows === rows.readRows]`,
  },
  {
    code: `const required = require('tunebook'); const imported = await import('tunebook');
[required.BadInput === BadInput, imported.BadInput === BadInput, require('tunebook/data').readRows === rows.readRows]`,
  },
];

describe.skipIf(noJupyter)(`imports in cells ${noJupyter ?? ''}`, () => {
  describe('tunebook', { timeout: PATIENCE }, () => {
    it("resolves by name in the repository's own notebooks, types included, and is one instance", async () => {
      const done = await drive(
        [
          ...oneState,
          {
            code: `import * as tf from '@tensorflow/tfjs-core';\nimport * as backend from 'tunebook/backend';\nconst { createRequire } = require('node:module');
createRequire(require.resolve('tunebook/backend'))('@tensorflow/tfjs-core').engine() === tf.engine()`,
          },
          { code: `import type { Row } from 'tunebook/data';\nconst row: Row = { messages: 5 };` },
        ],
        { cwd: join(root, 'notebooks') },
      );
      expect(result(done[0]!)).toBe("[ 'function', true ]");
      expect(result(done[1]!)).toBe('[ true, true, true ]');
      expect(result(done[2]!)).toBe('true');
      expect(trace(done[3]!)).toContain("Type 'number' is not assignable to type 'Message[]'");
    });

    it('works in a folder where it is installed, and in one where it is not', async () => {
      await ensureBuilt();
      const installed = foreignFolder();
      const empty = mkdtempSync(join(tmpdir(), 'tunebook-empty-'));
      try {
        const there = await drive([...oneState, { code: `require.resolve('tunebook').includes('node_modules')` }], {
          cwd: installed,
        });
        expect(there.map(result)).toEqual(["[ 'function', true ]", '[ true, true, true ]', 'true']);
        const nowhere = await drive([oneState[0]!], { cwd: empty });
        expect(result(nowhere[0]!)).toBe("[ 'function', true ]");
      } finally {
        rmSync(installed, { recursive: true, force: true });
        rmSync(empty, { recursive: true, force: true });
      }
    });

    it('is imported by a cell of plain tslab, root and subpath, with one state', async () => {
      await ensureBuilt();
      const installed = foreignFolder();
      try {
        const done = await drive(
          [
            {
              code: `import { BadInput } from 'tunebook';\nimport * as rows from 'tunebook/data';\nconsole.log(typeof BadInput, typeof rows.readRows)`,
            },
            {
              code: `await 0; const imported = await import('tunebook');
console.log(require('tunebook').BadInput === BadInput, imported.BadInput === BadInput, require('tunebook/data').readRows === rows.readRows)`,
            },
            { code: `import type { Row } from 'tunebook/data';\nconst row: Row = { messages: 5 };` },
          ],
          { cwd: installed, kernel: 'tslab' },
        );
        expect(stream(done[0]!)).toBe('function function\n');
        expect(stream(done[1]!)).toBe('true true true\n');
        expect(stream(done[2]!, 'stderr')).toContain("Type 'number' is not assignable to type 'Message[]'");
      } finally {
        rmSync(installed, { recursive: true, force: true });
      }
    });
  });

  describe('packages and files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunebook-imports-'));
    const steps = {
      esm: {
        code: `import { answer, default as fallback } from 'only-esm';\nimport * as all from 'only-esm/sub';\n[answer + 1, fallback, all.deep]`,
      },
      await: { code: `import { ready } from 'top-level-await';\nready` },
      vega: {
        code: `import * as vega from 'vega';\nimport { compile } from 'vega-lite';\n[typeof vega.parse, typeof compile]`,
      },
      commonjs: {
        code: `import defaulted, { named } from 'old-style';\nimport * as old from 'old-style';\n[defaulted(), named, old.hidden]`,
      },
      transpiled: { code: `import value from 'transpiled';\nvalue` },
      builtin: {
        code: `import fs, { existsSync } from 'node:fs';\nimport path from 'path';\n[fs.existsSync === existsSync, path.sep]`,
      },
      json: { code: `import settings from './settings.json';\nsettings.depth + 1` },
      local: { code: `import { twice } from './local';\ntwice(4)` },
      dynamic: { code: `const { answer: late } = await import('only-esm');\nlate` },
      meta: { code: `(import.meta as any).dirname === process.cwd() && import.meta.url.startsWith('file://')` },
      reassign: { code: `import { basename } from 'node:path';\nconst answer = basename('/a/b');\nanswer` },
      missing: { code: `import { x } from 'not-there';` },
      tslab: { code: `import * as tslab from 'tslab';\ntslab.display.html('<i>t</i>')` },
    } satisfies Record<string, Step>;
    const done = {} as Record<keyof typeof steps, Done>;

    beforeAll(async () => {
      const write = (path: string, text: string) => {
        mkdirSync(join(folder, path, '..'), { recursive: true });
        writeFileSync(join(folder, path), text);
      };
      const pack = (name: string, manifest: object, files: Record<string, string>) => {
        write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', ...manifest }));
        for (const [path, text] of Object.entries(files)) write(`node_modules/${name}/${path}`, text);
      };
      const entry = (name: string) => ({ types: `./${name}.d.ts`, import: `./${name}.js` });
      pack(
        'only-esm',
        { type: 'module', exports: { '.': entry('a'), './sub': entry('b') } },
        {
          'a.js': 'export const answer = 41; export default "d";',
          'a.d.ts': 'export const answer: number; declare const d: string; export default d;',
          'b.js': 'export const deep = true;',
          'b.d.ts': 'export const deep: boolean;',
        },
      );
      pack(
        'top-level-await',
        { type: 'module', exports: entry('a') },
        {
          'a.js': 'export const ready = await Promise.resolve("ready");',
          'a.d.ts': 'export const ready: string;',
        },
      );
      // `hidden` is set in a way that Node's reading of export names misses.
      pack(
        'old-style',
        { main: './index.js', types: './index.d.ts' },
        {
          'index.js':
            'function f() { return "called"; } module.exports = f; f.named = 1; for (const k of ["hidden"]) module.exports[k] = 2;',
          'index.d.ts':
            'declare function f(): string; declare namespace f { const named: number; const hidden: number; } export = f;',
        },
      );
      pack(
        'transpiled',
        { main: './index.js', types: './index.d.ts' },
        {
          'index.js': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "the default";',
          'index.d.ts': 'declare const value: string; export default value;',
        },
      );
      write('settings.json', '{ "depth": 2 }');
      write('local.ts', `import { factor } from './factor.js';\nexport const twice = (x: number): number => factor * x;\n`);
      write('factor.ts', 'export const factor: number = 2;\n');
      for (const name of ['vega', 'vega-lite']) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
      const results = await drive(Object.values(steps), { cwd: folder });
      Object.keys(steps).forEach((name, i) => {
        done[name as keyof typeof steps] = results[i]!;
      });
    }, PATIENCE);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each([
      ['esm', "[ 42, 'd', true ]"],
      ['await', "'ready'"],
      ['vega', "[ 'function', 'function' ]"],
      ['commonjs', "[ 'called', 1, 2 ]"],
      ['transpiled', "'the default'"],
      ['builtin', "[ true, '/' ]"],
      ['json', '3'],
      ['local', '8'],
      ['dynamic', '41'],
      ['meta', 'true'],
      ['reassign', "'b'"],
    ] as const)('%s', (name, expected) => {
      expect(done[name].reply.evalue).toBeUndefined();
      expect(result(done[name])).toBe(expected);
    });

    it('names the module that is missing', () => {
      expect(done.missing.reply.evalue).toContain("Cannot find module 'not-there'");
    });

    it("shows what tslab's display functions make", () => {
      expect(done.tslab.outputs.find(each => each.type === 'display_data')?.content.data).toEqual({ 'text/html': '<i>t</i>' });
    });
  });
});
