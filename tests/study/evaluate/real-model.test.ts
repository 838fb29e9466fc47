import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Interrupted } from '../../../src/base/core/index.js';
import { init, type Model } from '../../../src/learn/models/index.js';
import { sft } from '../../../src/learn/train/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { baselines, complete, exactMatch, hook, score } from '../../../src/study/evaluate/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { row, template, tokenizer } from './stub.js';

const WORDS = ['cat', 'dog', 'pen', 'bread', 'copy', 'user', 'these', 'words'];
/** Two tasks a model learns in a moment: say the word, and say the word behind it. */
const rows: Row[] = WORDS.flatMap((word, i) => [
  row(`same ${word}`, word, { task: 'same' }),
  row(`next ${word}`, WORDS[(i + 1) % WORDS.length]!, { task: 'next' }),
]);

const made = () =>
  init(
    {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 32,
      intermediateSize: 48,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      maxPositionEmbeddings: 128,
    },
    { seed: 5 },
  );

describe('on a real model', () => {
  let model: Model;
  beforeAll(async () => {
    await use('wasm');
    model = made();
  });
  afterAll(() => model?.dispose());
  const trained = (how: Omit<Parameters<typeof sft>[0], 'model' | 'rows'>) =>
    sft({ model, tokenizer, template, rows, batchSize: 8, ...how });

  it('a run is scored on its way, within its budget and always on the same rows; what it finds is what score finds', async () => {
    const inLoop = hook({ tokenizer, template, rows, every: 15, budget: { rows: 8 }, maxNewTokens: 6 });
    const run = trained({ steps: 45, learningRate: 1e-2, schedule: 'constant', hooks: inLoop });
    await run.finish();
    expect(run.evaluations.map(({ step }) => step)).toEqual([15, 30, 45]);
    for (const [i, found] of run.evaluations.entries()) {
      const { scored } = inLoop.scored[i]!;
      expect(found).toMatchObject({ score: scored.score, 'score/rows': 8, 'score/low': scored.interval.low });
      expect(scored.samples.map(sample => sample.prompt)).toEqual(inLoop.scored[0]!.scored.samples.map(sample => sample.prompt));
      expect(scored.byTask.map(({ n }) => n)).toEqual([4, 4]);
    }
    // It has learned: what is scored is the model as it is then.
    const last = inLoop.scored.at(-1)!.scored;
    expect(last.score).toBeGreaterThan(0.5);
    expect(last.score).toBeGreaterThan(inLoop.scored[0]!.scored.score);
    const whole = await score({ model, tokenizer, template, rows, maxNewTokens: 6 });
    const got = new Map(whole.samples.map(sample => [sample.prompt, sample.got]));
    for (const sample of last.samples) expect(sample.got).toBe(got.get(sample.prompt));
  });

  it('a question without room in the context is told before the first step of a run', async () => {
    const long: Row = { ...rows[0]!, messages: [{ role: 'user', content: 'cat '.repeat(400) }, rows[0]!.messages.at(-1)!] };
    const inLoop = hook({ tokenizer, template, rows: [rows[1]!, long], every: 3 });
    const run = trained({ steps: 3, learningRate: 1e-4, hooks: inLoop, record: false });
    await expect(run.finish()).rejects.toThrow(/longer than the model's context/);
    expect(run.step).toBe(0);
    run.dispose();
  });

  it('answers do not depend on how many are worked on together, nor on the way that is taken', async () => {
    const answers = async (options: object) =>
      (await score({ model, tokenizer, template, rows, maxNewTokens: 8, ...options })).samples.map(sample => sample.got);
    const expected = await answers({});
    for (const batchSize of [1, 3, 16]) expect(await answers({ batchSize })).toEqual(expected);
    const batches = { generate: model.generate.bind(model) };
    expect(await answers({ model: batches })).toEqual(expected);
    const exact = await exactMatch({ model, tokenizer, template, rows, maxNewTokens: 8 });
    expect(exact.samples.map(sample => sample.got)).toEqual(expected);
    const prompts = ['cat', 'dog pen', 'bread'];
    const slow = await complete({ model: batches, tokenizer, prompts, maxNewTokens: 8, stop: ['e'] });
    expect([...(await complete({ model, tokenizer, prompts, maxNewTokens: 8, stop: ['e'] }))]).toEqual([...slow]);
  });

  it('nothing stays behind, also when it is stopped', async () => {
    const options = { model, tokenizer, template, rows, maxNewTokens: 4 };
    expect(await leftBehind(() => score(options))).toEqual(NOTHING);
    const base = made();
    const asked = { ...options, base, rows: rows.slice(0, 4), trainRows: rows, fewShot: { shots: 3 } };
    expect(await leftBehind(() => baselines(asked))).toEqual(NOTHING);
    const stopped = async () => {
      const stop = new AbortController();
      const working = score({ ...options, signal: stop.signal });
      setImmediate(() => stop.abort());
      await expect(working).rejects.toThrow(Interrupted);
    };
    expect(await leftBehind(stopped)).toEqual(NOTHING);
    base.dispose();
  });

  it('seconds are a budget too: at least one part is answered, and no more once they are over', async () => {
    const inLoop = hook({
      model,
      tokenizer,
      template,
      rows,
      budget: { seconds: 1e-9 },
      batchSize: 5,
      maxNewTokens: 2,
      name: 'quick',
    });
    const found = await inLoop.onEval!({ step: 3 } as never, { run: { total: 3, evaluations: [] } } as never);
    expect(found).toMatchObject({ 'quick/rows': 5 });
    const whole = hook({ model, tokenizer, template, rows, budget: { seconds: 1e9 }, batchSize: 5, maxNewTokens: 2 });
    expect(await whole.onEval!({ step: 3 } as never, { run: { total: 3, evaluations: [] } } as never)).toMatchObject({
      'score/rows': rows.length,
    });
    expect(whole.scored[0]!.scored.samples.map(sample => sample.index)).toEqual(rows.map((_, i) => i));
    // Another run that is at the same step is scored anew.
    await whole.onEval!({ step: 3 } as never, { run: { total: 3, evaluations: [] } } as never);
    expect(whole.scored.length).toBe(2);
  });

  it('a hook that cannot work is refused before the run', () => {
    const options = { tokenizer, template, rows };
    expect(() => hook({ ...options, rows: [] })).toThrow(/no rows/);
    expect(() => hook({ ...options, every: 0 })).toThrow(/every/);
    expect(() => hook({ ...options, budget: { row: 3 } as never })).toThrow(/did you mean "rows"/);
    expect(() => hook({ ...options, budget: { seconds: 0 } })).toThrow(/budget.seconds/);
    expect(() => hook({ ...options, evry: 3 } as never)).toThrow(/did you mean "every"/);
  });
});
