import { describe, expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from '../../../../src/learn/train/logs/crc32c.js';
import { encodeEvent, frame } from '../../../../src/learn/train/logs/tfevents.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('crc32c', () => {
  // RFC 3720, B.4, and the check value of the catalogue of CRCs.
  it.each([
    ['123456789', 0xe3069283],
    ['\0'.repeat(32), 0x8a9136aa],
    ['', 0],
  ])('%j', (text, crc) => expect(crc32c(Buffer.from(text, 'latin1'))).toBe(crc));

  it('knows bytes above 127', () => {
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it('is masked as TensorFlow masks it', () => {
    // tensorflow/core/lib/hash/crc32c.h: rotated right by 15, plus 0xa282ead8.
    const crc = 0xe3069283;
    const expected = (BigInt(((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8n) & 0xffffffffn;
    expect(BigInt(maskedCrc32c(Buffer.from('123456789')))).toBe(expected);
  });
});

describe('events', () => {
  it('are laid out as protocol buffers', () => {
    // Field 1: double; field 2: varint 300 = ac 02; field 5: summary { value { tag "a", simple_value 0.5 } }.
    const bytes = encodeEvent({ wallTime: 1, step: 300, values: [{ tag: 'a', number: 0.5 }] });
    expect(hex(bytes)).toBe(`09000000000000f03f10ac022a0a0a080a0161150000003f`);
    expect(hex(encodeEvent({ wallTime: 0, fileVersion: 'brain.Event:2' }))).toBe(
      `0900000000000000001a0d${hex(Buffer.from('brain.Event:2'))}`,
    );
  });

  it('hold text as a tensor of strings', () => {
    const bytes = encodeEvent({ wallTime: 0, values: [{ tag: 't', text: 'é' }] });
    // dtype 7, shape { dim { size 1 } }, string_val; then metadata { plugin_data { plugin_name "text" } }.
    expect(hex(bytes)).toContain(`420c08071204120208014202${hex(Buffer.from('é'))}4a080a060a0474657874`);
  });

  it('are framed with length and checksums', () => {
    const framed = Buffer.from(frame(Buffer.from('abc')));
    expect(framed.readBigUInt64LE(0)).toBe(3n);
    expect(framed.readUInt32LE(8)).toBe(maskedCrc32c(framed.subarray(0, 8)));
    expect(framed.subarray(12, 15).toString()).toBe('abc');
    expect(framed.readUInt32LE(15)).toBe(maskedCrc32c(Buffer.from('abc')));
    expect(framed).toHaveLength(19);
  });
});
