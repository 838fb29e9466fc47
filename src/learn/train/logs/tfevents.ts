import { maskedCrc32c } from './crc32c.js';

/** What a value of a summary is: a number, or text that TensorBoard shows as Markdown. */
export type EventValue = { tag: string; number: number } | { tag: string; text: string };

/** One event of a TensorBoard file. */
export interface TfEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step?: number;
  fileVersion?: string;
  values?: readonly EventValue[];
}

/** The bytes of an event as tensorflow/core/util/event.proto and framework/summary.proto lay them out. */
export function encodeEvent({ wallTime, step, fileVersion, values }: TfEvent): Uint8Array {
  return Buffer.concat([
    double(1, wallTime),
    ...(step ? [integer(2, step)] : []),
    ...(fileVersion === undefined ? [] : [bytes(3, fileVersion)]),
    ...(values ? [bytes(5, Buffer.concat(values.map(value => bytes(1, encodeValue(value)))))] : []),
  ]);
}

/** A record of a TFRecord file: length, its checksum, the bytes, their checksum. */
export function frame(record: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(record.length + 16);
  framed.writeBigUInt64LE(BigInt(record.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(record, 12);
  framed.writeUInt32LE(maskedCrc32c(record), 12 + record.length);
  return framed;
}

const DT_STRING = 7;

function encodeValue(value: EventValue): Uint8Array {
  if ('number' in value) return Buffer.concat([bytes(1, value.tag), float(2, value.number)]);
  const plugin = bytes(1, bytes(1, 'text'));
  const shape = bytes(2, bytes(2, integer(1, 1)));
  const tensor = Buffer.concat([integer(1, DT_STRING), shape, bytes(8, value.text)]);
  return Buffer.concat([bytes(1, value.tag), bytes(8, tensor), bytes(9, plugin)]);
}

// Protocol buffers: a key (number of the field, kind of what follows), then the value.
function double(field: number, value: number): Buffer {
  const out = Buffer.alloc(9);
  out[0] = (field << 3) | 1;
  out.writeDoubleLE(value, 1);
  return out;
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(5);
  out[0] = (field << 3) | 5;
  out.writeFloatLE(value, 1);
  return out;
}

function integer(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function bytes(field: number, value: string | Uint8Array): Buffer {
  const content = Buffer.from(value);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(content.length)]), content]);
}

/** Groups of seven bits, the lowest first. */
function varint(value: number): number[] {
  const groups: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) groups.push((rest % 128) + 128);
  return [...groups, rest];
}
