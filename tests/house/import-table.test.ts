import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { afterAll, describe, expect, it } from 'vitest';
import house, { mayImport, ROOMS } from '../../.dependency-cruiser.mjs';

const ROOT = join(import.meta.dirname, '../..');

/** Violations of the table in the `src` below `baseDir`, as `rule: from → to`. */
async function violations(baseDir: string): Promise<string[]> {
  const { forbidden, options } = house;
  const { enhancedResolveOptions, tsConfig, ...rest } = options;
  const { output } = await cruise(
    ['src'],
    { ...rest, baseDir, validate: true, ruleSet: { forbidden } } as never,
    enhancedResolveOptions as never,
    { tsConfig: extractTSConfig(join(ROOT, tsConfig.fileName)) },
  );
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

describe('the import table', () => {
  it('holds in src', async () => {
    expect(await violations(ROOT)).toEqual([]);
  });

  it('lets no floor import from above', () => {
    const floors = ['base', 'prepare', 'learn', 'study'];
    const height = (room: string) => floors.indexOf(room.split('/')[0]!);
    for (const room of Object.keys(ROOMS).filter(name => height(name) >= 0)) {
      for (const other of mayImport(room as keyof typeof ROOMS))
        expect(height(other), `${room} → ${other}`).toBeLessThanOrEqual(height(room));
    }
    expect(mayImport('show')).toEqual(['base/core', 'base/text']);
    expect(mayImport('kernel')).toEqual(['base/core']);
    expect(mayImport('learn/train')).not.toContain('study/evaluate');
    expect(mayImport('learn/train')).not.toContain('show');
  });
});

// A house in which every wall has one hole: a rule that would let it stand proves nothing.
const HOLES: Record<string, { files: Record<string, string>; rule: RegExp }> = {
  'a floor above': {
    files: { 'base/core/index.ts': "import '../../learn/models/index.js';", 'learn/models/index.ts': 'export {};' },
    rule: /^room base\/core: src\/base\/core\/index\.ts → src\/learn\/models\/index\.ts$/,
  },
  'a neighbour that the table does not name': {
    files: { 'learn/models/index.ts': "import '../train/index.js';", 'learn/train/index.ts': 'export {};' },
    rule: /^room learn\/models:/,
  },
  'a figure that knows a model': {
    files: {
      'show/index.ts': "import type { Model } from '../learn/models/index.js';\nexport type M = Model;",
      'learn/models/index.ts': 'export interface Model {}',
    },
    rule: /^room show:/,
  },
  'a file behind the door': {
    files: { 'study/evaluate/index.ts': "import '../../learn/models/inside.js';", 'learn/models/inside.ts': 'export {};' },
    rule: /^through the door:/,
  },
  'a file outside every room': {
    files: { 'utils/index.ts': "import '../base/core/index.js';", 'base/core/index.ts': 'export {};' },
    rule: /^every file in a room:/,
  },
  'a circle': {
    files: {
      'base/core/index.ts': "import { b } from './b.js';\nexport const a = () => b;",
      'base/core/b.ts': "import { a } from './index.js';\nexport const b = () => a;",
    },
    rule: /^no way round:/,
  },
  'a backend outside base/backend': {
    files: { 'learn/train/index.ts': "import '@tensorflow/tfjs-backend-wasm';" },
    rule: /^backends in one room:/,
  },
  'a backend loaded when called': {
    files: { 'learn/train/index.ts': "export const load = () => import('@tensorflow/tfjs-node');" },
    rule: /^backends in one room:/,
  },
  'tensors in prepare': {
    files: { 'prepare/tokens/index.ts': "import * as tf from '@tensorflow/tfjs-core';\nexport const t = tf.scalar;" },
    rule: /^no tensors here:/,
  },
  'a node module at the top of prepare': {
    files: { 'prepare/data/index.ts': "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;" },
    rule: /^prepare runs in a page:/,
  },
  'an import that leads nowhere': {
    files: { 'base/core/index.ts': "import './gone.js';" },
    rule: /^nothing unknown:/,
  },
  'a package that only developers have': {
    files: { 'base/core/index.ts': "import { chromium } from 'playwright-core';\nexport const c = chromium;" },
    rule: /^no developer tools:/,
  },
};

describe('a house with a hole', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-house-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(Object.entries(HOLES))('%s', async (name, { files, rule }) => {
    const base = join(folder, name.replace(/\W+/g, '-'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(base, 'src', path)), { recursive: true });
      writeFileSync(join(base, 'src', path), text);
    }
    writeFileSync(join(base, 'package.json'), readFileSync(join(ROOT, 'package.json')));
    symlinkSync(join(ROOT, 'node_modules'), join(base, 'node_modules'));
    const found = await violations(base);
    expect(
      found.some(line => rule.test(line)),
      found.join('\n'),
    ).toBe(true);
  });

  it('a dynamic import of node: in prepare is no hole', async () => {
    const base = join(folder, 'whole');
    mkdirSync(join(base, 'src/prepare/data'), { recursive: true });
    writeFileSync(join(base, 'src/prepare/data/index.ts'), "export const read = () => import('node:fs/promises');");
    writeFileSync(join(base, 'package.json'), '{}');
    expect(await violations(base)).toEqual([]);
  });
});
