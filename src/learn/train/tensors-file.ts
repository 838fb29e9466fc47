import { readFile } from 'node:fs/promises';
import { BadInput, writeFileAtomic } from '../../base/core/index.js';

/** A float32 array with its shape, as it lies in a file. */
export interface StoredTensor {
  shape: readonly number[];
  values: Float32Array;
}

/**
 * Write float32 tensors as a safetensors file: 8 bytes header length, JSON header, raw little-endian values. `read` gives
 * the values of the tensor at an index, asked for one after the other, so that only one is held at a time.
 */
export async function writeTensors(
  path: string,
  tensors: readonly { name: string; shape: readonly number[]; size: number }[],
  read: (index: number) => Float32Array,
): Promise<void> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape, size } of tensors) {
    const begin = end;
    end += size * 4;
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  // Padding to eight bytes keeps the values aligned for readers that map the file.
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  function* chunks(): Generator<Uint8Array> {
    yield length;
    yield padded;
    for (let i = 0; i < tensors.length; i++) {
      const { buffer, byteOffset, byteLength } = read(i);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  }
  await writeFileAtomic(path, chunks());
}

/** Read a file written by {@link writeTensors} (or any safetensors file of float32 tensors). */
export async function readTensors(path: string): Promise<Map<string, StoredTensor>> {
  const file = await readFile(path);
  const damaged = (found: string) =>
    new BadInput({
      problem: 'The file is not a usable safetensors file',
      where: { file: path },
      expected: 'float32 tensors',
      found,
      fix: 'use an earlier checkpoint',
    });
  if (file.length < 8) throw damaged(`${file.length} bytes`);
  const body = 8 + Number(file.readBigUInt64LE(0));
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(file.toString('utf8', 8, body)) as typeof header;
  } catch {
    throw damaged('a damaged header');
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = data_offsets;
    if (dtype !== 'F32') throw damaged(`${name} of type ${dtype}`);
    if (body + end > file.length) throw damaged(`a file that ends inside ${name}`);
    // A copy, because a view at an odd offset cannot be a Float32Array.
    const bytes = new Uint8Array(file.subarray(body + begin, body + end));
    tensors.set(name, { shape, values: new Float32Array(bytes.buffer) });
  }
  return tensors;
}
