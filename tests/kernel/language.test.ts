import { beforeAll, describe, expect, it } from 'vitest';
import { type Done, drive, noJupyter, PATIENCE, result, type Step, stream, trace } from './front-end.js';

/** Cells in the order in which they run on one kernel: [code, what it shows, or an error it ends with]. */
type Expected = string | undefined | RegExp;
type Cell = readonly [code: string, expected: Expected];

const NOTHING = undefined;

const groups: Record<string, Cell[]> = {
  'variables are shared between cells, both ways': [
    ['let count = 0; function inc() { count++; return count }', NOTHING],
    ['count = 10; inc(); count', '11'],
    ['count += 5; --count; [inc(), count]', '[ 16, 16 ]'],
    ['[count] = [1]; ({ count } = { count: count + 1 }); count', '2'],
    ['for (count of [7, 8]);\ncount', '8'],
    ['const fixed = 1;', NOTHING],
    ['fixed = 2', /TS2588: Cannot assign to 'fixed' because it is a constant/],
    [
      'const { log } = console; var hoisted = 1; for (var i = 0; i < 3; i++) { var inner = i }\nif (true) { var cond = "c" }',
      NOTHING,
    ],
    ['[typeof log, hoisted, i, inner, cond]', "[ 'function', 1, 3, 2, 'c' ]"],
    ['const { x: dx, ...others } = { x: 1, y: 2 }; let [head, , ...tail] = [1, 2, 3, 4];', NOTHING],
    ['({ dx, others, head, tail })', '{ dx: 1, others: { y: 2 }, head: 1, tail: [ 3, 4 ] }'],
  ],
  'names are looked up where they are written': [
    ["let shadow = 'outer';", NOTHING],
    [
      `shadow: for (const _ of [1]) { continue shadow }
const g1 = (shadow: string) => shadow + '!';
const g2 = ({ shadow }: any) => ({ shadow });
const g3 = ({ shadow: x = shadow } = {} as any) => x;
const g4 = () => { try { throw 1 } catch (shadow) { return shadow } };
class Shadow { shadow = shadow; static shadow = shadow + 's' }
JSON.stringify([g1('a'), g2({ shadow: 'b' }), g3(), g4(), { shadow, ['k' + shadow]: 1 }, new Shadow(), Shadow.shadow, typeof shadow])`,
      `'["a!",{"shadow":"b"},"outer",1,{"shadow":"outer","kouter":1},{"shadow":"outer"},"outers","string"]'`,
    ],
    ['function plain(this: unknown) { return this === undefined }', NOTHING],
    ['[plain(), ((tag: any) => tag === 1)(1)]', '[ true, true ]'],
    ["const require = (await import('node:module')).createRequire(import.meta.url); typeof require('fs')", "'object'"],
  ],
  'anything can be declared again': [
    [
      'const again = 1; let anew = 1; class Thing { a = 1 } enum Level { Low } function act() { return 1 } type Shape = { a: number }',
      NOTHING,
    ],
    [
      "const again = 'text'; let anew = 'text'; class Thing { b = 2 } enum Level { High = 5 } function act() { return 'two' } type Shape = { b: string }",
      NOTHING,
    ],
    [
      "const shape: Shape = { b: 'x' }; [again.toUpperCase(), anew.length, new Thing().b, Level.High, act().length, shape.b]",
      "[ 'TEXT', 4, 2, 5, 3, 'x' ]",
    ],
    ['let again = 3; again', '3'],
    ['class again {}\nnew again()', 'again {}'],
    ['interface again { a: 1 }', NOTHING],
    ['const one: again = { a: 1 }; one', '{ a: 1 }'],
    ['type Both = { a: 1 }; const Both = { b: 2 };', NOTHING],
    ['const both: Both = { a: 1 }; [both.a, Both.b]', '[ 1, 2 ]'],
    ["import { sep as again } from 'node:path'; again", "'/'"],
    ["const again = 'mine'; again", "'mine'"],
    ['const twice = 1; const twice = 2;', /TS2451: Cannot redeclare block-scoped variable 'twice'/],
  ],
  'types go from cell to cell exactly': [
    [
      `interface Box<T> { v: T }
interface Box<T> { w?: T }
type Pair<A, B = A> = [A, B];
function over(x: string): string;
function over(x: number): number;
function over(x: any) { return x }
namespace Space { export const v = 1; export type T = string; export namespace Deep { export const w = 2 } }
enum Color { Red, Blue = 'b' }
const enum Fixed { Seven = 7 }
function merged() { return merged.extra } namespace merged { export const extra = 5 }
abstract class Base<T> { abstract v(): T; static made = 0; static { Base.made++ } }`,
      NOTHING,
    ],
    [
      `class Derived extends Base<number> { v() { return Base.made } }
const box: Box<number> = { v: 1, w: 2 }; const pair: Pair<string> = ['a', 'b']; const text: Space.T = 'q';
[over('a').length, over(2).toFixed(1), Space.v + Space.Deep.w, Color.Red, Color.Blue, Color[0], Fixed.Seven, merged(), new Derived().v()].join()`,
      "'1,2.0,3,0,b,Red,7,5,1'",
    ],
    ["const wrong: Box<number> = { v: 'x' };", /TS2322: Type 'string' is not assignable to type 'number'/],
    ['over(true)', /TS2769: No overload matches this call/],
    [
      'class Private { #p = 1; get p() { return this.#p } static make() { return new Private() } }\nconst made = Private.make();',
      NOTHING,
    ],
    ['const same: Private = made; same.p', '1'],
    ["const tuple = [1, 'a'] as const; const sym = Symbol(); const keyed = { [sym]: 1 };", NOTHING],
    [
      "const one1: 1 = tuple[0]; const a1: 'a' = tuple[1]; type Key = typeof keyed; const key: Key = { [sym]: 3 }; key[sym] + keyed[sym]",
      '4',
    ],
    [
      "function isText(x: unknown): x is string { return typeof x === 'string' }\nfunction must(x: unknown): asserts x is number {}",
      NOTHING,
    ],
    ["const unknown1: unknown = 'four'; must(1); isText(unknown1) && unknown1.length", '4'],
    [
      "import type { Stats } from 'node:fs'; import { type PathLike, statSync } from 'node:fs'; import assert from 'node:assert';",
      NOTHING,
    ],
    [
      "const stats: Stats = statSync('.'); const path: PathLike = '.'; assert(true); assert.equal(1, 1); stats.isDirectory()",
      'true',
    ],
    ['import Alias = Space.Deep; import fs = require("node:fs"); [Alias.w, typeof fs.statSync]', "[ 2, 'function' ]"],
    ['[Alias.w, typeof fs.statSync]', "[ 2, 'function' ]"],
    [
      'declare global { interface Array<T> { last1(): T } var answer1: number }\nArray.prototype.last1 = function () { return this.at(-1) }; globalThis.answer1 = 42;\n0',
      '0',
    ],
    ['[[1, 2].last1(), answer1]', '[ 2, 42 ]'],
    ["declare global { interface Array<T> { last1(): string } }\nArray.prototype.last1 = () => 'again';\n0", '0'],
    ['[1].last1().length', '5'],
    ['declare const elsewhere: string; (globalThis as any).elsewhere = "there"; 0', '0'],
    ['elsewhere.length', '5'],
    ["const loose = x => x + x; loose('a')", "'aa'"],
    ['export const exported = 1; export default function fallback() { return 2 } export { exported as renamed };', NOTHING],
    ['exported + fallback()', '3'],
  ],
  'new syntax': [
    [
      "const order: string[] = [];\nusing held = { [Symbol.dispose]() { order.push('held') } };\n{ await using inner2 = { async [Symbol.asyncDispose]() { order.push('inner') } }; }\nconst later = () => held; class Within {}",
      NOTHING,
    ],
    ['[order, typeof later(), typeof Within]', "[ [ 'inner', 'held' ], 'object', 'function' ]"],
    [
      "function literal<const T extends readonly string[]>(x: T): T { return x }\nconst lit = literal(['a', 'b']); const lit0: 'a' = lit[0]; ({ x: 1 }) satisfies Record<string, number>",
      '{ x: 1 }',
    ],
    ['const bad1 = { x: 1 } satisfies Record<string, string>', /TS2322/],
    [
      `function logged<T extends (...a: any[]) => any>(f: T, context: ClassMethodDecoratorContext) { return function (this: any, ...a: any[]) { return [context.name, f.apply(this, a)] } as unknown as T }
class Decorated { @logged m(x: number): any { return x } accessor field = 1 }
[new Decorated().m(3), new Decorated().field]`,
      "[ [ 'm', 3 ], 1 ]",
    ],
    [
      'class Secret { static #count = 0; static { Secret.#count = 5 } static has(o: object) { return #p in o } #p = 1 }\nSecret.has(new Secret())',
      'true',
    ],
    [
      'let assigned: number | undefined; assigned ??= 5; assigned ||= 6; assigned &&= 7; [assigned ** 2, 1_000n, /(?<y>a)/d.test("a")]',
      '[ 49, 1000n, true ]',
    ],
    ['[3, 1, 2].toSorted().findLast(x => x < 3)', '2'],
  ],
  'await and for await anywhere': [
    [
      `async function* gen() { try { yield 1; yield 2 } finally { seen.push(0) } }
const seen: number[] = [];
async function sum() { let s = 0; for await (const x of gen()) s += x; return s }
const nested = async () => { for await (const x of gen()) { for await (const y of [Promise.resolve(x)]) seen.push(y) } };
for await (const x of gen()) break;
await nested();
[await sum(), seen, \`\${await 1}\`, (await import('node:os')).EOL]`,
      "[ 3, [ 0, 1, 2, 0, 0 ], '1', '\\n' ]",
    ],
    ['await Promise.all([1, 2].map(async x => { await null; return await x }))', '[ 1, 2 ]'],
    ['function notAsync() { await 1 }', /TS1308/],
  ],
  'the last expression is shown': [
    ['1; // comment', '1'],
    ['2;;\n/* c */', '2'],
    ['3; type After = 1; interface AfterToo {}', '3'],
    ['{ a: 1, b: [2] } // object', '{ a: 1, b: [ 2 ] }'],
    ['{ a: 1 };', '{ a: 1 }'],
    ['{}', '{}'],
    ['{ const inBlock = 1; inBlock }', NOTHING],
    ['let late: number; late = 3', '3'],
    ['await Promise.resolve({ deep: 1 })', '{ deep: 1 }'],
    ['undefined', NOTHING],
    ['void 0', NOTHING],
    ['() => 1', '[Function (anonymous)]'],
    ['function silent() {}', NOTHING],
    ['(1, 2)', '2'],
    ['if (true) { 5 }', NOTHING],
    ['// only a comment', NOTHING],
    ['type OnlyType = 1', NOTHING],
    ["'use strict'", "'use strict'"],
  ],
  'documentation is kept': [
    [
      `/** How fast it learns. */
const learningRate = 0.1;
/** A documented type. */
class Documented {
  how: 'slow' | 'fast';
  /** Measures it. @param unit of length */
  measure(unit: string): number { return unit.length }
}
const documented = new Documented();`,
      NOTHING,
    ],
  ],
  'what a failed cell did until then is kept': [
    [
      "const kept = 1; let list = [kept]; function declared() { return kept } interface Kept { k: 1 }\nthrow new Error('half');\nconst lost = 2; class Lost {}",
      /Error: half/,
    ],
    ['const k1: Kept = { k: 1 }; [kept, list, declared()]', '[ 1, [ 1 ], 1 ]'],
    ['lost', /TS2304: Cannot find name 'lost'/],
    ['new Lost()', /TS2304: Cannot find name 'Lost'/],
    ["const first1 = 'a', second1 = (() => { throw new Error('second') })();", /Error: second/],
    ['first1', "'a'"],
    ['second1', /TS2304/],
    ["const value1 = 'before';", NOTHING],
    ["throw new Error('early'); const value1 = 5;", /Error: early/],
    ['value1.toUpperCase()', "'BEFORE'"],
    ["import { join } from 'node:path'; throw new Error('after the import')", /after the import/],
    ["join('a', 'b')", "'a/b'"],
    ['const unchecked = 1; const wrong1: string = 5;', /TS2322/],
    ['unchecked', /TS2304/],
  ],
  'code that cannot run says where and why': [
    ['const = 1', /^cell \d+, line 1:7 error TS1134.*\n> 1 \| const = 1\n {4}\| {7}\^/s],
    ['let open1 = `abc', /TS1160: Unterminated template literal/],
    ['/* open', /TS1010/],
    ['if (', /TS1109/],
    [')', /TS1128/],
    ['return 5', /TS1108/],
    ["import { nope } from 'node:fs'", /TS2305: Module '"node:fs"' has no exported member 'nope'/],
    ['undefinedThing()', /TS2304: Cannot find name 'undefinedThing'/],
    [
      "const n1 = 1;\nfunction f1(a: number) { return a }\nf1('no')",
      /^cell \d+, line 3:4 error TS2345.*\n> 3 \| f1\('no'\)\n {4}\| {4}\^{4}/s,
    ],
  ],
};

