import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import type { Model } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { encodeRows, pack, trainBPE } from '../../../src/prepare/tokens/index.js';
import { heapMB } from '../../helpers/heap.js';
import { difference, tinyLlama, unevenRows, weightsOf } from '../../invariants/tiny.js';
import { footprint, workingBackends } from './backends.js';

const ROWS = unevenRows(50);
const adamw = () => train.adamw({ learningRate: 0.01 });
type Options = Partial<train.SftOptions> & Pick<train.SftOptions, 'rows'>;
const settings = { batchSize: 4, seed: 3, schedule: 'cosine', warmup: 2 } as const;
const streamed = { rows: () => unevenRows(50), shuffleBuffer: 16 };

const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

async function trained(options: Options) {
  const model = tinyLlama();
  const run = train.sft({ model, optimizer: adamw(), ...settings, ...options });
  const history = await run.finish();
  const weights = weightsOf(model);
  model.dispose();
  return { run, history, weights };
}

describe.each(await workingBackends('native', 'wasm'))('on %s', name => {
  it('one step on all rows is the same step, packed, bucketed, streamed or not', async () => {
    await backend.use(name);
    const one = { batchSize: 50, steps: 1, schedule: 'constant', warmup: undefined } as const;
    const plain = await trained({ rows: ROWS, ...one });
    const others: Options[] = [
      { rows: ROWS, packing: { length: 32 } },
      { rows: pack(ROWS, { length: 24 }).rows },
      { rows: ROWS, bucket: true, batchSize: 5, accumulate: 10 },
      { rows: ROWS, packing: { length: 32 }, bucket: true, batchSize: 3, accumulate: 10 },
      { rows: () => ROWS },
      { rows: () => ROWS, packing: { length: 32 } },
    ];
    for (const other of others) {
      const { history, weights } = await trained({ ...one, ...other });
      expect(history.labelTokens).toEqual(plain.history.labelTokens);
      expect(difference([plain.history.loss], [history.loss])).toBeLessThan(1e-5);
      expect(difference([plain.history.gradNorm], [history.gradNorm])).toBeLessThan(1e-5);
      expect(difference(plain.weights, weights)).toBeLessThan(1e-3);
    }
  });

  it('over an epoch with fixed weights the sum of all losses is the same', async () => {
    await backend.use(name);
    const epoch = { epochs: 1, learningRate: 0, schedule: 'constant', warmup: undefined } as const;
    const sum = async (options: Options) => {
      const { history } = await trained({ ...epoch, ...options });
      return { loss: dot(history.loss, history.labelTokens), labels: total(history.labelTokens), steps: history.step.length };
    };
    const plain = await sum({ rows: ROWS });
    expect(plain.steps).toBe(13);
    for (const options of [{ packing: { length: 30 } }, { bucket: true }, { packing: { length: 30 }, bucket: { window: 8 } }]) {
      const other = await sum({ rows: ROWS, ...options });
      expect(other.labels).toBe(plain.labels);
      expect(other.loss / plain.loss).toBeCloseTo(1, 5);
    }
  });

  it.each<[string, Options]>([
    ['packed', { rows: ROWS, packing: { length: 24 } }],
    ['bucketed', { rows: ROWS, bucket: { window: 12 } }],
    [
      'packed, bucketed, accumulated, with replay',
      { rows: ROWS, packing: { length: 24 }, bucket: true, accumulate: 2, replay: { rows: unevenRows(9, 8), share: 0.3 } },
    ],
    ['streamed', streamed],
    ['streamed, packed and bucketed', { ...streamed, packing: { length: 24 }, bucket: true }],
  ])('a resumed run is the uninterrupted one, whichever step it stopped at: %s', async (_, options) => {
    await backend.use(name);
    const steps = 9;
    const whole = await trained({ ...options, steps });
    const { rows, replay } = options;
    for (const stop of name === 'native' ? [1, 2, 3, 4, 5, 6, 7, 8] : [4]) {
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
      try {
        const model = tinyLlama();
        const run = train.sft({ model, optimizer: adamw(), ...settings, ...options, steps, checkpoint: { dir } });
        for await (const { step } of run) if (step === stop) run.stop();
        run.dispose();
        model.dispose();
        // Packing, bucket and buffer are the checkpoint's; only what a file cannot hold is given again.
        const resumed = await train.resume(dir, { rows, replay, optimizer: adamw() });
        const history = await resumed.finish();
        for (const column of ['loss', 'gradNorm', 'tokens', 'padding', 'epoch'] as const)
          expect(history[column], `${column} after ${stop}`).toEqual(whole.history[column]);
        (resumed.model as Model).dispose();
      } finally {
        await rm(dir, { recursive: true });
      }
    }
  });

  it('a run stopped and resumed in place goes on with the stream, and leaves nothing behind', async () => {
    await backend.use(name);
    const whole = await trained({ ...streamed, steps: 6 });
    let closed = 0;
    const rows = async function* () {
      try {
        yield* unevenRows(50);
      } finally {
        closed++;
      }
    };
    const model = tinyLlama();
    const before = footprint();
    const run = train.sft({ model, optimizer: adamw(), ...settings, ...streamed, rows, steps: 6 });
    for await (const { step } of run) if (step === 3) run.stop();
    expect(closed).toBe(0);
    await run.resume().finish();
    expect(run.history.loss).toEqual(whole.history.loss);
    await new Promise(resolve => setImmediate(resolve));
    expect(closed).toBe(1);
    expect(footprint()).toEqual(before);
    model.dispose();
  });
});

