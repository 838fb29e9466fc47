import { encodeHalf, type WeightType } from './half.js';

/** A tensor to write. */
export interface TensorToWrite {
  name: string;
  shape: readonly number[];
  size: number;
}

const TYPES = { float32: { code: 'F32', width: 4 }, float16: { code: 'F16', width: 2 }, bfloat16: { code: 'BF16', width: 2 } };
/** Elements converted at once. */
const PART = 1 << 20;

/** Bytes of one element. */
export function widthOf(type: WeightType): number {
  return TYPES[type].width;
}

/**
 * The bytes of a safetensors file, piece by piece, so that only one tensor at a time is copied.
 * @param read values of the tensor at this place in the list, asked for in order.
 */
export function* safetensorsChunks(
  tensors: readonly TensorToWrite[],
  read: (index: number) => Float32Array,
  type: WeightType = 'float32',
): Generator<Uint8Array> {
  const { code, width } = TYPES[type];
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape, size } of tensors) {
    header[name] = { dtype: code, shape: [...shape], data_offsets: [offset, offset + size * width] };
    offset += size * width;
  }
  // The data begins at a multiple of eight, as safetensors writes it; the padding is spaces.
  const text = JSON.stringify(header);
  const bytes = new TextEncoder().encode(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(bytes.length), true);
  yield prefix;
  yield bytes;
  for (let i = 0; i < tensors.length; i++) {
    const values = read(i);
    if (type === 'float32') {
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      continue;
    }
    for (let at = 0; at < values.length; at += PART) {
      const half = encodeHalf(values.subarray(at, at + PART), type, tensors[i]!.name);
      yield new Uint8Array(half.buffer);
    }
  }
}