/** What this Node has or lacks: the type checker must know. */
const features: [name: string, has: boolean, code: string, shows: string][] = [
  ['Object.groupBy', 'groupBy' in Object, "Object.groupBy([1, 2, 3], x => (x % 2 ? 'odd' : 'even')).odd", '[ 1, 3 ]'],
  ['Array.fromAsync', 'fromAsync' in Array, '(await Array.fromAsync([Promise.resolve(1)])).length', '1'],
  ['Promise.withResolvers', 'withResolvers' in Promise, 'typeof Promise.withResolvers<number>().resolve', "'function'"],
  ['Set methods', 'union' in Set.prototype, 'new Set([1]).union(new Set([2])).size', '2'],
  ['iterator helpers', 'Iterator' in globalThis, '[1, 2].values().map(x => x * 2).toArray()', '[ 2, 4 ]'],
  ['resizable buffers', 'transfer' in ArrayBuffer.prototype, 'new ArrayBuffer(8).transfer(4).byteLength', '4'],
  ['RegExp v flag', 'unicodeSets' in RegExp.prototype, '/[\\p{L}--[a-z]]/v.test("A")', 'true'],
  ['WebAssembly', true, 'new WebAssembly.Memory({ initial: 1 }).buffer.byteLength', '65536'],
  ['DisposableStack', 'DisposableStack' in globalThis, 'new DisposableStack().disposed', 'false'],
];

