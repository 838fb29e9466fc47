import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, everything, noJupyter, PATIENCE, result, type Step, stream } from './front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-output-test-'));
const HOST = `(globalThis as any)[Symbol.for('tunebook.host')]`;

const steps = {
  define: {
    code: `import { execSync, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms)); const host = ${HOST};
`,
  },
  console: {
    code: `console.group('outer'); console.log('%s|%d|%i|%f|%j|%o|%O|%%|%c', 's', 1.5, 1.5, 2.5, { a: 1 }, [1], { b: 2 }, 'color: red'); console.groupEnd();
console.info('info'); console.debug('debug'); console.dir({ a: { b: { c: 1 } } }, { depth: 0 }); console.table([[1, 2]]);
console.count(); console.count('named'); console.count(); console.countReset(); console.count();
console.time('t'); console.timeLog('t', 'so far'); console.timeEnd('t');
console.error('error'); console.warn('warn'); console.assert(true, 'un' + 'seen'); console.assert(1 > 2, 'seen %s', 'it'); console.trace('here');`,
  },
  progress: { code: `for (let i = 0; i <= 3; i++) process.stdout.write(\`\\rstep \${i}\`); console.log();` },
  clear: { code: `console.log('old'); console.clear(); console.log('new')` },
  writes: {
    code: `const order: string[] = [];
await new Promise<void>(done => { process.stdout.write('a', () => order.push('1')); process.stdout.write('62', 'hex', () => order.push('2')); process.stdout.write(new Uint8Array([0xe2, 0x82]), () => order.push('3')); process.stdout.write(new Uint8Array([0xac]), () => { order.push('4'); done(); }); });
order.join()`,
  },
  closing: { code: `process.stdout.end('bye '); console.log('still there'); 1` },
  child: {
    code: `for (let i = 0; i < 20; i++) { console.log('own', i); execSync(\`echo child \${i}\`, { stdio: 'inherit' }); }`,
  },
  childLater: {
    code: `spawn('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' }).on('exit', () => console.log('exited')); 1`,
    wait_for: 'exited',
  },
  starts: {
    code: `let go = () => {}; const later = new Promise<void>(done => { go = done; }); setTimeout(async () => { await later; console.log('of the first'); await sleep(1); host.display({ 'text/plain': 'shown by the first' }); console.log('end'); }, 1); 1`,
  },
  next: { code: `console.log('of the second'); go(); await sleep(50); console.log('of the second again')`, wait_for: 'end' },
  afterwards: {
    code: `let over = false; const again = () => { if (over) console.log('much later'); else setTimeout(again, 5); }; setTimeout(again, 1); 2`,
  },
  between: { code: 'over = true; 3', wait_for: 'much later' },
  rejection: { code: `Promise.reject(new RangeError('nobody waits')); await sleep(1); 4` },
  quietRejection: { code: `const p = Promise.reject(new Error('handled')); p.catch(() => {}); await sleep(1); 5` },
  million: { code: `for (let i = 0; i < 1_000_000; i++) console.log(i); process.memoryUsage.rss()`, timeout: 240 },
  text: { code: `console.log('<' + 'x'.repeat(50_000_000) + '>'); console.log('after')` },
  // The files of this kernel are the only ones of this name that hold so much.
  whole: {
    code: `import { readdirSync } from 'node:fs'; import { tmpdir } from 'node:os';
readdirSync(tmpdir()).filter(name => name.startsWith('tunebook-output-')).flatMap(name => { try { return [statSync(\`\${tmpdir()}/\${name}/output-1.txt\`).size] } catch { return [] } }).includes(50_000_003)`,
  },
  bundle: {
    code: `({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': 'y'.repeat(50_000_000), 'text/plain': 'small' }) })`,
    timeout: 120,
  },
  display: {
    code: `host.display({ 'image/png': Buffer.alloc(30_000_000, 7).toString('base64'), 'text/plain': 'a picture' })`,
    timeout: 120,
  },
  displays: { code: `for (let i = 0; i < 3000; i++) host.display({ 'text/plain': String(i) })` },
  clock: {
    code: `const { now } = performance; const { stringify } = JSON; performance.now = () => { throw new Error('stopped') }; JSON.stringify = () => ''; console.log('told'); Object.assign(performance, { now }); JSON.stringify = stringify; 7`,
  },
  last: { code: '6' },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`outputs through jupyter_client ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: folder }));
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  /** [kind, text] of a step's outputs behind its execute_input. */
  const seen = (each: Done) =>
    each.outputs.slice(1).map(({ type, content }) => [type, content.text ?? content.data?.['text/plain'] ?? content.wait]);
  const number = (name: keyof typeof steps) => Object.keys(steps).indexOf(name);

  it('has all of console', () => {
    const out = stream(done.console);
    expect(out).toContain(`outer\n  s|1.5|1|2.5|{"a":1}|[ 1, [length]: 1 ]|{ b: 2 }|%|\n`);
    expect(out).toContain('info\ndebug\n{ a: [Object] }\n┌');
    expect(out).toContain('default: 1\nnamed: 1\ndefault: 2\ndefault: 1\n');
    expect(out).toMatch(/t: [\d.]+m?s so far\nt: [\d.]+m?s\n$/);
    const err = stream(done.console, 'stderr');
    expect(err).toMatch(/^error\nwarn\nAssertion failed: seen it\n/);
    expect(err).toContain('Trace');
    expect(err).toContain('here');
    expect(err).toMatch(/cell \d+/);
    expect(err).not.toMatch(/node:vm|dist\/kernel/);
    expect(out + err).not.toContain('unseen');
  });

  it('passes carriage returns on, and clears', () => {
    expect(stream(done.progress)).toBe('\rstep 0\rstep 1\rstep 2\rstep 3\n');
    expect(seen(done.clear)).toEqual([
      ['stream', 'old\n'],
      ['clear_output', false],
      ['stream', 'new\n'],
    ]);
  });

  it('calls back after writes, decodes them, and outlives the end of stdout', () => {
    expect(stream(done.writes)).toBe('ab€');
    expect(result(done.writes)).toBe("'1,2,3,4'");
    expect(stream(done.closing)).toContain('still there\n');
    expect(result(done.closing)).toBe('1');
  });

  it('does not depend on what a cell may replace', () => {
    expect(stream(done.clock)).toBe('told\n');
    expect(result(done.clock)).toBe('7');
  });

  it('keeps the order of what a cell and its children print', () => {
    expect(stream(done.child)).toBe(Array.from({ length: 20 }, (_, i) => `own ${i}\nchild ${i}\n`).join(''));
    const later = everything(done.childLater);
    expect(stream(done.childLater, 'stdout', later)).toBe('out\nexited\n');
    expect(stream(done.childLater, 'stderr', later)).toBe('err\n');
  });

  it('gives late output to the cell that made it', () => {
    expect(stream(done.next)).toBe('of the second\nof the second again\n');
    const first = everything(done.next).filter(each => each.step === number('starts'));
    expect(first.map(({ content }) => content.text ?? content.data['text/plain'])).toEqual([
      'of the first\n',
      'shown by the first',
      'end\n',
    ]);
    const much = everything(done.between).find(each => each.content.text === 'much later\n');
    expect(much?.step).toBe(number('afterwards'));
    expect(stream(done.between)).toBe('');
  });

  it('tells of rejections that nobody handles, once', () => {
    expect(stream(done.rejection, 'stderr').match(/Unhandled rejection/g)).toHaveLength(1);
    expect(stream(done.rejection, 'stderr')).toContain('RangeError');
    expect(result(done.rejection)).toBe('4');
    expect(stream(done.quietRejection, 'stderr')).toBe('');
  });

  it('loses no line of a million, in order, in few messages and little memory', () => {
    expect(stream(done.million)).toBe(Array.from({ length: 1_000_000 }, (_, i) => `${i}\n`).join(''));
    expect(done.million.outputs.length).toBeLessThan(2000);
    expect(Number(result(done.million))).toBeLessThan(1.5e9);
  });

  it('shows part of what is too large, and says where the rest is', () => {
    const text = stream(done.text);
    expect(text.length).toBeLessThan(1_000_000);
    expect(text).toMatch(
      /^<x+\n… 49,780,003 more characters here; the whole text is in \S+\.txt until the kernel ends …\nx+>\nafter\n$/,
    );
    expect(result(done.whole)).toBe('true');
    const [bundle] = done.bundle.outputs.filter(each => each.type === 'execute_result');
    expect(Object.keys(bundle!.content.data)).toEqual(['text/plain']);
    expect(result(done.bundle)).toMatch(
      /^text\/html of 50,000,000 characters is too large to be shown: it is in \S+\.html until the kernel ends\nsmall$/,
    );
    const [display] = done.display.outputs.filter(each => each.type === 'display_data');
    expect(display!.content.data['text/plain']).toMatch(/^image\/png of 40,000,000 .*\.png .*\na picture$/s);
  });

  it('passes on every display of a flood, in order', () => {
    const texts = done.displays.outputs.filter(each => each.type === 'display_data').map(each => each.content.data['text/plain']);
    expect(texts).toEqual(Array.from({ length: 3000 }, (_, i) => String(i)));
    expect(result(done.last)).toBe('6');
  });
});