describe('what a run says of its packing', () => {
  it('reports fill, padding and rows too long', async () => {
    await backend.use('cpu');
    const [plain, bucketed, packed] = await Promise.all(
      [{}, { bucket: true }, { packing: { length: 48 } }].map(async options => {
        const { run, history } = await trained({ rows: ROWS, epochs: 1, ...options });
        return { run, padding: total(history.padding) / history.padding.length };
      }),
    );
    expect(plain!.padding).toBeGreaterThan(0.2);
    expect(bucketed!.padding).toBeLessThan(0.12);
    expect(packed!.padding).toBeLessThan(0.1);
    expect(plain!.run.packing).toBeUndefined();
    expect(packed!.run.packing).toMatchObject({ rows: 50, segments: 50, tooLong: { policy: 'raise', rows: [] } });
    expect(packed!.run.packing!.fill).toBeGreaterThan(0.9);
  });

  const model = () => tinyLlama();
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['rows longer than a pack', { packing: { length: 4 } }, /longer than a pack.*tooLong/s],
    ['an unknown packing option', { packing: { size: 4 } }, /packing has no option "size"/],
    ['a window that is none', { bucket: { window: -1 } }, /bucketing cannot/],
    ['a stream without steps', { rows: () => ROWS }, /length of a run on streamed rows.*steps/s],
    ['segment ids of another length', { rows: [{ ids: [1, 2], labels: [1, 2], segmentIds: [1] }] }, /2 ids but 1 segmentIds/],
  ])('refuses %s', (_, wrong, message) => {
    expect(() => train.sft({ model: model(), rows: ROWS, ...wrong } as train.SftOptions)).toThrow(message);
  });

  it('names the lines of the packed rows when a step fails', async () => {
    await backend.use('cpu');
    const sick = tinyLlama();
    const original = sick.lossAndGradients.bind(sick);
    sick.lossAndGradients = (batch, options) => {
      const part = original(batch, options);
      part.denominator = 0;
      return part;
    };
    const rows = ROWS.slice(0, 3);
    const run = train.sft({ model: sick, rows, packing: { length: 64 }, steps: 1, optimizer: adamw() });
    await expect(run.finish()).rejects.toThrow(/line (?=.*1)(?=.*2)(?=.*3)\d, \d, \d/);
    run.dispose();
    sick.dispose();
  });
});

