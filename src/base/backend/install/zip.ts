import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { Unavailable } from '../../core/index.js';

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/**
 * Extract from a zip (a wheel is one) the entries that `wanted` says, streaming, and return their names. Checks sizes and
 * CRCs, and refuses names that would land outside `folder`. Zip64 is not needed below 4 GiB and refused.
 */
export async function extract(
  archive: string,
  folder: string,
  wanted: (name: string) => boolean,
  onBytes?: (done: number, total: number) => void,
): Promise<string[]> {
  const file = await open(archive, 'r');
  try {
    const entries = (await readDirectory(file, archive)).filter(entry => !entry.name.endsWith('/') && wanted(entry.name));
    const total = entries.reduce((sum, entry) => sum + entry.size, 0);
    let done = 0;
    for (const entry of entries) {
      const target = inside(folder, entry.name, archive);
      await mkdir(dirname(target), { recursive: true });
      await extractOne(file, archive, entry, target, bytes => {
        done += bytes;
        onBytes?.(done, total);
      });
    }
    return entries.map(entry => entry.name);
  } finally {
    await file.close();
  }
}

function inside(folder: string, name: string, archive: string): string {
  const target = resolve(folder, name);
  if (!name.includes('\\') && !name.includes('\0') && target.startsWith(resolve(folder) + sep)) return target;
  throw broken(archive, `it holds a file that would be written outside its folder (${JSON.stringify(name)})`);
}

async function extractOne(
  file: FileHandle,
  archive: string,
  entry: Entry,
  target: string,
  onBytes: (n: number) => void,
): Promise<void> {
  const header = await readAt(file, archive, entry.offset, 30);
  if (header.readUInt32LE(0) !== LOCAL) throw broken(archive, `the entry ${entry.name} is not where the directory says`);
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  let crc = 0;
  let size = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      onBytes(chunk.length);
      callback(null, chunk);
    },
  });
  const source = createReadStream(archive, { start, end: Math.max(start, start + entry.packed - 1), highWaterMark: 1 << 20 });
  const sink = createWriteStream(target);
  try {
    if (entry.packed === 0) sink.end();
    else if (entry.method === 8) await pipeline(source, createInflateRaw({ chunkSize: 1 << 20 }), check, sink);
    else await pipeline(source, check, sink);
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw broken(archive, `${entry.name} does not unpack`);
    throw error;
  }
  if (size !== entry.size || crc !== entry.crc) throw broken(archive, `${entry.name} does not have the size and CRC it should`);
}

async function readDirectory(file: FileHandle, archive: string): Promise<Entry[]> {
  const { size } = await file.stat();
  const tail = await readAt(file, archive, Math.max(0, size - 65_557), Math.min(size, 65_557));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw broken(archive, 'it has no zip directory (truncated?)');
  const count = tail.readUInt16LE(at + 10);
  const length = tail.readUInt32LE(at + 12);
  const offset = tail.readUInt32LE(at + 16);
  if (offset === 0xffffffff || count === 0xffff) throw broken(archive, 'it is a Zip64 archive');
  const directory = await readAt(file, archive, offset, length);
  const entries: Entry[] = [];
  for (let p = 0; p + 46 <= directory.length && entries.length < count; ) {
    if (directory.readUInt32LE(p) !== CENTRAL) break;
    const nameLength = directory.readUInt16LE(p + 28);
    entries.push({
      name: directory.toString('utf8', p + 46, p + 46 + nameLength),
      method: directory.readUInt16LE(p + 10),
      crc: directory.readUInt32LE(p + 16),
      packed: directory.readUInt32LE(p + 20),
      size: directory.readUInt32LE(p + 24),
      offset: directory.readUInt32LE(p + 42),
    });
    p += 46 + nameLength + directory.readUInt16LE(p + 30) + directory.readUInt16LE(p + 32);
  }
  if (entries.length !== count) throw broken(archive, `its directory lists ${count} files and shows ${entries.length}`);
  const odd = entries.find(({ method }) => method !== 0 && method !== 8);
  if (odd) throw broken(archive, `${odd.name} is packed by a method (${odd.method}) that wheels do not use`);
  return entries;
}

async function readAt(file: FileHandle, archive: string, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw broken(archive, 'it ends too early (truncated?)');
    done += bytesRead;
  }
  return buffer;
}

function broken(archive: string, found: string): Unavailable {
  return new Unavailable({
    problem: 'the wheel is damaged',
    where: { file: archive },
    found,
    fix: 'delete the file and install again',
  });
}