/** Asked after all cells have run. */
const questions = {
  name: { request: 'complete', content: { code: 'learningRa', cursor_pos: 10 } },
  member: { request: 'complete', content: { code: 'documented.me', cursor_pos: 13 } },
  key: { request: 'complete', content: { code: "const o: Documented['how'] = '", cursor_pos: 30 } },
  path: { request: 'complete', content: { code: "import { x } from './kernel/front-e", cursor_pos: 35 } },
  variable: { request: 'inspect', content: { code: 'learningRate', cursor_pos: 3, detail_level: 1 } },
  method: { request: 'inspect', content: { code: 'documented.measure(', cursor_pos: 19, detail_level: 0 } },
  unknown: { request: 'inspect', content: { code: 'noSuchName', cursor_pos: 3, detail_level: 0 } },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`the language of cells ${noJupyter ?? ''}`, () => {
  const done = new Map<string, Done>();
  // biome-ignore lint/suspicious/noExplicitAny: replies as they came
  const answers = {} as Record<keyof typeof questions, any>;
  const all = [...Object.values(groups).flat(), ...features.map(([, , code]) => [code, ''] as const)];
  beforeAll(async () => {
    const results = await drive([...all.map(([code]) => ({ code })), ...Object.values(questions)]);
    Object.keys(questions).forEach((name, i) => {
      answers[name as keyof typeof questions] = results[all.length + i]!.reply;
    });
    all.forEach(([code], i) => {
      done.set(code, results[i]!);
    });
  }, PATIENCE);

  it('has no cell twice', () => {
    expect(done.size).toBe(all.length);
  });

  for (const [group, cells] of Object.entries(groups)) {
    it(group, () => {
      for (const [code, expected] of cells) check(code, expected);
    });
  }

  it('completes with types and documentation of the notebook', () => {
    const typed = (name: 'name' | 'member') => answers[name].metadata._jupyter_types_experimental[0];
    expect(answers.name).toMatchObject({ matches: ['learningRate'], cursor_start: 0, cursor_end: 10 });
    expect(typed('name')).toMatchObject({ type: 'instance', signature: '0.1', documentation: 'How fast it learns.' });
    expect(answers.member).toMatchObject({ matches: ['measure'], cursor_start: 11, cursor_end: 13 });
    expect(typed('member')).toMatchObject({ type: 'function', signature: '(unit: string): number' });
    expect(answers.key.matches).toEqual(['fast', 'slow']);
    expect(answers.path.matches).toContain('front-end');
  });

  it('inspects what other cells declared, with their JSDoc', () => {
    expect(answers.variable.data['text/plain']).toMatch(
      /^const learningRate: 0\.1\n\nHow fast it learns\..*declared in this notebook\nconst learningRate = 0\.1;$/s,
    );
    expect(answers.method.data['text/plain']).toContain('measure(unit: string): number\n\nMeasures it.');
    expect(answers.method.data['text/plain']).toContain('@param unit of length');
    expect(answers.unknown.found).toBe(false);
  });

  it.each(features)('%s (this Node: %s)', (_name, has, code, shows) => {
    check(code, has ? shows : /does not exist|Cannot find name/);
  });

  function check(code: string, expected: Expected): void {
    const cell = done.get(code)!;
    if (expected instanceof RegExp) {
      expect(cell.reply.status, code).toBe('error');
      expect(trace(cell), code).toMatch(expected);
    } else {
      expect(cell.reply.status === 'error' ? trace(cell) : '', code).toBe('');
      expect(result(cell), code).toBe(expected);
    }
    expect(stream(cell, 'stderr'), code).toBe('');
  }
});
