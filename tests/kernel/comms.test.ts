import { describe, expect, it } from 'vitest';
import type { CommEvent } from '../../src/kernel/channel.js';
import { CommTable } from '../../src/kernel/comm-table.js';
import { Comms } from '../../src/kernel/comms.js';
import type { Message } from '../../src/kernel/wire.js';

const event = (event: CommEvent['event'], commId: string, data = {}, target?: string): CommEvent => ({
  event,
  commId,
  target,
  data,
  metadata: {},
  buffers: [],
});

function executorEnd() {
  const sent: CommEvent[] = [];
  const errors: unknown[] = [];
  const comms = new Comms(
    each => sent.push(each),
    error => errors.push(error),
  );
  return { comms, sent, errors };
}

describe("the executor's end of comms", () => {
  it('opens towards the front end, sends and closes, with metadata and binary parts', () => {
    const { comms, sent } = executorEnd();
    const comm = comms.open('target', { a: 1 }, { id: 'c', metadata: { version: '2' }, buffers: [new Uint8Array([1, 2])] });
    comm.send({ b: 2 });
    comm.close({ c: 3 });
    comm.send({ late: true });
    comm.close();
    expect(sent).toEqual([
      { event: 'open', commId: 'c', target: 'target', data: { a: 1 }, metadata: { version: '2' }, buffers: ['AQI='] },
      { event: 'msg', commId: 'c', data: { b: 2 }, metadata: {}, buffers: [] },
      { event: 'close', commId: 'c', data: { c: 3 }, metadata: {}, buffers: [] },
    ]);
    expect(comm.closed).toBe(true);
  });

  it('sends the part of a buffer that a view shows, and nothing around it', () => {
    const { comms, sent } = executorEnd();
    comms.open('t', {}, { buffers: [new Uint8Array([9, 1, 2, 9]).subarray(1, 3)] });
    expect(sent[0]!.buffers).toEqual(['AQI=']);
  });

  it('hands messages to every handler until it leaves, and the close once', () => {
    const { comms } = executorEnd();
    const comm = comms.open('t', {}, { id: 'c' });
    const seen: unknown[] = [];
    const leave = comm.onMessage(({ data }) => seen.push(['first', data]));
    comm.onMessage(({ buffers }) => seen.push(['second', [...buffers[0]!]]));
    comm.onClose(({ data }) => seen.push(['closed', data]));
    comms.receive({ ...event('msg', 'c', { x: 1 }), buffers: ['AQI='] });
    leave();
    comms.receive({ ...event('msg', 'c', { x: 2 }), buffers: ['Aw=='] });
    comms.receive(event('close', 'c', { why: 'gone' }));
    comms.receive(event('close', 'c'));
    expect(seen).toEqual([
      ['first', { x: 1 }],
      ['second', [1, 2]],
      ['second', [3]],
      ['closed', { why: 'gone' }],
    ]);
    expect(comm.closed).toBe(true);
  });

  it('takes what the front end opens to a known target and closes what it opens to another', () => {
    const { comms, sent } = executorEnd();
    const opened: unknown[] = [];
    const leave = comms.onOpen('mine', (comm, { data }) => {
      opened.push([comm.id, data]);
      comm.send({ welcome: true });
    });
    comms.receive(event('open', 'a', { q: 1 }, 'mine'));
    comms.receive(event('open', 'b', {}, 'unknown'));
    leave();
    comms.receive(event('open', 'c', {}, 'mine'));
    expect(opened).toEqual([['a', { q: 1 }]]);
    expect(sent.map(({ event, commId }) => [event, commId])).toEqual([
      ['msg', 'a'],
      ['close', 'b'],
      ['close', 'c'],
    ]);
  });

  it('survives handlers that throw, refuses an id twice, and ignores messages to comms it does not know', () => {
    const { comms, sent, errors } = executorEnd();
    comms.onOpen('bad', () => {
      throw new Error('no');
    });
    comms.receive(event('open', 'a', {}, 'bad'));
    expect(sent.map(each => each.event)).toEqual(['close']);
    const comm = comms.open('t', {}, { id: 'c' });
    comm.onMessage(() => {
      throw new Error('handler');
    });
    const seen: unknown[] = [];
    comm.onMessage(({ data }) => seen.push(data));
    comms.receive(event('msg', 'c', { x: 1 }));
    comms.receive(event('msg', 'nobody'));
    expect(seen).toEqual([{ x: 1 }]);
    expect(errors.map(error => (error as Error).message)).toEqual(['no', 'handler']);
    expect(() => comms.open('t', {}, { id: 'c' })).toThrow(/comm with this id is open/);
  });
});

describe('the protocol side of comms', () => {
  const message = (content: object, buffers: Uint8Array[] = []) =>
    ({ header: { msg_id: 'm' }, content, buffers, metadata: { m: 1 } }) as unknown as Message;

  function table(deliver: (event: CommEvent) => Promise<unknown> = async () => {}) {
    const published: unknown[] = [];
    const comms = new CommTable(deliver, (type, content, buffers, metadata) =>
      published.push([type, content, buffers, metadata]),
    );
    return { comms, published };
  }

  it('passes messages on in both directions and knows what is open', async () => {
    const delivered: CommEvent[] = [];
    const { comms, published } = table(async each => {
      delivered.push(each);
      // What the handler of this message says is its answer.
      expect(comms.handling).toEqual({ msg_id: 'm' });
    });
    comms.send({ ...event('open', 'a', { x: 1 }, 't'), buffers: ['AQI='] });
    await comms.receive('comm_open', message({ comm_id: 'b', target_name: 'u', data: { y: 1 } }, [new Uint8Array([3])]));
    await comms.receive('comm_msg', message({ comm_id: 'b', data: 'no object' }));
    expect(published).toEqual([
      ['comm_open', { comm_id: 'a', target_name: 't', target_module: null, data: { x: 1 } }, [Buffer.from([1, 2])], {}],
    ]);
    expect(delivered).toEqual([
      { event: 'open', commId: 'b', target: 'u', data: { y: 1 }, metadata: { m: 1 }, buffers: ['Aw=='] },
      { event: 'msg', commId: 'b', target: '', data: {}, metadata: { m: 1 }, buffers: [] },
    ]);
    expect(comms.handling).toBeUndefined();
    expect(comms.info(undefined)).toEqual({ a: { target_name: 't' }, b: { target_name: 'u' } });
    expect(comms.info('u')).toEqual({ b: { target_name: 'u' } });
    await comms.receive('comm_close', message({ comm_id: 'a', data: {} }));
    expect(Object.keys(comms.info(undefined))).toEqual(['b']);
  });

  it('closes what nobody can take, and everything when the executor is gone', async () => {
    const { comms, published } = table(() => Promise.reject(new Error('dead')));
    await comms.receive('comm_open', message({ comm_id: 'a', target_name: 't' }));
    comms.send(event('open', 'b', {}, 't'));
    comms.closeAll();
    expect(published.map(each => [(each as unknown[])[0], ((each as unknown[])[1] as { comm_id: string }).comm_id])).toEqual([
      ['comm_close', 'a'],
      ['comm_open', 'b'],
      ['comm_close', 'b'],
    ]);
    expect(comms.info(undefined)).toEqual({});
  });
});
