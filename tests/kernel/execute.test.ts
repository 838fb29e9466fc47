import { beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, everything, GATED, noJupyter, PATIENCE, result, type Step, stream, trace } from './front-end.js';

const HOST = `const host = (globalThis as any)[Symbol.for('tunebook.host')];`;

// One kernel runs all of these in order: starting one costs more than the cells.
const steps = {
  declare: { code: 'const a: number = 1;\na + 2' },
  again: { code: 'let s = "x".repeat(3);\ns' },
  nothing: { code: 'const quiet = 1;' },
  nil: { code: 'null' },
  empty: { code: '  \n' },
  print: { code: `console.log('one'); console.error('two'); console.table([{ k: 1 }]); process.stdout.write('50 %\\r100 %');` },
  order: {
    code: `${HOST} console.log('before'); host.display({ 'text/plain': 'p' }, { displayId: 'd' }); console.log('after');
host.display({ 'text/plain': 'q' }, { displayId: 'd', update: true, metadata: { m: 1 } }); host.clear(true);`,
  },
  bundle: { code: `({ [Symbol.for('Jupyter.display')]: async () => ({ 'text/html': '<b>1</b>', 'text/plain': 'one' }) })` },
  numbers: { code: `({ [Symbol.for('Jupyter.display')]: () => ({ 'application/json': [1n] }) })` },
  noBundle: { code: `({ [Symbol.for('Jupyter.display')]: () => 5 })` },
  sly: { code: `({ [Symbol.for('Jupyter.display')]: () => ({ get 'text/plain'() { throw new Error('looked at') } }) })` },
  view: {
    code: `(globalThis as any)[Symbol.for('tunebook.renderer')] = async (v: any) => (v.kind === 'mine' ? { 'text/html': 'seen' } : undefined);\n({ kind: 'mine' })`,
  },
  forAwait: { code: 'const seen: number[] = []; for await (const x of [Promise.resolve(1), 2]) seen.push(x);\nseen' },
  typeError: { code: 'const n = 1;\nconst b: string = 5;' },
  syntaxError: { code: 'const = 1' },
  implicitAny: { code: 'const twice = x => x + x; twice(2)' },
  runtimeError: {
    code: 'const before = 1;\ntype T = {\n  a: number;\n};\nfunction f(t: T): number { throw new RangeError("bad " + t.a); }\n\nf({ a: 3 });',
  },
  afterError: { code: 'before' },
  asyncError: { code: 'await Promise.reject(new Error("later", { cause: new TypeError("inner") }))' },
  thrown: { code: 'throw { odd: 1 }' },
  unnameable: {
    code: `import * as tf from '@tensorflow/tfjs-core';\nconst dynamic = await import('@tensorflow/tfjs-core');\ndynamic.Tensor === tf.Tensor`,
  },
  late: {
    code: `setTimeout(() => console.log('late'), 100); Promise.reject(new Error('lost')); setTimeout(() => { throw new Error('loose') }, 150); 5`,
    // Not 'loose': the line of the cell that made the rejection is shown with it.
    wait_for: 'Uncaught exception',
  },
  silent: { code: `console.log('hush'); 6`, silent: true },
  unremembered: { code: '7', store_history: false },
  expressions: { code: '8', user_expressions: { good: 'a + 1', bad: 'nope' } },
  burst: { burst: [`${GATED.wait} throw new Error('first')`, '1', '2'], ...GATED.open },
  going: { burst: ['throw new Error("first")', '1'], stop_on_error: false },
  child: {
    code: `import { execSync } from 'node:child_process'; execSync('echo native', { stdio: 'inherit' }); console.log('own')`,
  },
  million: { code: `for (let i = 0; i < 300_000; i++) console.log('line ' + i)` },
  complete: { request: 'complete', content: { code: "'😀'; Number.isInt", cursor_pos: 17 } },
  inspect: { request: 'inspect', content: { code: 'parseInt', cursor_pos: 4, detail_level: 0 } },
  history: { request: 'history', content: { hist_access_type: 'tail', n: 100, output: false, raw: true } },
  comms: { request: 'comm_info', content: {} },
  restart: { restart: true },
  afterRestart: { code: 'typeof (globalThis as any).a' },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`cells through jupyter_client ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps));
  }, PATIENCE);

  it('shows the last expression as execute_result, unless it is undefined', () => {
    expect(result(done.declare)).toBe('3');
    expect(result(done.again)).toBe("'xxx'");
    expect(result(done.nil)).toBe('null');
    expect(done.nothing.outputs.map(each => each.type)).toEqual(['execute_input']);
    expect(done.empty.reply.status).toBe('ok');
    expect(done.declare.states).toEqual(['busy', 'idle']);
  });

  it('streams stdout and stderr, carriage returns included', () => {
    expect(stream(done.print)).toMatch(/^one\n┌.*50 %\r100 %$/s);
    expect(stream(done.print, 'stderr')).toBe('two\n');
  });

  it('keeps prints and displays in order, and updates and clears', () => {
    const seen = done.order.outputs
      .slice(1)
      .map(({ type, content }) => [type, content.text ?? content.data?.['text/plain'] ?? content.wait]);
    expect(seen).toEqual([
      ['stream', 'before\n'],
      ['display_data', 'p'],
      ['stream', 'after\n'],
      ['update_display_data', 'q'],
      ['clear_output', true],
    ]);
    expect(done.order.outputs[4]!.content).toMatchObject({ transient: { display_id: 'd' }, metadata: { m: 1 } });
  });

  it("asks an object's Jupyter.display, then the renderer, for its bundle", () => {
    expect(done.bundle.outputs[1]!.content.data).toEqual({ 'text/html': '<b>1</b>', 'text/plain': 'one' });
    expect(done.view.outputs[1]!.content.data).toEqual({ 'text/html': 'seen', 'text/plain': "{ kind: 'mine' }" });
  });

  it('ends a cell whose bundle is none, or cannot be sent as it is', () => {
    expect(done.numbers.outputs[1]!.content.data).toMatchObject({ 'application/json': [1] });
    expect(result(done.noBundle)).toContain('Symbol(Jupyter.display)');
    expect(done.sly.reply).toMatchObject({ status: 'error', evalue: 'looked at' });
  });

  it('runs for await as the first await of a cell', () => {
    expect(result(done.forAwait)).toBe('[ 1, 2 ]');
  });

  it('stops a cell that does not type-check with cell, line and code', () => {
    expect(done.typeError.reply).toMatchObject({ status: 'error', ename: 'TypeScriptError' });
    expect(trace(done.typeError)).toMatch(/^cell \d+, line 2:7 error TS2322: Type 'number' is not assignable/);
    expect(trace(done.typeError)).toContain('const b: string = 5;');
    expect(done.typeError.outputs.at(-1)!.type).toBe('error');
    expect(done.syntaxError.reply.ename).toBe('TypeScriptError');
    expect(result(done.implicitAny)).toBe('4');
  });

  it('reports what a cell throws with the line of its TypeScript, and without frames of the kernel', () => {
    expect(done.runtimeError.reply).toMatchObject({ ename: 'RangeError', evalue: 'bad 3' });
    expect(trace(done.runtimeError)).toMatch(/at f \(cell \d+, line 5:/);
    expect(trace(done.runtimeError)).toMatch(/at cell \d+, line 7:/);
    expect(trace(done.runtimeError)).not.toMatch(/node:internal|dist\/kernel/);
    expect(result(done.afterError)).toBe('1');
    expect(trace(done.asyncError)).toMatch(/Error: later.*caused by\nTypeError: inner/s);
    expect(done.thrown.reply).toMatchObject({ ename: 'Thrown', evalue: '{ odd: 1 }' });
  });

  it('runs a cell whose inferred type cannot be written as a declaration', () => {
    expect(result(done.unnameable)).toBe('true');
  });

  it('sends late output to the cell that was last, and survives loose exceptions', () => {
    expect(result(done.late)).toBe('5');
    expect(stream(done.late, 'stdout', everything(done.late))).toBe('late\n');
    expect(stream(done.late, 'stderr', everything(done.late))).toMatch(/Unhandled rejection.*lost.*Uncaught exception.*loose/s);
  });

  it('honours silent, store_history, user_expressions and stop_on_error', () => {
    expect(done.silent.outputs).toEqual([]);
    expect(done.silent.reply.status).toBe('ok');
    expect(done.expressions.reply.user_expressions).toMatchObject({
      good: { status: 'ok', data: { 'text/plain': '2' } },
      bad: { status: 'error', ename: 'TypeScriptError' },
    });
    const inputs = done.history.reply.history.map((each: unknown[]) => each[2]);
    expect(inputs).toContain('8');
    expect(inputs).not.toContain('7');
    expect(inputs.join()).not.toContain('hush');
    expect([0, 1, 2].map(i => done.burst.replies![i].status)).toEqual(['error', 'aborted', 'aborted']);
    expect([0, 1].map(i => done.going.replies![i].status)).toEqual(['error', 'ok']);
  });

  it('shows what child processes and native code print', () => {
    expect(stream(done.child)).toContain('native\n');
    expect(stream(done.child)).toContain('own\n');
  });

  it('loses no line of a large output, in few messages', () => {
    const text = stream(done.million);
    expect(text.length).toBe(Array.from({ length: 300_000 }, (_, i) => `line ${i}\n`.length).reduce((a, b) => a + b));
    expect(text.endsWith('line 299999\n')).toBe(true);
    expect(done.million.outputs.length).toBeLessThan(1000);
  });

  it('completes and inspects by code points, and answers comm_info', () => {
    expect(done.complete.reply).toMatchObject({ status: 'ok', matches: ['isInteger'], cursor_start: 12, cursor_end: 17 });
    expect(done.inspect.reply).toMatchObject({ status: 'ok', found: true });
    expect(done.inspect.reply.data['text/plain']).toContain('function parseInt(');
    expect(done.comms.reply).toMatchObject({ status: 'ok', comms: {} });
  });

  it('starts afresh after a restart', () => {
    expect(result(done.afterRestart)).toBe("'undefined'");
  });
});
