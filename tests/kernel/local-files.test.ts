import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/built.js';
import { type Done, drive, noJupyter, PATIENCE, result, stream, trace } from './front-end.js';

const files: Record<string, string> = {
  'node_modules/waits/package.json': '{ "name": "waits", "type": "module", "exports": "./a.js" }',
  'node_modules/waits/a.js': 'export const waited = await Promise.resolve(5);',
  'node_modules/live/package.json':
    '{ "name": "live", "type": "module", "exports": { ".": { "types": "./a.d.ts", "default": "./a.js" } } }',
  'node_modules/live/a.js': 'export let n = 0; export function bump() { n++ }',
  'node_modules/live/a.d.ts': 'export declare let n: number; export declare function bump(): void;',
  'all.ts': `import { waited } from 'waits';
import * as vega from 'vega';
import { base } from './base';
import data from './data.json';
export const sum: number = base + waited;
export type Options = { v: number };
export interface Holder<T> { x: T }
export enum Kind { One = 1 }
export default class Widget { hi() { return 'hi ' + typeof vega.parse + data.depth } }
export const file = import.meta.filename.slice(-6);
export { base as renamed } from './base';
export * from './star';
export * as stars from './star';
const awaited = await Promise.resolve('top-level await');
export { awaited };`,
  'base.ts': 'export let base = 1; export const change = () => { base++ };',
  'star.ts': "export const s1 = 's1', s2 = 's2'; export default 'not starred';",
  'data.json': '{ "depth": 3 }',
  'one.ts': "import { two } from './two'; export function one() { return 'one' } export const both = () => one() + two();",
  'two.ts': "import { one } from './one'; export function two() { return 'two' + one() }",
  'common.cjs': "module.exports = { q: 1, late() { return require('./below.cjs').z } };",
  'below.cjs': "exports.z = 'z1'",
  'script.js': "const { sep } = require('path'); module.exports = { sep, v: 1 }",
  'module.js': "export const j = 'j1'; export default 4",
  'module.mjs': "import { deep } from './deep.mjs'; export const m = deep + 1; export const name = import.meta.filename",
  'deep.mjs': 'export const deep = 10',
  'folder/index.ts': "export { inside } from './more/inside.js'",
  'folder/more/inside.ts': "export const inside = 'inside'",
  'component.tsx': 'export const component = 1',
  'tsconfig.json': '{ // Short names.\n "extends": "./more.tsconfig.json", "include": ["nothing"] }',
  'more.tsconfig.json':
    '{ "compilerOptions": { "paths": { "@/*": ["./none/*", "./folder/*"], "@/deep/*": ["./folder/more/*"], "~data": ["./data.json"], "waits": ["./none"] } } }',
  'uses-names.js': "export { inside } from '@/more/inside'; export { waited } from 'waits';",
  'whole.cts':
    "import { sep } from 'node:path'; import common = require('./common.cjs'); class Whole { static sep = sep; q = common.q } export = Whole;",
  'whole-too.ts':
    "import Whole = require('./whole.cjs'); import * as names from './base'; const all = { made: new Whole(), names }; export = all;",
  'broken.ts': 'export const bad: string = 5;',
  'unparsable.ts': 'export const x = ;',
  'needs.ts': "import { miss } from './missing'; export const needed = miss;",
  'effect.ts': "console.log('effect'); export {}",
  'throws.ts': "throw new Error('at first'); export {}",
  'large.json': JSON.stringify(Array.from({ length: 60_000 }, (_, i) => ({ instruction: `do ${i}` }))),
};

// File times have a resolution of a few ms on some systems.
const write = (path: string, text: string) =>
  `await new Promise(resolve => setTimeout(resolve, 30)); require('node:fs').writeFileSync(${JSON.stringify(path)}, ${JSON.stringify(text)});\n`;