describe('streamed rows', () => {
  const tokenizer = trainBPE(['say the word'], { vocabSize: 280 });
  const conversation = (n: number): Row => ({
    line: n + 1,
    messages: [{ role: 'user', content: `say ${n}` }, ...(n % 5 === 4 ? [] : [{ role: 'assistant' as const, content: `${n} ` }])],
  });
  const given = { tokenizer, template: 'alpaca', batchSize: 4, optimizer: 'sgd' } as const;
  const bigger = async () => {
    await backend.use('cpu');
    return (await import('./bigram.js')).Bigram;
  };

  it('conversations are encoded as they come, pass after pass', async () => {
    const model = new (await bigger())(tokenizer.vocabSize);
    const rows = Array.from({ length: 20 }, (_, n) => conversation(n));
    let passes = 0;
    const open = async function* () {
      passes++;
      yield* rows;
    };
    const run = train.sft({ model, ...given, rows: open, steps: 8 });
    await run.finish();
    // Sixteen rows of twenty can be trained on: four steps a pass.
    expect(passes).toBe(2);
    expect(run.encoding).toMatchObject({ rows: 40, kept: 32 });
    const { tokens } = encodeRows(rows, { tokenizer, template: 'alpaca' }).summary;
    expect(total(run.history.tokens)).toBe(2 * tokens);
    expect(run.history.epoch).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    model.dispose();
  });

  it('an endless source is read a window ahead, and the heap stays where it was', async () => {
    const model = new (await bigger())(12);
    let read = 0;
    // Each row is its own 8 kB: kept, the 6,000 of them would hold 48 MB.
    const open = function* () {
      for (; ; read++) {
        const ids = Array.from({ length: 500 }, (_, t) => (t + read) % 12);
        yield { ids, labels: ids.map((id, t) => (t < 490 ? -100 : id)) };
      }
    };
    const settings = { batchSize: 100, shuffleBuffer: 500, steps: 60, optimizer: 'sgd' } as const;
    const run = train.sft({ model, rows: open, ...settings });
    const heap: number[] = [];
    run.onStep(({ step }) => {
      expect(read).toBeLessThanOrEqual(step * 100 + 500);
      if (step % 10 === 0) heap.push(heapMB());
    });
    await run.finish();
    expect(Math.max(...heap) - heap[0]!).toBeLessThan(10);
    model.dispose();
  });

  it('a source that is empty, or gives nothing the second time, is an error', async () => {
    const model = new (await bigger())(tokenizer.vocabSize);
    const run = async (rows: train.RowStream) => {
      const started = train.sft({ model, ...given, rows, steps: 8 });
      const error = await started.finish().then(() => undefined, String);
      started.dispose();
      return error;
    };
    expect(await run(() => [])).toMatch(/gave no row.*anew|gave no row.*inside the function/s);
    const once = [1, 2, 3].map(conversation).values();
    expect(await run(() => once)).toMatch(/none in pass 2/);
    const unlabelled = { ids: [1, 2, 3], labels: [-100, -100, -100] };
    expect(await run(() => [unlabelled, unlabelled])).toMatch(/gave no row with a token that carries loss/);
    expect(await run(() => [conversation(1), unlabelled])).toBeUndefined();
    // All at once is a stream, too: () => data.readRows(file).
    expect(await run(async () => [conversation(1)])).toBeUndefined();
    for (const nothing of [undefined, 5])
      expect(await run(() => nothing as never)).toMatch(/nothing that rows can be taken from.*Fix:/s);
    model.dispose();
  });

  it('an error of the source ends the run; it goes on with the next row', async () => {
    const model = new (await bigger())(tokenizer.vocabSize);
    let broken = true;
    const open = async function* () {
      for (let n = 0; n < 12; n++) {
        if (n === 8 && broken) throw new Error('disk gone');
        yield conversation(n % 4);
      }
    };
    const run = train.sft({ model, ...given, rows: open, steps: 3, shuffleBuffer: 4 });
    await expect(run.finish()).rejects.toThrow(/disk gone/);
    expect(run.step).toBe(2);
    broken = false;
    await run.resume().finish();
    expect(run.status).toBe('done');
    model.dispose();
  });

  it('conversations without a tokenizer are refused', async () => {
    const model = new (await bigger())(12);
    const run = train.sft({ model, rows: () => [conversation(1)], steps: 1 });
    await expect(run.finish()).rejects.toThrow(/need a tokenizer/);
    run.dispose();
    model.dispose();
  });
});
