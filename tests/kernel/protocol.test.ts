// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, everything, noJupyter, PATIENCE, result, type Step, stream } from './front-end.js';

const HOST = `const host = (globalThis as any)[Symbol.for('tunebook.host')];`;
const at = (code: string, more: object = {}) => ({ code, cursor_pos: [...code].length, ...more });

// One kernel runs all of these in order.
const steps = {
  info: { request: 'kernel_info', content: {} },
  declare: {
    code: `${HOST}
/** Twice a number. See {@link Math.abs|abs}.
 * @param x the number
 * @example twice(2)
 */
function twice(x: number, by = 2): number { return x * by; }
const list = [1, 2, 3];`,
  },

  prompt: { code: `prompt('name?') + prompt('', 'x')`, answers: ['Ada', ''] },
  ask: {
    code: `setTimeout(() => console.log('ticked'), 1);
await ask('key', { password: true, default: 'k' })`,
    answers: ['s3cret'],
    answer_on: 'ticked',
  },
  together: { code: `const both = await Promise.all([ask('a'), ask('b')]); both.join()`, answers: ['1', '2'] },
  typed: { code: `const wrong: number = prompt('x');`, answers: [] },
  refused: { code: `prompt('name?')` },
  refusedAsk: { code: `await ask('name?')` },
  interruptPrompt: { code: `prompt('wait'); 'reached'`, interrupt_on_input: true },
  interruptAsk: { code: `await ask('wait'); 'reached'`, interrupt_on_input: true },
  afterInterrupt: { code: `twice(4) + prompt('again?')`, answers: ['!'] },
  unawaited: { code: `void ask('nobody waits').catch(e => console.log(e.message)); 1`, answers: [], wait_for: 'cell has ended' },

  open: {
    code: `const heard: any[] = [];
const comm = host.comm('front', { a: 1 }, { id: 'ours', metadata: { version: '2' }, buffers: [new TextEncoder().encode('hi')] });
comm.onMessage((m: any) => { heard.push(m.data, m.buffers.map(String)); comm.send({ echo: m.data }, { buffers: m.buffers }); });
comm.onClose(() => heard.push('closed')); 0`,
  },
  commInfo: { request: 'comm_info', content: {} },
  commInfoOther: { request: 'comm_info', content: { target_name: 'other' } },
  message: { message: 'comm_msg', content: { comm_id: 'ours', data: { n: 1 } }, buffers: ['bytes'] },
  whileRunning: {
    code: `const stop = new Promise(resolve => comm.onMessage(resolve)); console.log('waiting'); await stop; 'stopped'`,
    during: { message: 'comm_msg', content: { comm_id: 'ours', data: { stop: true } } },
    during_on: 'waiting',
  },
  close: { message: 'comm_close', content: { comm_id: 'ours', data: {} } },
  heard: { code: 'comm.send({ late: 1 }); [comm.closed, heard.length, heard.at(-1)]' },
  unknown: { message: 'comm_open', content: { comm_id: 'theirs', target_name: 'nobody', data: {} } },
  register: {
    code: `host.onComm('mine', (c: any, m: any) => { c.send({ hello: m.data.who }); if (m.data.who === 'bad') throw new Error('in the handler'); }); 0`,
  },
  theirs: { message: 'comm_open', content: { comm_id: 'b', target_name: 'mine', data: { who: 'front' } } },
  bad: { message: 'comm_open', content: { comm_id: 'c', target_name: 'mine', data: { who: 'bad' } } },
  hostile: { message: 'comm_msg', content: { comm_id: ['x'], data: 7 } },

  page: { code: `host.page({ 'text/plain': 'long' }); 1` },
  noPage: { code: '1' },
  emptyWithExpressions: { code: '', user_expressions: { two: '1 + 1' } },
  wrongExpression: { code: `throw new Error('x')`, user_expressions: { two: '1 + 1' } },

  complete: { request: 'complete', content: at('twi') },
  member: { request: 'complete', content: at("'😀'; list.ma") },
  members: { request: 'complete', content: at('list.') },
  inspect: { request: 'inspect', content: at('twice', { detail_level: 0 }) },
  inspectMore: { request: 'inspect', content: at('twice', { detail_level: 1 }) },
  inspectCall: { request: 'inspect', content: at('list.map(x => x, ', { detail_level: 0 }) },
  inspectGlobal: { request: 'inspect', content: at('ask(', { detail_level: 0 }) },
  inspectNothing: { request: 'inspect', content: at('no_such_name', { detail_level: 0 }) },
  isComplete: { request: 'is_complete', content: { code: 'const s = `a ${twice(1)}' } },
  isCompleteIndent: { request: 'is_complete', content: { code: 'if (a) {\n  f({' } },

  debug: { request: 'debug', content: { type: 'request', seq: 3, command: 'initialize' }, channel: 'control' },
  infoOnControl: { request: 'kernel_info', content: {}, channel: 'control' },
  nonsense: { request: 'no_such', content: {} },

  counted: { code: `'counted'` },
  uncounted: { code: `'uncounted'`, store_history: false },
  history: { request: 'history', content: { hist_access_type: 'tail', n: 2, output: true, raw: true } },
  leave: { code: `host.comm('front', {}, { id: 'left' }); process.exit(0)` },
  restart: { restart: true },
  remembered: { request: 'history', content: { hist_access_type: 'search', pattern: "'counted*", output: true, raw: true } },
  again: { code: '2 + 2' },
  session: { request: 'history', content: { hist_access_type: 'range', session: 0, start: 0, stop: 5, output: true, raw: true } },
  sessionBefore: { request: 'history', content: { hist_access_type: 'range', session: -1, start: 1, stop: 2, raw: true } },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`messages through jupyter_client ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps));
  }, PATIENCE);
  const comms = (outputs: Done['late'] = []) => outputs.filter(({ type }) => type.startsWith('comm_'));

  describe('kernel_info', () => {
    it('has a banner, help links and a language that front ends know', () => {
      const { reply } = done.info;
      expect(reply).toMatchObject({ status: 'ok', implementation: 'tunebook', debugger: false });
      expect(reply.banner).toMatch(/^tunebook \d+\.\d+\.\d+: TypeScript \d+\.\d+\.\d+ on Node \d+.*\n.*type-checked/);
      // That which checks the cells, not the one that tslab brings.
      expect(reply.language_info.version).toBe(ts.version);
      expect(reply.language_info).toMatchObject({ name: 'typescript', file_extension: '.ts', mimetype: 'text/typescript' });
      expect(reply.help_links.length).toBeGreaterThan(3);
      for (const { text, url } of reply.help_links) expect([text, new URL(url).protocol]).toEqual([expect.any(String), 'https:']);
      expect(done.infoOnControl.reply).toEqual(reply);
    });
  });

  describe('stdin', () => {
    it('asks, in order, with a fallback for an empty answer', () => {
      expect(result(done.prompt)).toBe("'Adax'");
      expect(done.prompt.asked).toEqual([
        { prompt: 'name? ', password: false },
        { prompt: '[x] ', password: false },
      ]);
      expect(result(done.together)).toBe("'1,2'");
      expect(result(done.afterInterrupt)).toBe("'8!'");
    });

    it('asks for a password without stopping the timers of the cell', () => {
      expect(result(done.ask)).toBe("'s3cret'");
      expect(done.ask.asked).toEqual([{ prompt: 'key [k] ', password: true }]);
    });

    it('has types', () => {
      expect(done.typed.reply).toMatchObject({ ename: 'TypeScriptError', evalue: expect.stringMatching(/'string'.*'number'/) });
    });

    it.each(['refused', 'refusedAsk'] as const)('says so where the front end takes no input (%s)', name => {
      expect(done[name].asked).toEqual([]);
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'Unavailable' });
      expect(done[name].reply.evalue).toMatch(/cannot ask for input.*allow_stdin.*JupyterLab/s);
    });

    it.each(['interruptPrompt', 'interruptAsk'] as const)('ends when the cell is interrupted (%s)', name => {
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
      expect(result(done[name])).toBeUndefined();
    });

    it('refuses a question that outlives its cell', () => {
      expect(stream(done.unawaited, 'stdout', everything(done.unawaited))).toMatch(/cell has ended/);
    });
  });

  describe('comms', () => {
    it('open towards the front end and are listed by target', () => {
      expect(comms(done.open.outputs)).toEqual([
        {
          type: 'comm_open',
          content: { comm_id: 'ours', target_name: 'front', target_module: null, data: { a: 1 } },
          parent: 0,
          buffers: ['hi'],
        },
      ]);
      expect(done.commInfo.reply).toEqual({ status: 'ok', comms: { ours: { target_name: 'front' } } });
      expect(done.commInfoOther.reply.comms).toEqual({});
    });

    it('carry messages both ways, with binary parts', () => {
      expect(comms(done.message.outputs)).toMatchObject([
        { type: 'comm_msg', content: { comm_id: 'ours', data: { echo: { n: 1 } } } },
      ]);
      expect(done.message.states).toEqual(['busy', 'idle']);
      expect(result(done.heard)).toBe("[ true, 5, 'closed' ]");
      expect(comms(done.heard.outputs)).toEqual([]);
    });

    it('are heard while a cell runs', () => {
      expect(result(done.whileRunning)).toBe("'stopped'");
    });

    it('open towards the kernel where a cell registered the target, and are closed where none did', () => {
      expect(comms(done.theirs.outputs)).toMatchObject([
        { type: 'comm_msg', content: { comm_id: 'b', data: { hello: 'front' } } },
      ]);
      expect(comms(done.unknown.outputs)).toMatchObject([{ type: 'comm_close', content: { comm_id: 'theirs' } }]);
    });

    it('are closed when their handler throws, which is told', () => {
      expect(comms(done.bad.outputs).map(({ type }) => type)).toEqual(['comm_msg', 'comm_close']);
      expect(stream(done.bad, 'stderr', done.bad.others)).toMatch(/in the handler/);
      expect(done.hostile.states).toEqual(['busy', 'idle']);
    });

    it('are closed when the process of the cells ends', () => {
      const closed = comms(everything(done.leave)).filter(({ type }) => type === 'comm_close');
      expect(closed.map(({ content }) => content.comm_id).sort()).toEqual(['b', 'left']);
    });
  });

  describe('execute', () => {
    it('brings pager payloads with the reply of their cell', () => {
      expect(done.page.reply.payload).toEqual([{ source: 'page', data: { 'text/plain': 'long' }, start: 0 }]);
      expect(done.noPage.reply.payload).toEqual([]);
    });

    it('evaluates user_expressions without code, and none after an error', () => {
      expect(done.emptyWithExpressions.reply.user_expressions).toMatchObject({
        two: { status: 'ok', data: { 'text/plain': '2' } },
      });
      expect(done.wrongExpression.reply).toMatchObject({ status: 'error', user_expressions: {} });
    });

    it('counts the cells that it remembers', () => {
      const count = done.counted.reply.execution_count;
      expect(done.uncounted.reply.execution_count).toBe(count);
      expect(done.history.reply.history.at(-1)).toEqual([1, count, ["'counted'", "'counted'"]]);
    });
  });

  describe('complete and inspect', () => {
    it('name, type, signature and documentation of each candidate, by code points', () => {
      const { reply } = done.complete;
      expect(reply).toMatchObject({ status: 'ok', matches: ['twice'], cursor_start: 0, cursor_end: 3 });
      expect(reply.metadata._jupyter_types_experimental).toEqual([
        {
          text: 'twice',
          type: 'function',
          signature: '(x: number, by?: number): number',
          documentation: 'Twice a number. See abs.',
          start: 0,
          end: 3,
        },
      ]);
      expect(done.member.reply).toMatchObject({ matches: ['map'], cursor_start: 10, cursor_end: 12 });
      expect(done.member.reply.metadata._jupyter_types_experimental[0]).toMatchObject({ start: 10, end: 12, type: 'function' });
      const members = done.members.reply.metadata._jupyter_types_experimental as { text: string; signature: string }[];
      expect(members[0]).toMatchObject({ text: 'at', type: 'function', signature: '(index: number): number' });
      expect(members.find(({ text }) => text === 'length')).toMatchObject({ type: 'property' });
    });

    it('inspection shows signature and documentation; in detail also examples and the declaration', () => {
      const plain = done.inspect.reply.data['text/plain'];
      expect(plain).toBe('function twice(x: number, by?: number): number\n\nTwice a number. See abs.\n\n@param x the number');
      expect(done.inspect.reply.data['text/markdown']).toMatch(
        /^```typescript\nfunction twice\(.*\n```\n\nTwice.*- \*\*@param\*\* x/s,
      );
      expect(done.inspectMore.reply.data['text/plain']).toMatch(
        /@example twice\(2\).*declared in this notebook\n.*function twice/s,
      );
      expect(done.inspectMore.reply.data['text/markdown']).toMatch(/```typescript\ntwice\(2\)\n```/);
    });

    it('inspection finds the function around the cursor, globals of cells, and not what does not exist', () => {
      expect(done.inspectCall.reply.data['text/plain']).toMatch(/Array<number>\.map/);
      expect(done.inspectGlobal.reply.data['text/plain']).toMatch(/function ask\(.*Promise<string>.*Ask the user/s);
      expect(done.inspectNothing.reply).toMatchObject({ status: 'ok', found: false, data: {} });
    });

    it('is_complete tells unfinished templates and how far to indent', () => {
      expect(done.isComplete.reply).toEqual({ status: 'incomplete', indent: '' });
      expect(done.isCompleteIndent.reply).toEqual({ status: 'incomplete', indent: '    ' });
    });
  });

  describe('other requests', () => {
    it('debugging is declined in its own protocol', () => {
      expect(done.debug.reply).toMatchObject({ type: 'response', request_seq: 3, command: 'initialize', success: false });
    });

    it('unknown ones get an error, not silence', () => {
      expect(done.nonsense.reply).toMatchObject({
        status: 'error',
        ename: 'BadInput',
        evalue: expect.stringMatching(/no_such_request/),
      });
    });

    it('the history outlives the kernel', () => {
      expect(done.remembered.reply.history.map((each: unknown[]) => [each[0], each[2]])).toEqual([
        [1, ["'counted'", "'counted'"]],
      ]);
      expect(done.session.reply.history).toEqual([[2, 1, ['2 + 2', '4']]]);
      expect(done.sessionBefore.reply.history).toHaveLength(1);
      expect(done.sessionBefore.reply.history[0][2]).toContain('function twice');
    });
  });
});
