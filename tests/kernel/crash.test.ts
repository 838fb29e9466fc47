import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, everything, GATED, noJupyter, PATIENCE, result, type Step, stream } from './front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-crash-'));
const NEVER = 'await new Promise(() => {});';
const lives = { code: '20 + 1' };

const steps = {
  exit: { code: `console.log('bye'); process.exit(3)` },
  exitAgain: { code: 'process.exit()' },
  exitThird: { code: 'process.exit(1)' },
  exitFourth: { code: 'process.exit(0)' },
  exitFifth: { code: 'process.exit(0)' },
  afterExits: lives,
  later: { code: `setTimeout(() => process.exit(7), 50); 1`, wait_for: 'process.exit(7)' },
  afterLater: lives,
  abort: { code: `console.log('last words'); process.abort()` },
  segfault: { code: `process.kill(process.pid, 'SIGSEGV'); ${NEVER}` },
  killed: { code: `process.kill(process.pid, 'SIGKILL'); ${NEVER}` },
  // What the C++ runtime writes when an allocation of native code fails.
  badAlloc: {
    code: `import { writeSync } from 'node:fs'; writeSync(2, "terminate called after throwing an instance of 'std::bad_alloc'\\n"); process.abort()`,
  },
  heap: { code: `const hoard: number[][] = []; while (true) hoard.push(new Array(1e5).fill(Math.random()))`, timeout: 240 },
  afterHeap: lives,
  unlistened: {
    code: `process.removeAllListeners('uncaughtException'); setTimeout(() => { throw new Error('fatal') }, 10); ${NEVER}`,
  },
  queue: { burst: [`${GATED.wait} process.abort()`, '1', '2'], ...GATED.open },
  overflow: { code: 'function deep(): number { return deep() + 1 } deep()' },
  overflowPrinting: { code: `function loud(): number { console.log('x'); return loud() + 1 } loud()` },
  tooLarge: { code: 'new ArrayBuffer(1e15)' },
  channelClosed: { code: `import { closeSync } from 'node:fs'; closeSync(4); console.log('lost');` },
  noListeners: { code: 'process.removeAllListeners(); 1' },
  afterNoListeners: lives,
  afterThat: lives,
  restart: { restart: true },
  afterRestart: lives,
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`the end of the process that runs cells ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: folder, env: { NODE_OPTIONS: '--max-old-space-size=300' } }));
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['exit', 'ProcessExit', 'process.exit(3)'],
    ['exitAgain', 'ProcessExit', 'process.exit(0)'],
    ['exitFifth', 'ProcessExit', 'process.exit(0)'],
    ['abort', 'ProcessCrash', 'SIGABRT'],
    ['segfault', 'ProcessCrash', 'SIGSEGV'],
    ['killed', 'ProcessCrash', 'SIGKILL (often: the machine ran out of memory)'],
    ['badAlloc', 'OutOfMemory', 'out of memory'],
    ['heap', 'OutOfMemory', '--max-old-space-size'],
    ['unlistened', 'ProcessCrash', 'exit code 1'],
    ['channelClosed', 'ProcessCrash', 'SIGKILL'],
  ] as const)('%s: the front end gets %s', (name, ename, words) => {
    expect(done[name].reply).toMatchObject({ status: 'error', ename });
    expect(done[name].reply.evalue).toContain(words);
    expect(done[name].reply.evalue).toContain('Its variables are lost');
    expect(done[name].outputs.at(-1)).toMatchObject({ type: 'error', content: { ename } });
    expect(done[name].states).toEqual(['busy', 'idle']);
  });

  it('shows what was printed before', () => {
    expect(stream(done.exit)).toBe('bye\n');
    expect(stream(done.abort)).toBe('last words\n');
    expect(stream(done.heap, 'stderr')).toContain('heap out of memory');
  });

  it('starts a fresh process every time, however often', () => {
    for (const name of ['afterExits', 'afterLater', 'afterHeap', 'afterRestart'] as const) expect(result(done[name])).toBe('21');
  });

  it('tells of an end between two cells', () => {
    expect(result(done.later)).toBe('1');
    expect(stream(done.later, 'stderr', everything(done.later))).toContain('process.exit(7)');
  });

  it('aborts the cells behind a crash', () => {
    expect([0, 1, 2].map(i => done.queue.replies![i].status)).toEqual(['error', 'aborted', 'aborted']);
  });

  it('is no end of the kernel where the cells closed their channel', () => {
    // The process may be gone before or after the next cell.
    expect(done.afterNoListeners.reply.evalue ?? 'ended unexpectedly').toContain('ended unexpectedly');
    expect(result(done.afterThat)).toBe('21');
  });

  it('survives what is only an error', () => {
    for (const name of ['overflow', 'overflowPrinting', 'tooLarge'] as const)
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'RangeError' });
  });
});