/** Cells in the order in which they run: [what, code, what it shows or an error]. */
const cells: [name: string, code: string, expected: string | RegExp | undefined][] = [
  [
    'every kind of export, packages with top-level await, import.meta',
    `import Widget, { sum, Kind, file, renamed, s1, stars, awaited, type Options, Holder } from './all';
const options: Options = { v: sum }; const holder: Holder<string> = { x: 's' };
JSON.stringify([new Widget().hi(), sum, Kind.One, file, renamed, s1, stars.s2, awaited, options, holder])`,
    `'["hi function3",6,1,"all.ts",1,"s1","s2","top-level await",{"v":6},{"x":"s"}]'`,
  ],
  ['types of files are checked', `const wrong: Options = { v: 'x' };`, /TS2322/],
  ['files that import each other', `import { both } from './one'; both()`, "'onetwoone'"],
  [
    'names are completed',
    `import { inside } from './folder'; import { component } from './component'; [inside, component]`,
    "[ 'inside', 1 ]",
  ],
  [
    'bindings stay live',
    `import { n, bump } from 'live'; import { base, change } from './base.js'; bump(); change(); [n, base]`,
    '[ 1, 2 ]',
  ],
  ['… in later cells too', `bump(); change(); [n, base]`, '[ 2, 3 ]'],
  [
    'a changed file is read again, also through another',
    `${write('base.ts', "export let base = 100; export const change = () => { base++ }; export const added = 'new'")}1`,
    '1',
  ],
  ['→', `import { sum, renamed } from './all'; import { added } from './base'; [sum, renamed, added]`, "[ 105, 100, 'new' ]"],
  ['an unchanged file keeps its state', `import { base, change } from './base'; change(); base`, '101'],
  ['→', `import { base } from './base'; base`, '101'],
  [
    'import() of a name, and of one computed',
    `const named = await import('./all'); const path: string = './' + 'star'; const computed = await import(path); [named.sum, computed.s1]`,
    "[ 105, 's1' ]",
  ],
  ['require of a file that was imported', `require('./all').sum`, '105'],
  [
    'require of another',
    `require('./one.ts').nothing ?? require('./needs.ts')`,
    /require\(\) cannot load TypeScript.*await import/s,
  ],
  [
    'names of the tsconfig.json',
    `import { inside } from '@/index'; import { inside as deep } from '@/deep/inside'; import named from '~data'; import * as uses from './uses-names'; [inside, deep, named.depth, uses.inside, uses.waited, (await import('@/index' as string)).inside, require('@/index').inside].join()`,
    "'inside,inside,3,inside,5,inside,inside'",
  ],
  [
    'export =, imported and required',
    `import Whole from './whole.cjs'; import { made } from './whole-too'; import Required = require('./whole.cjs'); import all = require('./whole-too'); [new Whole().q, Required === Whole, Required.sep, all.made === made, typeof all.names.change, require('./whole.cts') === Whole]`,
    "[ 1, true, '/', true, 'function', true ]",
  ],
  [
    'import = require of what only an import can load',
    `import data = require('./data.json'); import waits = require('waits'); import mjs = require('./module.mjs'); import all2 = require('./all'); [data.depth, waits.waited, mjs.m, all2.awaited]`,
    "[ 3, 5, 11, 'top-level await' ]",
  ],
  [
    'CommonJS',
    `import common, { q } from './common.cjs'; import script, { v } from './script'; [common.late(), q, script, v]`,
    `[ 'z1', 1, { sep: '/', v: 1 }, 1 ]`,
  ],
  ['CommonJS read again', `${write('below.cjs', "exports.z = 'z2'")}${write('script.js', 'module.exports = { v: 2 }')}1`, '1'],
  ['→', `import common from './common.cjs'; import script from './script.js'; [common.late(), (script as any).v]`, "[ 'z2', 2 ]"],
  [
    'ES modules',
    `import four, { j } from './module.js'; import { m, name } from './module.mjs'; [four, j, m, name.endsWith('module.mjs')]`,
    "[ 4, 'j1', 11, true ]",
  ],
  [
    'ES modules read again',
    `${write('module.js', "export const j = 'j2'; export default 5")}${write('deep.mjs', 'export const deep = 20')}1`,
    '1',
  ],
  [
    '→',
    `import four, { j } from './module.js'; import { m, name } from './module.mjs'; [four, j, m, name.endsWith('module.mjs')]`,
    "[ 5, 'j2', 21, true ]",
  ],
  ['JSON', `import data from './data.json' with { type: 'json' }; import { depth } from './data.json'; data.depth + depth`, '6'],
  ['JSON read again', `${write('data.json', '{ "depth": 4, "more": [1] }')}1`, '1'],
  ['→', `import data from './data.json'; data.depth + data.more[0]`, '5'],
  ['a large JSON file is any', `import large from './large.json'; large.nothing ?? large.length`, '60000'],
  [
    'an error in a file stops the cell that imports it',
    `import { bad } from './broken';`,
    /^broken\.ts, line 1:14 error TS2322.*> 1 \| export const bad: string = 5;/s,
  ],
  [
    '… and one that only the run reaches',
    `const where: string = './unparsable'; await import(where)`,
    /^unparsable\.ts, line 1:18 error TS1109/,
  ],
  ['corrected', `${write('broken.ts', "export const bad: string = 'good'")}1`, '1'],
  ['→', `import { bad } from './broken'; bad`, "'good'"],
  [
    'a file that is missing',
    `import { needed } from './needs';`,
    /^needs\.ts, line 1:22 error TS2307: Cannot find module '\.\/missing'/,
  ],
  ['… and then is there', `${write('missing.ts', "export const miss = 'found'")}1`, '1'],
  ['→', `import { needed } from './needs'; needed`, "'found'"],
  ['a file runs once', `import './effect'; import './effect';`, undefined],
  ['a file that throws', `import './throws';`, /Error: at first/],
  ['… is tried again', `${write('throws.ts', 'export const calm = 1')}1`, '1'],
  ['→', `import { calm } from './throws'; calm`, '1'],
  [
    'two imports at once of what a third needs',
    `const [x1, x2] = await Promise.all([import('./one'), import('./two')]); x1.both() + x2.two()`,
    "'onetwoonetwoone'",
  ],
];

describe.skipIf(noJupyter)(`files beside a notebook ${noJupyter ?? ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-local-'));
  let done: Done[] = [];
  beforeAll(async () => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    symlinkSync(join(root, 'node_modules', 'vega'), join(folder, 'node_modules', 'vega'));
    done = await drive(
      cells.map(([, code]) => ({ code })),
      { cwd: folder },
    );
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(cells.map(([name, , expected], i) => [i + 1, name, expected] as const))('%d %s', (number, _name, expected) => {
    const cell = done[number - 1]!;
    if (expected instanceof RegExp) {
      expect(cell.reply.status).toBe('error');
      expect(trace(cell)).toMatch(expected);
    } else {
      expect(cell.reply.status === 'error' ? trace(cell) : '').toBe('');
      expect(result(cell)).toBe(expected);
    }
    expect(stream(cell, 'stderr')).toBe('');
  });

  it('the effect was seen once', () => {
    expect(done.map(each => stream(each)).join('')).toBe('effect\n');
  });
});
