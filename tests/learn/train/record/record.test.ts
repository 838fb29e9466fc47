import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { viewOf } from '../../../../src/base/core/index.js';
import { init, load, type Model } from '../../../../src/learn/models/index.js';
import * as train from '../../../../src/learn/train/index.js';
import { gitState, lives, session } from '../../../../src/learn/train/record/facts.js';
import { hashModelFiles, hashTemplate } from '../../../../src/learn/train/record/hashes.js';
import { fromPlain, toPlain } from '../../../../src/learn/train/record/held.js';
import { readRows } from '../../../../src/prepare/data/index.js';
import { fromJinja, get } from '../../../../src/prepare/templates/index.js';
import { trainBPE } from '../../../../src/prepare/tokens/index.js';
import { footprint } from '../backends.js';
import { Bigram, someRows } from '../bigram.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-record-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => use('cpu'));
const models: { dispose(): void }[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const model of models.splice(0)) model.dispose();
});
const kept = <T extends { dispose(): void }>(model: T): T => {
  models.push(model);
  return model;
};
const bigram = () => kept(new Bigram());
let count = 0;
const fresh = () => join(folder, `runs${count++}`);

const settings = { batchSize: 2, learningRate: 0.1, seed: 5 };

describe('a record', () => {
  it('holds configuration, seeds, hashes, versions, git, hardware, curves and answers', async () => {
    const record = fresh();
    const rows = someRows(8);
    const model = bigram();
    const before = footprint();
    const run = train.sft({
      ...settings,
      model,
      rows,
      steps: 4,
      name: 'my run',
      optimizer: train.adamw({ betas: [0.9, 0.95] }),
      freeze: /bias/,
      evaluate: { rows: { a: someRows(2), b: someRows(3) }, every: 2 },
      checkpoint: { dir: join(folder, 'checkpoints'), every: 2 },
      record: { dir: record, notes: 'the first' },
    });
    await run.finish();
    expect(footprint()).toEqual(before);
    // The end of a run does not wait long for git, which writes down what it finds when it has.
    await expect.poll(() => train.readRecords(record)[0]!.record.sessions[0]!.git).toBeDefined();
    const [found, ...more] = train.readRecords(record);
    expect(more).toEqual([]);
    expect(found!.id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-my-run-[0-9a-f]{6}$/);
    expect(found!.state).toBe('finished');
    expect(found!.step).toBe(4);
    expect(found!.history).toEqual(run.history);
    expect(found!.evaluations).toEqual(run.evaluations);
    expect(found!.last!.loss).toBe(run.history.loss.at(-1));
    const { config, options, seeds, hashes, sessions, checkpoints, notes, model: said } = found!.record;
    expect(config).toMatchObject({
      ...settings,
      rows: 8,
      clip: 1,
      shuffle: true,
      optimizer: { name: 'adamw', beta2: 0.95, eps: 1e-8 },
      freeze: ['table.bias'],
    });
    expect(options).toMatchObject({ freeze: { $regexp: 'bias' }, model: { $given: 'model' }, rows: { count: 8 } });
    expect(seeds).toEqual({ seed: 5 });
    expect(notes).toBe('the first');
    expect(said).toEqual({ size: 156, trainable: 144 });
    const sha = /^[0-9a-f]{64}$/;
    for (const hash of [hashes.rows, hashes.encoded, hashes.heldOut!.a, hashes.heldOut!.b, hashes.base!.sha256])
      expect(hash).toMatch(sha);
    expect(hashes.base).toMatchObject({ weights: 2 });
    expect(hashes.base!.sampled).toBeUndefined();
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({
      step: 0,
      pid: process.pid,
      versions: { tunebook: expect.stringMatching(/^\d/), node: process.versions.node, backend: 'cpu' },
      hardware: { cores: expect.any(Number), memory: expect.any(Number), cpu: expect.any(String) },
      git: { commit: expect.stringMatching(/^[0-9a-f]{40}$/), dirty: expect.any(Number) },
    });
    expect(checkpoints.map(({ step }) => step)).toEqual([2, 4]);
    expect(viewOf(found)).toMatchObject({ kind: 'run', data: { name: 'my run', total: 4 } });
  });

  it('is told why a run ended', async () => {
    const record = fresh();
    const controller = new AbortController();
    const ways: Record<string, Partial<train.SftOptions>> = {
      stopped: { hooks: { onStep: ({ step }, { run }) => (step === 2 ? run.stop('enough') : undefined) } },
      interrupted: { signal: controller.signal, hooks: { onStep: ({ step }) => (step === 2 ? controller.abort() : undefined) } },
      failed: { hooks: { onStep: () => Promise.reject(new Error('a hook of mine')) } },
    };
    for (const [name, options] of Object.entries(ways)) {
      const run = train.sft({ ...settings, model: bigram(), rows: someRows(8), steps: 4, record, name, ...options });
      await run.finish().catch(() => undefined);
    }
    const found = Object.fromEntries(train.readRecords(record).map(run => [run.name, run]));
    for (const name of Object.keys(ways)) expect(found[name]!.state).toBe(name);
    expect(found.stopped!.record).toMatchObject({ reason: 'enough' });
    expect(found.stopped!.step).toBe(2);
    expect(found.failed!.record.error).toMatchObject({ message: expect.stringContaining('a hook of mine') });
  });

  it('goes on when the run is stopped and resumed', async () => {
    const record = fresh();
    const run = train.sft({ ...settings, model: bigram(), rows: someRows(8), steps: 4, record });
    for await (const { step } of run) if (step === 2) run.stop();
    expect(train.readRecords(record)[0]!.state).toBe('stopped');
    await run.resume().finish();
    const [found, ...more] = train.readRecords(record);
    expect(more).toEqual([]);
    expect(found!.state).toBe('finished');
    expect(found!.record.reason).toBeUndefined();
    expect(found!.history.step).toEqual([1, 2, 3, 4]);
    expect(found!.record.sessions).toHaveLength(1);
  });

  it('goes on after train.resume; what was recorded beyond the checkpoint has not happened', async () => {
    const record = fresh();
    const rows = someRows(8);
    const checkpoint = { dir: join(record, 'checkpoints'), every: 2 };
    const first = train.sft({ ...settings, model: bigram(), rows, steps: 6, record, checkpoint });
    // Left at step 3 without an end, as a killed process leaves it; half a line is its last.
    for await (const { step } of first) if (step === 3) break;
    const { folder: there, id } = train.readRecords(record)[0]!;
    expect(train.readRecords(record)[0]!.state).toBe('running');
    appendFileSync(join(there, 'history.jsonl'), '{"step":4,"lo');
    const resumed = await train.resume(checkpoint.dir, { model: bigram(), rows });
    await resumed.finish();
    const [found, ...more] = train.readRecords(record);
    expect(more).toEqual([]);
    expect(found!.id).toBe(id);
    expect(found!.history.step).toEqual([1, 2, 3, 4, 5, 6]);
    expect(found!.history.loss).toEqual(resumed.history.loss);
    expect(found!.record.sessions.map(({ step }) => step)).toEqual([0, 2]);
  });

  it('of a process that was killed says so', async () => {
    const record = fresh();
    const run = train.sft({ ...settings, model: bigram(), rows: someRows(8), steps: 4, record });
    for await (const _ of run) break;
    const [there] = train.readRecords(record);
    expect(there!.state).toBe('running');
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise(resolve => child.once('exit', resolve));
    const file = join(there!.folder, 'run.json');
    const changed = JSON.parse(readFileSync(file, 'utf8')) as train.RunRecord;
    changed.sessions[0]!.pid = child.pid!;
    writeFileSync(file, JSON.stringify(changed));
    expect(train.readRecord(file).state).toBe('interrupted');
    // Another process with the number of a dead one is not it, and of another machine nothing is known.
    expect(lives({ ...session(0), birth: '1' })).toBe(process.platform !== 'linux');
    expect(lives({ ...session(0), host: 'elsewhere' })).toBeUndefined();
  });

  it.runIf(process.platform === 'linux')(
    'of a process that ended and that nobody waited for is not that of a living one',
    async () => {
      // The shell becomes a program that does not ask for its children.
      const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
      try {
        const pid = Number(await new Promise(resolve => parent.stdout.once('data', resolve)));
        await expect.poll(() => lives({ host: hostname(), pid })).toBe(false);
        // It is still listed.
        expect(() => process.kill(pid, 0)).not.toThrow();
      } finally {
        parent.kill('SIGKILL');
      }
    },
  );

  it('never ends a run: a disk that takes nothing is named once', async () => {
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation(text => said.push(String(text)) > 0);
    writeFileSync(join(folder, 'no-folder'), '');
    const run = train.sft({ ...settings, model: bigram(), rows: someRows(8), steps: 4, record: join(folder, 'no-folder') });
    await run.finish();
    expect(run.history.step).toHaveLength(4);
    expect(said.filter(text => text.includes('cannot be written'))).toHaveLength(1);
  });

  it('is kept where TUNEBOOK_RECORD says, nowhere when that is off or record is false', async () => {
    const dir = fresh();
    const options = { ...settings, rows: someRows(4), steps: 1 };
    vi.stubEnv('TUNEBOOK_RECORD', dir);
    await train.sft({ ...options, model: bigram(), record: false }).finish();
    expect(existsSync(dir)).toBe(false);
    await train.sft({ ...options, model: bigram() }).finish();
    expect(readdirSync(dir)).toHaveLength(1);
    vi.stubEnv('TUNEBOOK_RECORD', 'off');
    await train.sft({ ...options, model: bigram() }).finish();
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it('refuses a folder that another run has, and a name that leads elsewhere', async () => {
    const record = { dir: fresh(), folder: 'mine' };
    const options = { ...settings, model: bigram(), rows: someRows(4), steps: 1 };
    await train.sft({ ...options, record }).finish();
    expect(() => train.sft({ ...options, record })).toThrow(/Another run is recorded/);
    for (const wrong of ['../x', 'a/b', '..', '']) expect(() => train.sft({ ...options, record: { folder: wrong } })).toThrow();
  });

  it('is refused with its place when it cannot be read', () => {
    const dir = fresh();
    expect(() => train.readRecord(join(dir, 'nothing'))).toThrow(/No run is recorded/);
    expect(() => train.readRecords(dir)).toThrow(/no such folder/);
    for (const text of ['{"format":', '{"format":9}', 'null', '{"format":1}']) {
      mkdirSync(join(dir, 'a'), { recursive: true });
      writeFileSync(join(dir, 'a/run.json'), text);
      expect(() => train.readRecord(join(dir, 'a'))).toThrow(/a.run\.json/);
      expect(train.readRecords(dir)).toEqual([]);
    }
  });

  it('of which a part is missing, or of another program, stops no list; lines of a history that are none are left out', async () => {
    const dir = fresh();
    await train.sft({ ...settings, model: bigram(), rows: someRows(4), steps: 1, record: dir }).finish();
    const [whole] = train.readRecords(dir);
    const path = join(dir, 'broken/run.json');
    mkdirSync(join(dir, 'broken'));
    for (const key of ['options', 'config', 'model', 'hashes', 'seeds', 'sessions', 'checkpoints', 'started', 'name'] as const)
      for (const value of [undefined, null, 5]) {
        writeFileSync(path, JSON.stringify({ ...whole!.record, [key]: value }));
        expect(
          train.readRecords(dir).map(({ id }) => id),
          key,
        ).toEqual([whole!.id]);
        expect(() => train.readRecord(path), key).toThrow(/Fix:/);
      }
    writeFileSync(path, JSON.stringify(whole!.record));
    writeFileSync(join(dir, 'broken/history.jsonl'), 'null\n[]\n{"step":"x"}\n{"step":1,"loss":2}\n{"step":1e400}\n{"ste');
    const run = train.readRecord(path);
    expect([run.step, run.history.step, run.history.loss]).toEqual([1, [1], [2]]);
    expect(() => train.readRecord(5 as never)).toThrow(/names no record/);
  });
});

describe('settings read back', () => {
  const rows = someRows(8);
  const hooks = { onStep: () => undefined };
  const full = () => ({
    ...settings,
    model: bigram(),
    rows,
    steps: 3,
    optimizer: train.adamw({ decay: 'matrices', groups: [{ match: /bias/, rate: 2 }] }),
    schedule: (step: number, total: number) => 1 - step / total,
    freeze: ['table.bias'],
    evaluate: { rows: someRows(3), every: 3 },
    hooks,
  });

  it('are what the run had; what a record cannot hold is named, given again and checked', async () => {
    const record = fresh();
    const run = train.sft({ ...full(), record });
    await run.finish();
    const [{ folder: dir } = { folder: '' }] = train.readRecords(record);
    const { options, given } = train.fromRecord(dir);
    expect(options).toMatchObject({ ...settings, steps: 3, freeze: ['table.bias'] });
    expect((options.optimizer as train.Optimizer).settings).toEqual(full().optimizer.settings);
    expect(given.map(({ key }) => key).sort()).toEqual(['evaluate.rows', 'hooks', 'model', 'rows', 'schedule']);
    expect(given.find(({ key }) => key === 'rows')).toMatchObject({
      what: '8 rows',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });

    const model = bigram();
    expect(() => train.sft({ from: dir, model, rows } as train.SftOptions)).toThrow(/schedule.*hooks|hooks.*schedule/);
    const { schedule, evaluate } = full();
    const again = train.sft({ from: join(dir, 'run.json'), model, rows, schedule, evaluate, hooks, record });
    await again.finish();
    expect(again.history.loss).toEqual(run.history.loss);
    expect(train.readRecords(record).at(-1)!.record.from).toBe(join(dir, 'run.json'));

    const wrong: Partial<train.SftOptions>[] = [
      { rows: someRows(8, 12, 4) },
      { schedule: train.cosine({ floor: 0.2 }) },
      { hooks: { onStep: () => void 1 } },
      { evaluate: { rows: someRows(2) } },
    ];
    for (const other of wrong)
      expect(() => train.sft({ from: dir, model, rows, schedule, evaluate, hooks, record, ...other })).toThrow(
        new RegExp(Object.keys(other)[0]!),
      );
    // What it does hold may be replaced.
    expect(train.sft({ from: dir, model, rows, schedule, evaluate, hooks, record, epochs: 1 }).total).toBe(4);
  });

  it('hold the schedules there are', async () => {
    const record = fresh();
    const schedules = [
      train.constant({ warmup: 1 }),
      train.linear({ floor: 0.1 }),
      train.cosine({ warmup: 0.3 }),
      train.polynomial({ power: 2 }),
      train.inverseSqrt({ timescale: 3 }),
      train.wsd({ decay: 2, shape: '1-sqrt' }),
    ];
    for (const [i, schedule] of schedules.entries()) {
      const run = train.sft({ ...settings, model: bigram(), rows, steps: 4, schedule, record: { dir: record, folder: `s${i}` } });
      await run.finish();
      const again = train.sft({ from: join(record, `s${i}`), model: bigram(), rows, record });
      expect((await again.finish()).learningRate).toEqual(run.history.learningRate);
    }
  });

  it('JSON holds what it can', () => {
    const value = { a: [1, Number.NaN, -Infinity], b: /x/gi, c: new Map(), d: () => 1, e: undefined, f: { g: null } };
    const plain = JSON.parse(JSON.stringify(toPlain(value)));
    const missing: string[] = [];
    expect(fromPlain(plain, path => void missing.push(path))).toEqual({
      a: [1, Number.NaN, -Infinity],
      b: /x/gi,
      f: { g: null },
    });
    expect(missing).toEqual(['c', 'd']);
    const round: Record<string, unknown> = {};
    round.again = round;
    expect(() => JSON.stringify(toPlain(round))).not.toThrow();
  });
});

describe('rerun', () => {
  const data = join(folder, 'data.jsonl');
  const alpaca = Array.from({ length: 8 }, (_, i) => ({ instruction: `Add ${i} and 1`, output: `${i + 1}` }));
  writeFileSync(data, alpaca.map(row => JSON.stringify(row)).join('\n'));
  const tokenizer = trainBPE(
    alpaca.map(({ instruction, output }) => `${instruction} ${output}`),
    {
      vocabSize: 300,
      specialTokens: ['<|im_start|>', '<|im_end|>', '<|endoftext|>'],
    },
  );
  const dir = join(folder, 'model');
  const tiny = (seed: number) => {
    const { vocabSize } = tokenizer;
    return init({ vocabSize, hiddenSize: 16, intermediateSize: 16, numHiddenLayers: 1, numAttentionHeads: 2 }, { seed });
  };

  async function recorded(record: string, options: Partial<train.SftOptions> = {}): Promise<train.Run> {
    if (!existsSync(dir)) {
      const made = tiny(1);
      await made.save(dir);
      made.dispose();
    }
    const run = train.sft({
      model: kept(await load(dir)),
      rows: await readRows(data),
      tokenizer,
      template: fromJinja('{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}', {
        name: 'own',
      }),
      evaluate: { rows: await readRows(data), samples: 1, maxNewTokens: 4 },
      batchSize: 4,
      steps: 2,
      learningRate: 1e-3,
      checkpoint: { dir: join(record, 'checkpoints') },
      record,
      ...options,
    });
    await run.finish();
    return run;
  }

  it('needs nothing where model, rows and template are on disk, and gives the same losses', async () => {
    const record = fresh();
    const first = await recorded(record);
    // Hashed beside the run, whose end does not wait long for it.
    await expect.poll(() => train.readRecords(record)[0]!.record.hashes.files).toBeDefined();
    const [there] = train.readRecords(record);
    expect(there!.record.model.directory).toBe(dir);
    expect(there!.record.hashes.files).toEqual(await hashModelFiles(dir));
    expect(Object.keys(there!.record.hashes.files!)).toEqual(['config.json', 'model.safetensors']);
    expect(there!.samples).toEqual(first.samples);
    const again = await train.rerun(there!.folder, { record });
    kept(again.model as Model);
    await again.finish();
    expect(again.history.loss).toEqual(first.history.loss);
    expect(again.evaluations).toEqual(first.evaluations);
    expect(train.readRecords(record)).toHaveLength(2);
  });

  it('lists all that is missing or changed, and loads nothing then', async () => {
    const record = fresh();
    await recorded(record, { rows: (await readRows(data)).slice(0, 6), hooks: { onStep: () => undefined } });
    const [there] = train.readRecords(record);
    const before = footprint();
    await expect(train.rerun(there!.folder)).rejects.toThrow(/rows: 6 rows of .*a part of it.*hooks: hooks onStep/s);
    expect(footprint()).toEqual(before);
  });

  it('notices weights that are not those it started from', async () => {
    const record = fresh();
    await recorded(record);
    const [there] = train.readRecords(record);
    await expect(train.rerun(there!.folder, { model: kept(tiny(2)) })).rejects.toThrow(/not those the run started from/);
  });
});

describe('facts', () => {
  it('tell git’s commit, branch and changes; without a repository nothing', async () => {
    const repository = join(folder, 'repository');
    mkdirSync(repository);
    const git = (...args: string[]) => execFileSync('git', ['-C', repository, ...args], { stdio: 'pipe' });
    expect(await gitState(repository)).toBeUndefined();
    git('init', '-q', '-b', 'trunk');
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'first');
    expect(await gitState(repository)).toEqual({ commit: expect.stringMatching(/^[0-9a-f]{40}$/), branch: 'trunk', dirty: 0 });
    writeFileSync(join(repository, 'new.txt'), '');
    expect(await gitState(repository)).toMatchObject({ dirty: 1, changes: ['?? new.txt'] });
  });

  it('tell templates apart by what they make of conversations', () => {
    expect(hashTemplate(get('chatml'))).toBe(hashTemplate(get('chatml')));
    const all = ['chatml', 'alpaca', 'llama-3', 'plain'].map(name => hashTemplate(get(name)));
    expect(new Set(all).size).toBe(all.length);
  });
});
