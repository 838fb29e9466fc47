import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/built.js';
import { type Done, driveAll, noJupyter, PATIENCE, result, type Step, stream } from './front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-interrupt-'));
// The files of the cells lie in the other one.
const marks = mkdtempSync(join(tmpdir(), 'tunebook-interrupt-marks-'));
const ASKED = join(marks, 'asked');
const CORE = JSON.stringify(join(root, 'dist', 'base', 'core', 'index.js'));
const cut = { interrupt_on: 'go' };

const steps = {
  define: {
    code: `const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms)); let n = 0; let kept = 'kept';`,
  },
  // A library's loop: not compiled by us, so without checkpoints.
  library: {
    code: `const library = new Function('sleep', 'tick', 'return (async () => { while (true) { await sleep(5); tick(); } })()');`,
  },
  hotLibrary: { code: `const hotLibrary = new Function('return (async () => { while (true) await null; })()');` },
  sync: { code: `console.log('go'); while (true) {}`, ...cut },
  syncAfterAwait: { code: `await sleep(100); console.log('go'); while (true) {}`, ...cut },
  timer: { code: `while (true) { await sleep(5); if (++n === 3) console.log('go'); }`, ...cut },
  timerStopped: { code: `const seenN = n; await sleep(60); [n > 2, n === seenN]` },
  microtask: { code: `console.log('go'); while (true) await null;`, ...cut },
  libraryLoop: { code: `let ticks = 0; await library(sleep, () => { if (++ticks === 3) console.log('go'); });`, ...cut },
  libraryStopped: { code: `const seenTicks = ticks; await sleep(60); [ticks > 2, ticks === seenTicks]` },
  libraryMicrotask: { code: `await sleep(50); const hot = hotLibrary(); console.log('go'); await hot;`, ...cut },
  // Whatever was left of it must not keep the next cell from starting.
  abandoned: { code: `await sleep(50); console.log('go'); void hotLibrary(); await sleep(1);`, ...cut },
  promisesTimer: {
    code: `import { setTimeout as wait } from 'node:timers/promises'; console.log('go'); await wait(60_000);`,
    ...cut,
  },
  swallow: { code: `console.log('go'); while (true) { try { await sleep(5) } catch {} }`, ...cut },
  cleanup: { code: `console.log('go'); try { await sleep(60_000) } finally { console.log('cleaned') }`, ...cut },
  signal: {
    code: `import { host } from ${CORE}; const signal = host()!.signal!; console.log('go'); await sleep(60_000);`,
    ...cut,
  },
  // The await notices the interrupt before the helper thread's message is read; what the cell then runs into asks the signal.
  early: {
    code: `let early: boolean | undefined; console.log('go'); for (const end = Date.now() + 150; Date.now() < end; ) {}
try { await sleep(60_000) } finally { early = host()!.signal!.aborted }`,
    ...cut,
  },
  earlySeen: { code: 'early' },
  signalSeen: { code: `[signal.aborted, host()!.signal!.aborted]` },
  source: {
    code: `let returned = false; const endless = { [Symbol.asyncIterator]: () => ({ next: () => sleep(5).then(() => ({ done: false, value: 1 })), return: async () => { returned = true; return { done: true as const, value: 0 } } }) };
console.log('go'); for await (const x of endless) n += x;`,
    ...cut,
  },
  sourceReturned: { code: 'returned' },
  shieldAsync: {
    code: `import { shield, writeFileAtomic } from ${CORE};
console.log('go'); await shield(async () => { while (!host()!.signal!.aborted) await sleep(5); await sleep(400); await writeFileAtomic('checkpoint', 'whole'); console.log('saved'); }); await 0; console.log('not reached');`,
    ...cut,
  },
  shieldSync: {
    code: `import { existsSync } from 'node:fs'; const busy = (until: () => boolean) => { while (!until()) {} };
const computed = () => { const { user, system } = process.cpuUsage(); return user + system; };
console.log('go'); shield(() => { busy(() => existsSync(${JSON.stringify(ASKED)})); const begin = computed(); busy(() => computed() - begin > 900_000); console.log('stepped'); }); await 0; console.log('not reached');`,
    mark: ASKED,
    ...cut,
  },
  idle: { request: 'interrupt', channel: 'control', content: {} },
  state: { code: 'kept' },
  exit: { code: `console.log('bye'); process.exit(3)` },
  afterExit: { code: 'const fresh = 1; fresh + 1' },
  crash: { code: `process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {});` },
  afterCrash: { code: '2 + 2' },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`interrupts through jupyter_client ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: folder }));
  }, PATIENCE);
  afterAll(() => {
    for (const each of [folder, marks]) rmSync(each, { recursive: true, force: true });
  });

  it.each([
    'sync',
    'syncAfterAwait',
    'timer',
    'microtask',
    'libraryLoop',
    'libraryMicrotask',
    'abandoned',
    'promisesTimer',
    'swallow',
    'cleanup',
    'signal',
    'early',
    'source',
  ] as const)('%s: the cell ends as KeyboardInterrupt', name => {
    expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    expect(done[name].outputs.at(-1)).toMatchObject({ type: 'error', content: { ename: 'KeyboardInterrupt' } });
  });

  it('leaves no loop running behind', () => {
    expect(result(done.timerStopped)).toBe('[ true, true ]');
    expect(result(done.libraryStopped)).toBe('[ true, true ]');
  });

  it('runs finally blocks, tells the source of a for await, aborts the signal of this cell only', () => {
    expect(stream(done.cleanup)).toContain('cleaned');
    expect(result(done.sourceReturned)).toBe('true');
    expect(result(done.earlySeen)).toBe('true');
    expect(result(done.signalSeen)).toBe('[ true, false ]');
  });

  it('lets a shielded section finish, and nothing after it', () => {
    for (const [name, word] of [
      ['shieldAsync', 'saved'],
      ['shieldSync', 'stepped'],
    ] as const) {
      expect(stream(done[name])).toContain(word);
      expect(stream(done[name])).not.toContain('not reached');
      expect(done[name].reply.ename).toBe('KeyboardInterrupt');
    }
    expect(readdirSync(folder)).toEqual(['checkpoint']);
  });

  it('keeps the state, and ignores an interrupt when nothing runs', () => {
    expect(done.idle.reply.status).toBe('ok');
    expect(result(done.state)).toBe("'kept'");
  });

  it('says what happened when a cell ends its process, and goes on with a new one', () => {
    expect(stream(done.exit)).toBe('bye\n');
    expect(done.exit.reply).toMatchObject({ status: 'error', ename: 'ProcessExit' });
    expect(done.exit.reply.evalue).toContain('process.exit(3)');
    expect(result(done.afterExit)).toBe('2');
    expect(done.crash.reply).toMatchObject({ status: 'error', ename: 'ProcessCrash' });
    expect(done.crash.reply.evalue).toContain('SIGSEGV');
    expect(result(done.afterCrash)).toBe('4');
  });
});
