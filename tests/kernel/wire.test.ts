import { describe, expect, it } from 'vitest';
import { Wire } from '../../src/kernel/wire.js';

const frames = (wire: Wire) => wire.encode('execute_request', { code: '1' }, {}, { identities: [Buffer.from('me')] });

describe('wire protocol', () => {
  it('reads what it wrote: identities, header, content, buffers', () => {
    const wire = new Wire('secret');
    const parent = wire.header('x');
    const message = wire.decode(
      wire.encode('comm_msg', { a: 'ü' }, parent, {
        identities: [Buffer.from('a'), Buffer.from('b')],
        buffers: [Buffer.from([1, 2])],
      }),
    )!;
    expect(message.identities.map(String)).toEqual(['a', 'b']);
    expect(message.header.msg_type).toBe('comm_msg');
    expect(message.parent.msg_id).toBe(parent.msg_id);
    expect(message.content).toEqual({ a: 'ü' });
    expect([...message.buffers[0]!]).toEqual([1, 2]);
  });

  it('signs like the reference: HMAC-SHA256 over the four parts', () => {
    // python: hmac.new(b'k', b'{}{}{}{}', hashlib.sha256).hexdigest()
    const signature = new Wire('k').sign(['{}', '{}', '{}', '{}'].map(part => Buffer.from(part)));
    expect(signature).toBe('6f7c3dea506a2fb840fc9377d65462646f8e8df4acfafa710cf0c50bb2db8de2');
  });

  it('drops a message with a wrong, missing or foreign signature', () => {
    const wire = new Wire('secret');
    const good = frames(wire);
    expect(wire.decode(good)).toBeDefined();
    const tampered = good.slice();
    tampered[good.length - 1] = Buffer.from('{"code":"process.exit()"}');
    expect(wire.decode(tampered)).toBeUndefined();
    expect(wire.decode(frames(new Wire('other')))).toBeUndefined();
    expect(wire.decode(frames(new Wire('')))).toBeUndefined();
  });

  it('drops frames that are no message', () => {
    const wire = new Wire('');
    const delimiter = Buffer.from('<IDS|MSG>');
    const json = Buffer.from('{}');
    const header = Buffer.from('{"msg_type":"x","msg_id":"1"}');
    const cases: Uint8Array[][] = [
      [],
      [Buffer.from('x')],
      [delimiter],
      [delimiter, Buffer.from('')],
      [delimiter, Buffer.from(''), json, json, json],
      [delimiter, Buffer.from(''), Buffer.from('not json'), json, json, json],
      [delimiter, Buffer.from(''), json, json, json, json],
      [delimiter, Buffer.from(''), header, json, json, Buffer.from('[1]')],
      [delimiter, Buffer.from(''), header, json, json, Buffer.from('null')],
      [delimiter, Buffer.from(''), header, json, json, Buffer.from([0xff, 0xfe])],
    ];
    for (const each of cases) expect(wire.decode(each)).toBeUndefined();
    expect(wire.decode([delimiter, Buffer.from(''), header, json, json, json])?.header.msg_type).toBe('x');
  });
});
