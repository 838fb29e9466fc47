import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, noJupyter, PATIENCE, result, stream, trace } from './front-end.js';

const steps = {
  define: {
    code: `type Gone = {
  lines: 'that vanish';
};
function deep(n: number): number {
  if (n === 0) throw new RangeError('bottom');
  return deep(n - 1);
}
const arrow = () => deep(1);
async function inner() {
  await new Promise(resolve => setTimeout(resolve, 5));
  throw new TypeError('asynchronous');
}
async function outer() {
  return await inner();
}
class Pocket { get hole() { throw new Error('in a getter') } static #own() { throw new Error('private') } static open() { Pocket.#own() } }
let nothing: any;
function* endless() { yield 1; throw new Error('in a generator') }`,
  },
  calls: { code: `\n  arrow()` },
  asynchronous: { code: `const task = { async run() { return await outer() } };\n\nawait task.run()` },
  together: { code: `await Promise.all([1, outer()])` },
  loop: {
    code: `async function* source() {\n  yield 1;\n  throw new Error('in the source');\n}\nfor await (const x of source()) nothing = x;`,
  },
  generator: { code: `for (const x of endless()) nothing = x;` },
  getter: { code: `new Pocket().hole` },
  method: { code: `Pocket.open()` },
  callback: { code: `[1].map(x => {\n  throw new Error('in a callback');\n})` },
  undefinedValue: { code: `nothing = undefined;\nnothing.x.y` },
  notAFunction: { code: `nothing()` },
  imported: { code: `import { basename as base } from 'node:path';\n(base as any)(5)` },
  cause: { code: `try { await outer() } catch (cause) {\n  throw new Error('wrapped', { cause });\n}` },
  causeText: { code: `throw new Error('with text', { cause: { status: 404 } })` },
  causeLoop: { code: `const self = new Error('itself'); self.cause = self; throw self` },
  aggregate: { code: `throw new AggregateError([new Error('one'), new TypeError('two', { cause: 'why' }), 3], 'many')` },
  any: { code: `await Promise.any([Promise.reject(new Error('first')), Promise.reject(new Error('second'))])` },
  suppressed: {
    code: `using held = { [Symbol.dispose]() { throw new Error('while closing') } };\nthrow new Error('while working')`,
  },
  named: { code: `class OwnError extends Error { override name = 'OwnError' }\nthrow new OwnError('mine')` },
  text: { code: `throw 'a text'` },
  nil: { code: `throw null` },
  object: { code: `throw { code: 5, toString() { throw 1 } }` },
  proxy: {
    code: `throw new Proxy({}, { get() { throw new Error('looked at') }, getPrototypeOf() { throw new Error('asked') } })`,
  },
  broken: {
    code: `const sly = new Error('x'); Object.defineProperty(sly, 'message', { get() { throw new Error('no') } }); throw sly`,
  },
  long: { code: `throw new Error('x'.repeat(1_000_000))` },
  local: { code: `import { load } from './local';\nload()` },
  later: { code: `const start = Date.now(); // another cell\nload()` },
  atLoad: { code: `import './throws';` },
  wide: {
    code: `const wide = ['${'x'.repeat(150)}'].map(() => { throw new Error('far to the right') }).join('${'y'.repeat(90)}');`,
  },
  printed: {
    code: `\ntry { arrow() } catch (e) { console.log(e) }\ntry { load() } catch (e) { console.log((e as Error).stack) }\nconst made = new Error('made');\nmade.stack = made.stack.replace('made', 'renamed'); throw made`,
  },
  shown: { code: `new TypeError('a value')` },
  nodes: {
    code: `import fs from 'node:fs';\ntry { fs.readFileSync('x', { encoding: 'none' as any }) } catch (e) { console.log(e) }`,
  },
  afterwards: { code: `1 + 1` },
};

