import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { BadInput, viewOf } from '../../../src/base/core/index.js';
import { load, lora, type Model, promptTuning } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import * as tasks from '../../../src/prepare/tasks/index.js';
import { get } from '../../../src/prepare/templates/index.js';
import { encodeRows, Tokenizer } from '../../../src/prepare/tokens/index.js';
import { forgettingReport, renderSvg, toFigure } from '../../../src/show/index.js';
import { responseLoss } from '../../../src/study/evaluate/index.js';
import * as forgetting from '../../../src/study/forgetting/index.js';
import { weightsOf } from '../../invariants/tiny.js';
import { footprint, workingBackends } from '../../learn/train/backends.js';

const base = fileURLToPath(new URL('../../../notebooks/assets/quickstart-base', import.meta.url));
const [engine] = await workingBackends('native', 'wasm');
const world = tasks.quickstart({ seed: 1 });
const template = get('chatml');
const texts = world.heldOutText.slice(0, 80);
const facts = world.facts.slice(0, 12);
const answers = world.rungs[world.heldOut[0]!]!.slice(0, 12);

/** The real base of the quickstart, tuned for a moment on its instructions. */
describe('remedies on the quickstart world', () => {
  let tokenizer: Tokenizer;
  let rows: train.TrainRow[];
  let text: forgetting.TextRow[];
  let before: { baseLoss: number; answers: number };
  /** Tuned without any remedy, and by how much its loss on base text has risen. */
  let plain: Model;
  let lost: number;

  const look = async (model: Model) => ({
    baseLoss: (await forgetting.baseLoss({ model, tokenizer, texts })).loss,
    answers: (await responseLoss({ model, tokenizer, template, rows: answers })).loss,
  });
  const recipe = (model: Model, more: Partial<train.SftOptions> = {}): train.SftOptions => ({
    ...{ model, rows, batchSize: 8, steps: 16, learningRate: 3e-3, seed: 1, optimizer: train.adamw({ betas: [0.9, 0.98] }) },
    ...more,
  });
  const tuned = async (more?: Partial<train.SftOptions>) => {
    const model = await load(base);
    await train.sft(recipe(model, more)).finish();
    return model;
  };
  const rise = async (more?: Partial<train.SftOptions>) => {
    const model = await tuned(more);
    const found = await look(model);
    model.dispose();
    // A remedy that learns nothing is none.
    expect(found.answers).toBeLessThan(before.answers - 1);
    return found.baseLoss - before.baseLoss;
  };

  beforeAll(async () => {
    await backend.use(engine);
    tokenizer = await Tokenizer.fromFile(base);
    rows = encodeRows(world.rows.slice(0, 400), { tokenizer, template, train: 'response' }).rows;
    text = forgetting.textRows({ tokenizer, texts: world.baseText(300, 'replay') });
    const model = await load(base);
    before = await look(model);
    model.dispose();
    plain = await tuned();
    lost = (await look(plain)).baseLoss - before.baseLoss;
  });
  afterAll(() => plain.dispose());

  it('tuning without any forgets', () => {
    expect(lost).toBeGreaterThan(0.3);
  });

  it.each([
    ['replay of 25 %', () => ({ replay: { rows: text, share: 0.25 } })],
    ['EWC', () => ({ hooks: train.ewc({ rows: text.slice(0, 12), strength: 1000 }) })],
    ['L2-SP', () => ({ hooks: train.l2sp({ strength: 15 }) })],
    ['a KL anchor on base text', () => ({ replay: { rows: text, share: 0.25, weight: 0 }, hooks: train.klAnchor() })],
  ] as const)('%s: less is forgotten, and instructions are learned', async (_, remedy) => {
    const footprintBefore = footprint();
    expect(await rise(remedy())).toBeLessThan(0.7 * lost);
    expect(footprint()).toEqual(footprintBefore);
  });

  it('WiSE-FT: half-way to the base less is forgotten, and instructions are known', async () => {
    const model = await load(base);
    const curve = await forgetting.wiseFt({
      ...{ base: model, tuned: plain, alphas: [0, 0.5, 1] },
      measure: async between => {
        const { baseLoss, answers } = await look(between);
        return { forgotten: baseLoss - before.baseLoss, learned: before.answers - answers };
      },
    });
    model.dispose();
    const [none, half, all] = curve.points;
    expect(none).toMatchObject({ forgotten: 0, learned: 0 });
    expect(half!.forgotten!).toBeLessThan(0.7 * all!.forgotten!);
    expect(half!.learned!).toBeGreaterThan(0.3);
    expect(viewOf(curve)).toMatchObject({ kind: 'tradeOff' });
  });

  it('a budget ends the run, and leaves the best weights within it, also when it was resumed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-budget-'));
    const within = () => forgetting.budget({ tokenizer, texts, rise: 0.5 * lost });
    const options = { evaluateEvery: 4, steps: 200 };
    try {
      const model = await load(base);
      const hooks = within();
      const run = train.sft(recipe(model, { ...options, hooks }));
      await run.finish();
      expect(run.status).toBe('stopped');
      expect(run.stopReason).toMatch(/base text has risen by .* more than .* at step \d+: back to the weights of step \d+/);
      const found = run.evaluations.map(({ baseLoss }) => baseLoss! - before.baseLoss);
      expect(found.at(-1)).toBeGreaterThan(0.5 * lost);
      expect(found.slice(0, -1).every(rise => rise <= 0.5 * lost)).toBe(true);
      expect(hooks.best!.step).toBe(run.step - 4);
      expect((await look(model)).baseLoss).toBeCloseTo(hooks.best!.baseLoss, 5);
      run.dispose();

      const other = await load(base);
      const first = train.sft(recipe(other, { ...options, hooks: within(), checkpoint: { dir } }));
      for await (const { step } of first) if (step === 5) first.stop();
      first.dispose();
      other.dispose();
      const third = await load(base);
      const resumed = await train.resume(dir, { rows, model: third, hooks: within(), optimizer: recipe(third).optimizer });
      await resumed.finish();
      expect(resumed.evaluations).toEqual(run.evaluations);
      expect(weightsOf(third)).toEqual(weightsOf(model));
      resumed.dispose();
      third.dispose();
      model.dispose();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('a budget that is not spent leaves the weights of the lowest held-out loss', async () => {
    const model = await load(base);
    const hooks = forgetting.budget({ tokenizer, texts, facts, rise: 99, recall: 0 });
    const evaluate = { rows: rows.slice(0, 8), every: 2 };
    const run = train.sft(recipe(model, { steps: 6, learningRate: 0.02, evaluate, hooks }));
    await run.finish();
    expect(run.status).toBe('done');
    const best = run.evaluations.reduce((a, b) => (b.heldOut! < a.heldOut! ? b : a));
    expect(hooks.best).toEqual({ step: best.step, baseLoss: best.baseLoss, facts: best.facts, heldOut: best.heldOut });
    expect((await look(model)).baseLoss).toBeCloseTo(best.baseLoss!, 5);
    model.dispose();
  });

  it('budgets that are none are refused', () => {
    const good = { tokenizer, texts, facts, rise: 0.3 };
    expect(() => forgetting.budget({ tokenizer, texts })).toThrow(/no budget/);
    expect(() => forgetting.budget({ ...good, rise: -1 })).toThrow(BadInput);
    expect(() => forgetting.budget({ ...good, recall: 2 })).toThrow(BadInput);
    expect(() => forgetting.budget({ ...good, facts: [], recall: 0.5 })).toThrow(/facts/);
    expect(() => forgetting.budget({ ...good, texts: [] })).toThrow(/texts/);
  });

  it('a report says what was gained, what was lost, and why', async () => {
    const footprintBefore = footprint();
    const model = await load(base);
    const probes = {
      tokenizer,
      template,
      answers: { 'new inputs': answers },
      texts,
      facts,
      maxNewTokens: 8,
      tokens: 512,
      samples: 8,
    };
    const report = await forgetting.report(model, plain, probes);
    expect(report.gained.map(({ label }) => label)).toEqual(['new inputs', 'loss on answers']);
    expect(report.gained[1]!.after).toBeLessThan(report.gained[1]!.before - 1);
    expect(report.rise).toBeCloseTo(lost, 5);
    expect(report.lost.map(({ label }) => label)).toEqual(['loss on base text', 'facts recalled']);
    expect(report.klOnTasks.kl).toBeGreaterThan(0.1);
    expect(report.klOnText.kl).toBeGreaterThan(0.1);
    expect(report.drift).toHaveLength(model.parameters.length);
    expect(report.cka).toHaveLength(4);
    expect(report.cka!.every(({ cka }) => cka > 0 && cka <= 1.0001)).toBe(true);
    expect(report.said).toHaveLength(2);
    expect(report.said.every(({ before, after }) => before !== after)).toBe(true);
    expect(report.missing).toEqual([]);
    const view = viewOf(report)!;
    expect(view.kind).toBe('forgetting-report');
    expect(JSON.parse(JSON.stringify(view.data))).toEqual(view.data);
    const figure = toFigure(report)!;
    expect(figure).toEqual(forgettingReport(report.data));
    expect(figure.alt).toMatch(/Gained: right answers .*Lost: the loss on base text goes from .*KL|away on new tasks/);
    expect(await renderSvg(figure.spec!)).toMatch(/Drift of the weights/);
    model.dispose();
    expect(footprint()).toEqual(footprintBefore);
  });

  it('a report of an adapter needs no second model, and says what it cannot measure', async () => {
    const model = await load(base);
    model.attach(lora({ rank: 4, targets: 'all-linear' }));
    await train.sft(recipe(model, { steps: 4 })).finish();
    const probes = { tokenizer, template, answers, texts, maxNewTokens: 4, tokens: 256, samples: 4, prompts: ['tom lives in'] };
    const report = await forgetting.report(model, model, probes);
    expect(report.lost[0]!.before).toBeCloseTo(before.baseLoss, 5);
    expect(report.drift!.filter(({ rank }) => rank! > 0).every(({ rank }) => rank! <= 4)).toBe(true);
    expect(report.said).toHaveLength(1);
    model.detach('default');
    model.attach(promptTuning({ virtualTokens: 2 }));
    const soft = await forgetting.report(model, model, probes);
    expect(soft.drift).toBeUndefined();
    expect(soft.missing).toEqual([expect.stringMatching(/^drift of the weights: .*prompt does is no change of weights/)]);
    await expect(forgetting.report(model, model, { ...probes, answers: [] })).rejects.toThrow(/no held-out rows/);
    await expect(forgetting.report(model, model, { ...probes, texts: [] })).rejects.toThrow(BadInput);
    await expect(forgetting.report(model, model, { ...probes, facts: [{ prompt: '', answer: 'x' }] })).rejects.toThrow(
      /no prompt/,
    );
    model.dispose();
  });
});
