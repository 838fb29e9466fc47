import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { InstallSteps } from '../../../../src/base/backend/install/install.js';
import type { Recipe } from '../../../../src/base/backend/install/recipe.js';

/** A folder that goes away with the test. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tunebook-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A zip with these files; `crc` and `store` spoil or vary it. */
export function zip(files: Record<string, string>, options: { crc?: number; store?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const data = Buffer.from(text);
    const packed = options.store ? data : deflateRawSync(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(options.store ? 0 : 8, 4);
    fields.writeUInt32LE(options.crc ?? crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, Buffer.from(name)]));
    parts.push(local);
    offset += local.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

export const WHEEL: Record<string, string> = {
  'tensorflow/lib_a.so': 'first library '.repeat(1000),
  'tensorflow/lib_b.so': 'second library '.repeat(1000),
  'tensorflow/include/tensorflow/c/api.h': '#pragma once',
  'tensorflow/python/big.py': 'not wanted',
};

/** A recipe like the real one, for a wheel of a few kilobytes. */
export function fakeRecipe(root: string, wheel: Buffer): Recipe {
  return {
    kind: 'native',
    wheel: {
      package: 'tensorflow-fake',
      version: '9.9.9',
      python: '3.11',
      abi: 'cp311',
      platforms: ['any'],
      sha256: createHash('sha256').update(wheel).digest('hex'),
      bytes: wheel.length,
    },
    tfjsPackage: '@tensorflow/tfjs-node',
    tfjsVersion: '4.22.0',
    libraries: ['tensorflow/lib_a.so', 'tensorflow/lib_b.so'],
    headers: 'tensorflow/include/',
    headerFolders: ['tensorflow/c/'],
    extras: [],
    folder: join(root, 'native-9.9.9'),
  };
}

/** Steps that compile and load nothing, and count what was asked of them. */
export function fakeSteps(): InstallSteps & { fetched: number; wheel?: Buffer } {
  const steps = {
    fetched: 0,
    ready: async () => {},
    fetch: async (pin: { sha256: string }, shelf: string) => {
      const path = join(shelf, `${pin.sha256}.whl`);
      if (!(await stat(path).catch(() => undefined))) {
        steps.fetched++;
        await new Promise(resolve => setTimeout(resolve, 50));
        await writeFile(path, steps.wheel ?? zip(WHEEL));
      }
      return { path, ours: true };
    },
    compile: async (recipe: Recipe, folder: string) => {
      await stat(join(folder, recipe.headers, 'tensorflow/c/api.h'));
      await writeFile(join(folder, 'tfjs_binding.node'), 'binding');
    },
    check: async () => ({ ok: true, version: '9.9.9', gpu: false }),
    wheel: undefined as Buffer | undefined,
  };
  return steps;
}

/** A stand-in for Python with pip: a shell script that answers the version question and runs `download` for `pip download`, with $DEST set. */
export async function fakePython(folder: string, download: string): Promise<string> {
  const path = join(folder, 'python');
  const script = `#!/bin/sh
if [ "$1" = "-c" ]; then echo "3.11.0 23.0"; exit 0; fi
while [ $# -gt 0 ]; do [ "$1" = "--dest" ] && DEST="$2"; shift; done
${download}
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}
