import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Random, TunebookError } from '../../../src/base/core/index.js';
import { init, load, lora, type Model } from '../../../src/learn/models/index.js';
import { filesIn } from '../../../src/learn/train/checkpoints/folder.js';
import { type Run, resume, sft } from '../../../src/learn/train/index.js';
import { writeTensors } from '../../../src/learn/train/tensors-file.js';
import { footprint } from './backends.js';
import { Bigram, someRows } from './bigram.js';

const rows = someRows(12);
const options = (model: Bigram, dir: string) => ({
  model,
  rows,
  batchSize: 2,
  steps: 8,
  learningRate: 0.1,
  checkpoint: { dir, every: 2 },
});

let folder: string;
let warnings: string[];

beforeEach(async () => {
  await use('cpu');
  folder = mkdtempSync(join(tmpdir(), 'tunebook-faults-'));
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation(text => void warnings.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** The losses of a run without any break. */
async function wholeLosses(): Promise<number[]> {
  const model = new Bigram();
  const { loss } = await sft({ ...options(model, folder), checkpoint: undefined }).finish();
  model.dispose();
  return loss;
}

/** What is in a folder beside the note of the run that is writing there. */
const checkpointsIn = (dir: string) =>
  readdirSync(dir)
    .filter(name => name !== '.running')
    .sort();

/** Checkpoints of the steps 4 and 6 of a run that was killed then. */
async function twoCheckpoints(dir: string): Promise<void> {
  const model = new Bigram();
  const run = sft(options(model, dir));
  for await (const { step } of run) if (step === 6) break;
  run.dispose();
  model.dispose();
  expect(readdirSync(dir).sort()).toEqual(['step-000004', 'step-000006']);
}

function flip(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 1 << bit;
  writeFileSync(file, bytes);
}

describe('a damaged checkpoint', () => {
  const DAMAGES: [string, string, RegExp, (dir: string) => void][] = [
    [
      'weights cut short',
      'model.safetensors',
      /model\/model\.safetensors is not what was written/,
      dir => truncateSync(join(dir, 'model', 'model.safetensors'), 100),
    ],
    [
      'a bit flipped in the optimizer',
      'optimizer',
      /optimizer\.safetensors is not what was written/,
      dir => flip(join(dir, 'optimizer.safetensors'), 400, 3),
    ],
    [
      'half deleted: weights',
      'model.safetensors',
      /model\/model\.safetensors is missing/,
      dir => rmSync(join(dir, 'model'), { recursive: true }),
    ],
    ['half deleted: manifest', 'checkpoint.json', /checkpoint\.json is missing/, dir => rmSync(join(dir, 'checkpoint.json'))],
    [
      'manifest cut short',
      'checkpoint.json',
      /checkpoint\.json cannot be read/,
      dir => truncateSync(join(dir, 'checkpoint.json'), 200),
    ],
    [
      'manifest empty',
      'checkpoint.json',
      /checkpoint\.json cannot be read/,
      dir => writeFileSync(join(dir, 'checkpoint.json'), ''),
    ],
    [
      'one number of the manifest changed',
      'checkpoint.json',
      /checkpoint\.json is not what was written/,
      dir => {
        const file = join(dir, 'checkpoint.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('"taken":', '"taken":1'));
      },
    ],
  ];

  it.each(DAMAGES)('%s: it is named, and the one before is taken', async (_, file, reason, damage) => {
    const dir = join(folder, 'run');
    const whole = await wholeLosses();
    await twoCheckpoints(dir);
    damage(join(dir, 'step-000006'));
    const model = new Bigram();
    const run = await resume(dir, { rows, model });
    expect(run.step).toBe(4);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(reason);
    expect(warnings[0]).toContain(join(dir, 'step-000006'));
    expect(warnings[0]).toContain(`Going on from ${join(dir, 'step-000004')}`);
    expect(warnings[0]).toContain(file);
    expect((await run.finish()).loss).toEqual(whole);
    // The damaged one was replaced by the good one of the same step, and no other was lost for it.
    expect(readdirSync(dir).sort()).toEqual(['step-000006', 'step-000008']);
    expect((await resume(dir, { rows, model })).step).toBe(8);
    model.dispose();
  });

  it('every bit counts: any one of them flipped anywhere is noticed', async () => {
    const dir = join(folder, 'run');
    await twoCheckpoints(dir);
    const good = join(folder, 'good');
    cpSync(dir, good, { recursive: true });
    const random = new Random('bits');
    const files = await filesIn(join(dir, 'step-000006'));
    expect(files).toEqual(['checkpoint.json', 'model/model.safetensors', 'optimizer.safetensors']);
    const model = new Bigram();
    for (let i = 0; i < 30; i++) {
      rmSync(dir, { recursive: true });
      cpSync(good, dir, { recursive: true });
      const file = join(dir, 'step-000006', files[i % 3]!);
      flip(file, random.int(statSync(file).size), random.int(8));
      const text = i % 3 === 0 ? readFileSync(file, 'utf8') : '';
      const run = await resume(dir, { rows, model });
      // Space at the end of the manifest says nothing; everything else does.
      if (run.step !== 4)
        expect(text.trimEnd()).toBe(readFileSync(join(good, 'step-000006', 'checkpoint.json'), 'utf8').trimEnd());
      run.dispose();
    }
    model.dispose();
  });

  it('where all are damaged, the error says how each is', async () => {
    const dir = join(folder, 'run');
    await twoCheckpoints(dir);
    truncateSync(join(dir, 'step-000006', 'optimizer.safetensors'), 8);
    rmSync(join(dir, 'step-000004', 'model'), { recursive: true });
    const model = new Bigram();
    const before = footprint();
    const error = await resume(dir, { rows, model }).catch(e => e);
    expect(error.message).toMatch(/All 2 checkpoints are damaged/);
    expect(error.message).toMatch(/step-000006 is damaged: optimizer\.safetensors is not what was written/);
    expect(error.message).toMatch(/step-000004 is damaged: model\/model\.safetensors is missing/);
    // Asked for by name, a damaged one is not replaced by another.
    await expect(resume(join(dir, 'step-000006'), { rows, model })).rejects.toThrow(/The checkpoint is damaged: optimizer/);
    expect(footprint()).toEqual(before);
    model.dispose();
  });

  it('one of another version is refused, not passed over', async () => {
    const dir = join(folder, 'run');
    await twoCheckpoints(dir);
    writeFileSync(join(dir, 'step-000006', 'checkpoint.json'), JSON.stringify({ format: 2, step: 6 }));
    const model = new Bigram();
    await expect(resume(dir, { rows, model })).rejects.toThrow(/a format this version does not know.*Expected format 3, found 2/);
    model.dispose();
  });
});

describe('going back', () => {
  it('later checkpoints of a run that was given up are set aside, not taken for the newest and not deleted', async () => {
    const dir = join(folder, 'run');
    await twoCheckpoints(dir);
    const model = new Bigram();
    const run = await resume(join(dir, 'step-000004'), { rows, model, checkpoint: { dir, every: 1 } });
    for await (const { step } of run) if (step === 5) break;
    expect(checkpointsIn(dir)).toEqual(['aside-000006', 'step-000004', 'step-000005']);
    expect(warnings).toEqual([expect.stringMatching(/step-000006 .* is later than the checkpoint this run went on from/)]);
    run.dispose();
    model.dispose();
  });

  it('what a killed process left is removed or, where it was to be replaced, brought back', async () => {
    const dir = join(folder, 'run');
    await twoCheckpoints(dir);
    // A process number beyond any: dead.
    const host = (await import('node:os')).hostname().replace(/[^\w.]/g, '_');
    mkdirSync(join(dir, `.writing-${host}-99999999-abcdef01`, 'model'), { recursive: true });
    mkdirSync(join(dir, `.writing-${host}-1-abcdef01`));
    mkdirSync(join(dir, '.writing-elsewhere-5-abcdef01'));
    cpSync(join(dir, 'step-000006'), join(dir, '.was-step-000006'), { recursive: true });
    rmSync(join(dir, 'step-000006'), { recursive: true });
    const model = new Bigram();
    const run = await resume(dir, { rows, model });
    expect(run.step).toBe(6);
    await run.finish();
    // Those of a process that lives, and of another machine, are its own.
    expect(readdirSync(dir).sort()).toEqual(
      [`.writing-${host}-1-abcdef01`, '.writing-elsewhere-5-abcdef01', 'step-000006', 'step-000008'].sort(),
    );
    model.dispose();
  });
});

/** A folder on a file system of so many kilobytes; undefined where this user may not mount one. */
function smallDisk(
  name: string,
  kilobytes: number,
): { dir: string; unmount: () => void; remount: (option: string) => void } | undefined {
  const dir = join(folder, name);
  mkdirSync(dir);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', dir], { stdio: 'pipe' });
  } catch (error) {
    console.warn(`skipped: no file system can be mounted here: ${(error as Error).message.split('\n')[0]}`);
    return undefined;
  }
  return {
    dir,
    unmount: () => execFileSync('umount', ['-l', dir]),
    remount: option => execFileSync('mount', ['-o', `remount,${option}`, dir]),
  };
}

describe('a disk that cannot be written', () => {
  /** A model whose checkpoints take 30 kB. */
  const BIG = 40;

  /** Go to step 6, with the disk filled after step 4 but for what the half of a checkpoint takes. */
  async function fill(run: Run, dir: string): Promise<void> {
    for await (const { step } of run) {
      if (step === 4) {
        const { bavail, bsize } = statfsSync(dir);
        writeFileSync(join(dir, 'ballast'), Buffer.alloc(bavail * bsize - 16_384));
      }
      if (step === 6) break;
    }
  }

  it('full: the run warns and goes on, nothing half-written stays, and the last save is an error that says how to save elsewhere', async ctx => {
    const disk = smallDisk('disk', 640);
    if (!disk) return ctx.skip();
    try {
      const whole = new Bigram(BIG);
      const { loss } = await sft({ ...options(whole, folder), checkpoint: undefined }).finish();
      whole.dispose();
      const dir = join(disk.dir, 'run');
      const model = new Bigram(BIG);
      const run = sft(options(model, dir));
      await fill(run, disk.dir);
      expect(warnings).toEqual([
        expect.stringMatching(
          /The checkpoint of step 6 could not be written: the disk is full \([\d.]+ MB free\).*that of step 4 is untouched.*The run goes on/s,
        ),
      ]);
      expect(checkpointsIn(dir)).toEqual(['step-000002', 'step-000004']);

      const error = await run.finish().catch(e => e);
      expect(error).toBeInstanceOf(TunebookError);
      expect(error.message).toMatch(/step 8 could not be written: the disk is full.*Fix:.*run\.save\('\/another\/disk\/run'\)/s);
      expect([run.step, run.status]).toEqual([8, 'failed']);
      expect(run.history.loss).toEqual(loss);
      expect(readdirSync(dir).sort()).toEqual(['step-000002', 'step-000004']);

      // Elsewhere it can be saved, and then it is done.
      const elsewhere = join(folder, 'elsewhere');
      expect(await run.save(elsewhere)).toBe(join(elsewhere, 'step-000008'));
      await run.resume().finish();
      expect(run.status).toBe('done');
      const other = new Bigram(BIG);
      const resumed = await resume(elsewhere, { rows, model: other });
      expect([resumed.step, other.values()]).toEqual([8, model.values()]);
      expect(resumed.history.loss).toEqual(loss);
      // And the checkpoint on the full disk goes on to the same end.
      rmSync(join(disk.dir, 'ballast'));
      const again = await resume(dir, { rows, model: other });
      expect(again.step).toBe(4);
      expect((await again.finish()).loss).toEqual(loss);
      for (const made of [model, other]) made.dispose();
    } finally {
      disk.unmount();
    }
  });

  it('full, and then not any more: the run goes on where it was and is saved', async ctx => {
    const disk = smallDisk('disk', 640);
    if (!disk) return ctx.skip();
    try {
      const dir = join(disk.dir, 'run');
      const model = new Bigram(BIG);
      const run = sft(options(model, dir));
      await fill(run, disk.dir);
      rmSync(join(disk.dir, 'ballast'));
      await run.finish();
      expect(run.status).toBe('done');
      expect(readdirSync(dir).sort()).toEqual(['step-000004', 'step-000008']);
      model.dispose();
    } finally {
      disk.unmount();
    }
  });

  it('read-only: said as such', async ctx => {
    const disk = smallDisk('disk', 640);
    if (!disk) return ctx.skip();
    try {
      const dir = join(disk.dir, 'run');
      const model = new Bigram();
      const run = sft(options(model, dir));
      for await (const { step } of run) if (step === 2) break;
      disk.remount('ro');
      await expect(run.finish()).rejects.toThrow(/step 8 could not be written: the file system is read-only/);
      expect(warnings).toHaveLength(3);
      expect(checkpointsIn(dir)).toEqual(['step-000002']);
      run.dispose();
      model.dispose();
    } finally {
      disk.unmount();
    }
  });

  it('a place that cannot be a folder: said as such, everywhere', async () => {
    writeFileSync(join(folder, 'file'), '');
    const model = new Bigram();
    const before = footprint();
    const best = { keepBest: { metric: 'mine' }, evaluateEvery: 8, hooks: { onEval: () => ({ mine: 1 }) } };
    const run = sft({ ...options(model, join(folder, 'file', 'run')), ...best });
    await expect(run.finish()).rejects.toThrow(
      /step 8 could not be written: the folder cannot be made: a part of its path is a file.*there is no earlier one/s,
    );
    expect(run.step).toBe(8);
    // Neither the checkpoints on the way nor the best weights are a reason to end.
    expect(warnings.filter(text => text.includes('The best weights, of step 8, could not be written'))).toHaveLength(1);
    run.dispose();
    expect(footprint()).toEqual(before);
    model.dispose();
  });

  it('a failed run that cannot be saved says its own error, and warns of the other', async () => {
    writeFileSync(join(folder, 'file'), '');
    const model = new Bigram();
    const hooks = {
      onStep({ step }: { step: number }) {
        if (step === 3) throw new Error('mine');
      },
    };
    const run = sft({ ...options(model, join(folder, 'file', 'run')), hooks });
    await expect(run.finish()).rejects.toThrow(/onStep failed at step 3: mine/);
    expect(warnings.map(text => /step (\d)/.exec(text)![1])).toEqual(['2', '3']);
    run.dispose();
    model.dispose();
  });
});

describe('large models', () => {
  it('weights in several files are all hashed, and read back', async () => {
    const dir = join(folder, 'run');
    const model = init('nano', { vocabSize: 64, seed: 1 });
    const save = model.save.bind(model);
    model.save = to => save(to, { maxShardSize: '100KB' });
    const run = sft({
      model,
      rows: rows.map(({ ids, labels }) => ({ ids, labels })),
      batchSize: 2,
      steps: 3,
      checkpoint: { dir },
    });
    await run.finish();
    const checkpoint = join(dir, 'step-000003');
    const { checkpoint: manifest } = JSON.parse(readFileSync(join(checkpoint, 'checkpoint.json'), 'utf8'));
    const shards = readdirSync(join(checkpoint, 'model')).filter(name => name.endsWith('.safetensors'));
    expect(shards.length).toBeGreaterThan(2);
    for (const shard of shards) expect(Object.keys(manifest.files)).toContain(`model/${shard}`);
    const values = (of: Model) => of.parameters.map(p => tf.tidy(() => [...p.read().dataSync()]));
    const before = footprint();
    const other = init('nano', { vocabSize: 64, seed: 2 });
    await resume(dir, { rows, model: other });
    expect(values(other)).toEqual(values(model));
    other.dispose();
    const resumed = await resume(dir, { rows });
    expect(values(resumed.model as Model)).toEqual(values(model));
    resumed.dispose();
    (resumed.model as Model).dispose();
    expect(footprint().bytes).toBeLessThanOrEqual(before.bytes + 4 * model.size * 2);
    flip(join(checkpoint, 'model', shards[1]!), 2000, 0);
    await expect(resume(dir, { rows })).rejects.toThrow(new RegExp(`The only checkpoint is damaged.*${shards[1]}`));
    model.dispose();
    await expect(load(join(dir, 'nothing'))).rejects.toThrow();
  });
});

describe('keep', () => {
  it('is the last ones, and the best beside them', async () => {
    const model = new Bigram();
    const losses = [3, 1, 2, 4];
    const hooks = { onEval: () => ({ mine: losses.shift()! }) };
    const run = sft({
      ...options(model, folder),
      checkpoint: { dir: folder, every: 2, keep: 1 },
      evaluateEvery: 2,
      keepBest: { metric: 'mine' },
      hooks,
    });
    const seen: number[][] = [];
    run.onStep(() => void seen.push(model.values()));
    await run.finish();
    expect(readdirSync(folder).sort()).toEqual(['best', 'step-000008']);
    expect(JSON.parse(readFileSync(join(folder, 'best', 'best.json'), 'utf8'))).toMatchObject({ step: 4, mine: 1 });
    await model.read(join(folder, 'best', 'model', 'model.safetensors'));
    expect(model.values()).toEqual(seen[3]);
    // Evaluations are part of what goes on.
    const resumed = await resume(folder, { rows, model, keepBest: undefined });
    expect(resumed.evaluations.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    model.dispose();
  });
});

describe('two runs in one folder', () => {
  it('one that another living process is writing into is refused before the first step; a dead one’s note is not in the way', async () => {
    const note = (content: object) => writeFileSync(join(folder, '.running'), JSON.stringify(content));
    // Init lives as long as the machine; no birth is given, as on systems without /proc.
    note({ host: hostname(), pid: 1, name: 'theirs', since: 'yesterday' });
    const model = new Bigram();
    const before = model.values();
    const run = sft(options(model, folder));
    await expect(run.finish()).rejects.toThrow(
      /Another process.*process 1, the run "theirs", since yesterday.*folder of its own/s,
    );
    expect([model.values(), readdirSync(folder)]).toEqual([before, ['.running']]);
    run.dispose();
    for (const gone of [{ host: hostname(), pid: 1, birth: 'another' }, { host: 'elsewhere', pid: 1 }, { pid: 'x' }, {}]) {
      note({ ...gone, name: 'theirs', since: 'yesterday' });
      const next = sft(options(model, folder));
      let seen = '';
      next.onStep(() => {
        seen = readFileSync(join(folder, '.running'), 'utf8');
      });
      await next.finish();
      expect(JSON.parse(seen)).toMatchObject({ pid: process.pid, name: 'sft' });
      expect(readdirSync(folder).sort()).not.toContain('.running');
    }
    model.dispose();
  });
});

describe('a model of another shape', () => {
  it('is refused, and untouched: fewer layers, an adapter on it', async () => {
    const tiny = (numHiddenLayers: number) =>
      init({ vocabSize: 12, hiddenSize: 8, intermediateSize: 8, numHiddenLayers, numAttentionHeads: 2 }, { seed: 1 });
    const model = tiny(2);
    await sft({ model, rows, steps: 1, checkpoint: { dir: folder } }).finish();
    model.dispose();
    const smaller = tiny(1);
    await expect(resume(folder, { rows, model: smaller })).rejects.toThrow(/other weights.*layers\.1\./s);
    const adapted = tiny(2);
    adapted.attach(lora({ rank: 2 }));
    await expect(resume(folder, { rows, model: adapted })).rejects.toThrow(/has an adapter.*model\.detach\("default"\)/s);
    const whole = tiny(2);
    await expect(resume(folder, { rows, model: whole, steps: 0 })).rejects.toThrow(/gone further.*at least 1/s);
    await expect(resume(undefined as never, { rows })).rejects.toThrow(/names no folder/);
    for (const one of [smaller, adapted, whole]) one.dispose();
  });
});

describe('a tensors file', () => {
  const write = (values: number[]) =>
    writeTensors(join(folder, 't'), [{ name: 'a', shape: [values.length], size: values.length }], () =>
      Float32Array.from(values),
    );
  const open = async () => {
    const { TensorsFile } = await import('../../../src/learn/train/tensors-file.js');
    return new TensorsFile(join(folder, 't'));
  };

  it('reads one tensor at a time', async () => {
    await write([1, 2, 3]);
    const file = await open();
    expect(file.names).toEqual(['a']);
    expect([...file.read('a')!.values]).toEqual([1, 2, 3]);
    expect(file.read('b')).toBeUndefined();
  });

  it('reads files larger than a process may read at once', async () => {
    const big = 3 * 2 ** 30;
    const header = {
      big: { dtype: 'F32', shape: [big / 4], data_offsets: [0, big] },
      small: { dtype: 'F32', shape: [2], data_offsets: [big, big + 8] },
    };
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(join(folder, 't'), Buffer.concat([length, text]));
    // With a hole where the large tensor would be.
    const file = openSync(join(folder, 't'), 'r+');
    writeSync(file, new Uint8Array(Float32Array.of(5, 6).buffer), 0, 8, 8 + text.length + big);
    closeSync(file);
    expect([...(await open()).read('small')!.values]).toEqual([5, 6]);
  });

  it.each([
    ['a header that is longer than the file', (b: Buffer) => b.writeBigUInt64LE(2n ** 60n)],
    ['places beyond its end', (b: Buffer) => b.write('99]', b.indexOf('12]'))],
    ['another type', (b: Buffer) => b.write('F16', b.indexOf('F32'))],
    ['no JSON', (b: Buffer) => b.write('}', 8)],
  ])('refuses %s', async (_, spoil) => {
    await write([1, 2, 3]);
    const bytes = readFileSync(join(folder, 't'));
    spoil(bytes);
    writeFileSync(join(folder, 't'), bytes);
    await expect(open()).rejects.toThrow(/not a usable safetensors file/);
  });
});