describe.skipIf(noJupyter)(`tracebacks ${noJupyter ?? ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-tracebacks-'));
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    writeFileSync(
      join(folder, 'local.ts'),
      `type A = 1;\n\nexport function load(): never {\n  throw new Error('from a file');\n}\n`,
    );
    writeFileSync(join(folder, 'throws.ts'), `export {};\nthrow new Error('while loading');\n`);
    Object.assign(done, await driveAll(steps, { cwd: folder }));
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each<[keyof typeof steps, ...(string | RegExp)[]]>([
    [
      'calls',
      `RangeError: bottom
cell 1, line 5
  4 | function deep(n: number): number {
> 5 |   if (n === 0) throw new RangeError('bottom');
    |                      ^
  6 |   return deep(n - 1);
    at deep (cell 1, line 5:22)
    at deep (cell 1, line 6:10)
    at arrow (cell 1, line 8:21)
    at cell 2, line 2:3`,
    ],
    [
      'asynchronous',
      /TypeError: asynchronous\ncell 1, line 11\n/,
      `    at inner (cell 1, line 11:9)
    at async outer (cell 1, line 14:10)
    at async run (cell 3, line 1:37)
    at cell 3, line 3:1`,
    ],
    ['together', /at inner \(cell 1, line 11:9\)\n {4}at async outer \(cell 1, line 14:10\)\n {4}at cell 4, line 1:1$/],
    ['loop', /in the source\ncell 5, line 3\n/, /at source \(cell 5, line 3:9\)\n {4}at cell 5, line 5:/],
    ['generator', /at endless.* \(cell 1, line 18:38\)\n {4}at cell 6, line 1:/s],
    ['getter', /at .*hole.* \(cell 1, line 16:/s, /at cell 7, line 1:/],
    ['method', /#own \(cell 1, line 16:/, /at .*open \(cell 1, line 16:.*\n {4}at cell 8, line 1:8$/s],
    ['callback', /^> 2 \|.*\n {4}\| {9}\^$/ms, /at cell 9, line 1:5$/],
    [
      'undefinedValue',
      "TypeError: Cannot read properties of undefined (reading 'x')\ncell 10, line 2",
      '    at cell 10, line 2:9',
    ],
    ['notAFunction', 'TypeError: nothing is not a function\n'],
    ['imported', 'TypeError: The "path" argument must be of type string', 'code: ERR_INVALID_ARG_TYPE', /at cell 12, line 2:/],
    [
      'cause',
      /Error: wrapped\ncell 13, line 2\n/,
      /caused by\nTypeError: asynchronous\ncell 1, line 11\n/,
      /at cell 13, line 1:7$/,
    ],
    ['causeText', /caused by\n\{ status: 404 \}$/],
    ['causeLoop', /caused by\n\(shown above\)$/],
    ['aggregate', /error 1 of 3\nError: one\n/, /error 2 of 3\nTypeError: two\n.*caused by\n'why'\n/s, /error 3 of 3\n3$/],
    ['any', /AggregateError: All promises were rejected.*Error: first.*Error: second/s],
    [
      'suppressed',
      /SuppressedError: .*at the end of the block\nError: while closing\n.*after\nError: while working\ncell 18, line 2\n/s,
    ],
    ['named', /^OwnError: mine\ncell 19, line 2\n/],
    ['text', "Thrown: 'a text'"],
    ['nil', 'Thrown: null'],
    ['object', 'Thrown: { code: 5, toString: [Function: toString] }'],
    ['proxy', 'cannot be shown'],
    ['broken', 'cannot be shown'],
    ['long', '… (1000000 characters)'],
    ['local', /from a file\nlocal\.ts, line 4\n.*at load \(local\.ts, line 4:9\)\n {4}at cell 26, line 2:1$/s],
    ['later', /at load \(local\.ts, line 4:9\)\n {4}at cell 27, line 2:1$/],
    ['atLoad', /while loading\nthrows\.ts, line 2\n.*at throws\.ts, line 2:7\n {4}at cell 28, line 1:1$/s],
  ])('%s', (name, ...parts) => {
    const text = trace(done[name]);
    for (const part of parts) {
      if (part instanceof RegExp) expect(text).toMatch(part);
      else expect(text).toContain(part);
    }
    // Nothing of the kernel, of Node, or of what a cell was compiled to.
    expect(text).not.toMatch(/at .*node:|dist\/kernel|__\w+__|\(0 ,/);
    expect(text.length).toBeLessThan(50_000);
  });

  it('are printed with the places that were written, and without the kernel', () => {
    const file = join(realpathSync(folder), 'local.ts');
    const number: number = done.printed.reply.execution_count;
    expect(stream(done.printed)).toBe(
      `RangeError: bottom
    at deep (cell 1:5:22)
    at deep (cell 1:6:10)
    at arrow (cell 1:8:21)
    at cell ${number}:2:7
Error: from a file
    at load (${file}:4:9)
    at cell ${number}:3:7
`,
    );
    expect(trace(done.printed)).toMatch(new RegExp(`Error: made\\ncell ${number}, line 4\\n`));
    expect(result(done.shown)).toBe(`TypeError: a value\n    at cell ${number + 1}:1:1`);
    expect(stream(done.nodes)).toMatch(/^TypeError \[ERR_INVALID_ARG_VALUE\]: .*\n( {4}at .*node:.*\n)+ {4}at cell \d+:2:10/);
  });

  it('show of a long line the part around the place', () => {
    const lines = trace(done.wide).split('\n');
    const at = lines.findIndex(line => line.startsWith('> 1 | …x'));
    expect(lines[at]).toMatch(/join\('…$/);
    expect(lines[at]!.length).toBeLessThan(90);
    expect(lines[at]!.slice(lines[at + 1]!.indexOf('^'))).toMatch(/^new Error\('far/);
  });

  it('are coloured', () => {
    expect(done.calls.reply.traceback[0]).toBe('\u001b[1;38;5;231;48;5;124mRangeError\u001b[22;39;49m: bottom');
    expect(done.calls.outputs.at(-1)).toEqual({
      type: 'error',
      content: expect.objectContaining({ ename: 'RangeError', evalue: 'bottom' }),
      parent: 0,
    });
  });

  it('leave the kernel working', () => {
    expect(result(done.afterwards)).toBe('2');
  });
});
