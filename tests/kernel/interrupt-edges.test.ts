import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usable } from '../helpers/backends.js';
import { root } from '../helpers/built.js';
import { type Done, driveAll, everything, noJupyter, PATIENCE, result, type Step, stream } from './front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-interrupt-edges-'));
const cut = { interrupt_on: 'go', timeout: 180 };
const HOST = `(globalThis as any)[Symbol.for('tunebook.host')]`;
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
// The module waits for nobody, so its first part is what a later import must not be left with.
writeFileSync(
  join(folder, 'slow.cjs'),
  `exports.first = 1; if (!globalThis.quick) { console.log('go'); while (true) {} } exports.second = 2;`,
);

const [native] = noJupyter ? [] : await usable('native');
const backend = native?.here ? 'native' : 'cpu';

/** A chain that ends in the moment it is stopped: what is stopped then may be the kernel itself, as it reads what it is told. */
const TICKS = {
  code: `await sleep(5); let ticks = 0; const tick = () => { ticks++; process.nextTick(tick); }; console.log('go'); tick(); await never;`,
  ...cut,
};

const steps = {
  define: {
    code: `import { execSync, spawn } from 'node:child_process';
import { promises as files } from 'node:fs';
import vm from 'node:vm';
import { Worker } from 'node:worker_threads';
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms));
const never = new Promise<void>(() => {});
const host = ${HOST};
const lock = new Int32Array(new SharedArrayBuffer(4));
let kept = 'kept'; let n = 0; let children: number[] = [];
const gone = (pid: number) => { try { process.kill(pid, 0); return false } catch { return true } };`,
  },
  // Asked before the cell has begun: the front end saw it as busy in the protocol process.
  asItStarts: { code: 'n = 1; while (true) await sleep(5);', interrupt_on_busy: true, timeout: 180 },
  compile: { code: 'const later: string = "x"; while (true) {}', interrupt_on_busy: true, timeout: 180 },
  several: { code: `console.log('go'); while (true) { try { await sleep(5) } catch {} }`, ...cut, interrupts: 5 },
  severalSync: { code: `console.log('go'); while (true) {}`, ...cut, interrupts: 5 },
  never: { code: `console.log('go'); await never;`, ...cut },
  timerCallback: { code: `setTimeout(() => { console.log('go'); while (true) {} }, 5); await never;`, ...cut },
  atomics: { code: `await sleep(5); console.log('go'); Atomics.wait(lock, 0, 0);`, ...cut },
  generator: {
    code: `function* ones() { while (true) yield 1; } await sleep(5); console.log('go'); for (const one of ones()) n += one;`,
    ...cut,
  },
  asyncGenerator: {
    code: `async function* ones() { while (true) yield 1; } console.log('go'); for await (const one of ones()) n += one;`,
    ...cut,
  },
  immediates: {
    code: `let turns = 0; const again = () => { turns++; setImmediate(again); }; again(); console.log('go'); await never;`,
    ...cut,
  },
  immediatesStopped: { code: 'const seen = turns; await sleep(60); [seen > 0, turns === seen]' },
  ticks: TICKS,
  ticksStopped: { code: 'const seenTicks = ticks; await sleep(60); [seenTicks > 0, ticks === seenTicks]' },
  ticks2: TICKS,
  ticks3: TICKS,
  ticks4: TICKS,
  ticks5: TICKS,
  otherContext: { code: `await sleep(5); console.log('go'); vm.runInNewContext('while (true) {}');`, ...cut },
  regex: { code: `console.log('go'); /^(a+)+$/.test('a'.repeat(60) + 'b');`, ...cut },
  printing: { code: `console.log('go'); while (true) console.log('line', n++);`, ...cut },
  overflow: {
    code: `function deep(): number { try { return deep() + 1 } catch { console.log('go'); while (true) {} } } deep()`,
    ...cut,
  },
  shields: {
    code: `console.log('go'); while (true) host.shield(() => { for (const end = Date.now() + 40; Date.now() < end; ) {} });`,
    ...cut,
  },
  libraryShields: {
    code: `const library = new Function('host', 'return (async () => { while (true) await host.shield(async () => { for (const end = Date.now() + 40; Date.now() < end; ) {} }); })()');
console.log('go'); await library(host);`,
    ...cut,
  },
  rendering: {
    code: `const endless = { [Symbol.for('Jupyter.display')]: () => { console.log('go'); return never; } }; endless`,
    ...cut,
  },
  renderingHot: {
    code: `const hot = { [Symbol.for('Jupyter.display')]: () => { console.log('go'); while (true) {} } }; hot`,
    ...cut,
  },
  expressions: { code: '1', user_expressions: { slow: `console.log('go'); while (true) {}`, after: 'n = -1' }, ...cut },
  expressionsLeft: { code: 'n !== -1' },
  module: { code: `require('./slow.cjs')`, ...cut },
  moduleAgain: { code: `(globalThis as any).quick = true; const { first, second } = require('./slow.cjs'); [first, second]` },
  childSync: { code: `console.log('go'); execSync('sleep 600');`, ...cut },
  childShell: { code: `await sleep(5); console.log('go'); execSync('sleep 600; sleep 600');`, ...cut },
  childAgain: { code: `console.log('go'); while (true) { try { execSync('sleep 0.1') } catch {} }`, ...cut },
  child: {
    code: `const child = spawn('sleep', ['600']); children.push(child.pid!); console.log('go'); await new Promise(done => child.on('exit', done));`,
    ...cut,
  },
  childGone: { code: `for (let i = 0; i < 500 && !children.every(gone); i++) await sleep(20); children.every(gone)` },
  background: { code: `const server = spawn('sleep', ['600']); await sleep(20); server.exitCode` },
  childBeside: { code: `console.log('go'); execSync('sleep 600');`, ...cut },
  backgroundLives: { code: `[server.exitCode, server.signalCode, server.kill()]` },
  files: {
    code: `const read = new Function('files', 'return (async () => { while (!globalThis.enough) await files.readFile("slow.cjs"); })()');
console.log('go'); await read(files);`,
    ...cut,
    wait_for: 'goes on',
  },
  filesEnd: { code: `(globalThis as any).enough = true; 1` },
  thread: {
    code: `const worker = new Worker('while (true) {}', { eval: true }); console.log('go'); await new Promise(done => worker.on('exit', done));`,
    ...cut,
    wait_for: 'goes on',
  },
  threadEnd: { code: `await worker.terminate()` },
  tensors: {
    code: `import * as tf from '@tensorflow/tfjs';
import { backend } from 'tunebook';
await backend.use('${backend}');
const w = tf.variable(tf.randomNormal([64, 64], 0, 0.01)); const optimizer = tf.train.sgd(0.01);
const loss = () => tf.tidy(() => tf.sum(tf.square(tf.matMul(w, w)))) as any; const before = tf.memory().numTensors;`,
    timeout: 240,
  },
  trainStep: { code: `await sleep(5); console.log('go'); while (true) optimizer.minimize(loss);`, ...cut },
  trainAfter: {
    code: `const slope = tf.tidy(() => Array.from(tf.grad(x => tf.sum(tf.square(x)))(tf.tensor1d([1, 2])).dataSync()));
[slope.join(), Number.isFinite(w.dataSync()[0]), tf.memory().numTensors]`,
  },
  trainAgain: { code: `optimizer.minimize(loss); tf.memory().numTensors` },
  queue: { burst: [`console.log('go'); while (true) {}`, 'n = -2', 'n = -3'], ...cut },
  queueLeft: { code: 'n !== -2 && n !== -3' },
  state: { code: 'kept' },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`interrupts in odd places, on ${backend} ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: folder }));
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const interrupted = Object.entries(steps)
    .filter(
      ([name, step]) => ('interrupt_on' in step || 'interrupt_on_busy' in step) && name !== 'queue' && name !== 'expressions',
    )
    .map(([name]) => name as keyof typeof steps);

  it.each(interrupted)('%s: the cell ends as KeyboardInterrupt', name => {
    expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    expect(done[name].outputs.filter(each => each.type === 'error')).toHaveLength(1);
  });

  it('leaves no chain of callbacks behind', () => {
    expect(result(done.immediatesStopped)).toBe('[ true, true ]');
    expect(result(done.ticksStopped)).toBe('[ true, true ]');
  });

  it('cuts a user expression, and evaluates none after it', () => {
    expect(JSON.stringify(done.expressions.reply)).toContain('KeyboardInterrupt');
    expect(result(done.expressionsLeft)).toBe('true');
  });

  it('loads a module again that was cut half-way', () => {
    expect(result(done.moduleAgain)).toBe('[ 1, 2 ]');
  });

  it("interrupts the cell's child processes, and no others", () => {
    expect(result(done.childGone)).toBe('true');
    expect(result(done.backgroundLives)).toBe('[ null, null, true ]');
  });

  it('says what goes on where it cannot be ended, and offers the restart', () => {
    for (const [name, what] of [
      ['files', 'a loop that reads or writes files'],
      ['thread', 'a worker thread \\(worker\\.terminate\\(\\) ends one\\)'],
    ] as const) {
      // Nothing is told of a cell before it: what goes on may be of another. That a cell has not stopped yet is another matter.
      const told = everything(done[name]).filter(({ type, content }) => type === 'stream' && /goes on/.test(content.text));
      const own = Object.keys(steps).indexOf(name);
      expect(told.map(({ step = own }) => step)).toEqual([own]);
      expect(stream(done[name], 'stderr', told)).toMatch(
        new RegExp(
          `^Of the interrupted cell this goes on: ${what}\\. Restarting the kernel ends it; saved checkpoints are kept\\.\\n$`,
        ),
      );
    }
  });

  it('a step cut in the middle leaves tensors and gradients usable', () => {
    expect(done.tensors.reply.status).toBe('ok');
    const [, finite, tensors] = /^\[ '2,4', (\w+), (\d+) \]$/.exec(result(done.trainAfter)!)!;
    expect(finite).toBe('true');
    // A step by hand afterwards makes no tensor that stays, either.
    expect(result(done.trainAgain)).toBe(tensors);
  });

  it('aborts the cells behind it', () => {
    expect([0, 1, 2].map(i => done.queue.replies![i].status)).toEqual(['error', 'aborted', 'aborted']);
    expect(result(done.queueLeft)).toBe('true');
  });

  it('keeps what earlier cells declared', () => {
    expect(result(done.state)).toBe("'kept'");
  });
});
