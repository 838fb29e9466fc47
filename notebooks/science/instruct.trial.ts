// One trial: a base model is tuned on instructions, and we see what it gained on a ladder of held-out tests and what it forgot.
import { backend, type data, evaluate, forgetting, models, Random, tasks, tokens, train } from 'tunebook';
import type { TrialContext } from 'tunebook/experiment';
import { baseOf, knowledge, knowledgeOf } from './base.ts';
import { NEW_STYLES, TRAINED_STYLES } from './styles.ts';

/** All settings, and what they are where a sweep does not name them. */
export const defaults = {
  world: 'quickstart' as 'quickstart' | 'suite',
  /** How long the base was trained; 0 for the quickstart's base from the repository. */
  baseSteps: 3000,
  /** How many of the quickstart's ten tasks are trained; 0 for all. Which ones changes with the seed. */
  tasks: 0,
  /** Different instructions (task × parameter × wording) the rows are spread over; 0 for as many as come. The suite only. */
  instructions: 0,
  /** Ways the conversations are written in, from {@link TRAINED_STYLES}. */
  styles: 1,
  rows: 20_000,
  method: 'full' as 'full' | 'lora' | 'bottleneck' | 'ia3' | 'prefix' | 'prompt',
  /** LoRA's rank, a bottleneck's width, or a number of virtual tokens. */
  size: 0,
  /** What a token of the prompt weighs in the loss beside one of the answer: 0 is response-only, 1 the whole sequence. */
  promptLossWeight: 0,
  /** Share of base text in every batch. */
  replay: 0,
  learningRate: 1.5e-3,
  steps: 400,
  batchSize: 32,
  /** Test rows on each rung. */
  perRung: 100,
};

type Config = typeof defaults;

/** Rungs of tasks that may be trained; on the others every arm meets tasks that are none of its own. */
const NEAR = new Set(['new inputs', 'paraphrase', 'paraphrases', 'parameters', 'both']);

export default async function trial(config: Config, { seed, signal }: TrialContext) {
  await backend.use();
  const asked = { world: config.world, seed, steps: config.baseSteps, signal };
  const folder = await baseOf(asked);
  const tokenizer = await tokens.Tokenizer.fromFile(folder);
  const [base, model] = [await models.load(folder), await models.load(folder)];
  const { world, own } = lessons(config, seed);
  attach(model, config, seed);

  const rows = TRAINED_STYLES.slice(0, config.styles).flatMap((template, i, { length }) => {
    const part = world.rows.filter((_, row) => row % length === i);
    return tokens.encodeRows(part, { tokenizer, template, train: 'response', maxLength: 512 }).rows;
  });
  const { steps, batchSize, learningRate, promptLossWeight, replay: share } = config;
  const texts = share > 0 ? world.baseText(6000, 'replay') : [];
  const replay = share > 0 ? { rows: forgetting.textRows({ tokenizer, texts }), share } : undefined;
  const optimizer = train.adamw({ betas: [0.9, 0.98], weightDecay: 0.01 });
  const schedule = train.cosine({ warmup: 0.1, floor: 0.1 });
  const how = { steps, batchSize, learningRate, promptLossWeight, replay, optimizer, schedule, clip: 1, seed, signal };
  const run = train.sft({ ...how, model, rows, record: false });
  await run.finish();

  // Every answer of the ladder, then the same questions in styles that no arm was trained in.
  const template = TRAINED_STYLES[0]!;
  const exact: Record<string, number> = {};
  const mine: number[] = [];
  const others: number[] = [];
  const ask = (of: readonly data.Row[], written = template) =>
    evaluate.score({ model, tokenizer, template: written, rows: of, metrics: [], maxNewTokens: 24, signal });
  for (const [rung, questions] of Object.entries(world.rungs)) {
    const scored = await ask(questions);
    exact[rung] = scored.score;
    if (!NEAR.has(rung)) continue;
    scored.values().forEach((right, i) => {
      (own.has(questions[i]!.task) ? mine : others).push(right);
    });
  }
  const near = world.rungs['new inputs']!;
  const elsewhere = await Promise.all(NEW_STYLES.map(async written => (await ask(near, written)).score));

  const before = await knowledgeOf(asked);
  const after = await knowledge(model, tokenizer, world, signal);
  const pair = { base, tuned: model };
  const prompts = near.slice(0, 50);
  const said = await forgetting.baseSamples({ base, tokenizer, template, rows: prompts, maxNewTokens: 16, seed, signal });
  const text = forgetting.textRows({ tokenizer, texts: world.heldOutText }).slice(0, 60);
  const result = {
    exact,
    own: mean(mine),
    ...(others.length > 0 ? { others: mean(others) } : {}),
    newStyle: mean(elsewhere),
    ...after,
    baseLossRise: after.baseLoss - before.baseLoss,
    factsDrop: before.facts - after.facts,
    worksheetsDrop: before.worksheets - after.worksheets,
    klNew: (await forgetting.klToBase({ ...pair, rows: said, signal })).kl,
    klText: (await forgetting.klToBase({ ...pair, rows: text, signal })).kl,
    trained: model.parameters.reduce((sum, { size, trainable }) => sum + (trainable ? size : 0), 0),
    loss: run.history.loss.at(-1)!,
  };
  base.dispose();
  model.dispose();
  return result;
}

/** The world of this arm, its training rows being those of its own tasks, as many as any arm's. */
function lessons({ world: name, tasks: count, rows, instructions, perRung }: Config, seed: number) {
  if (name === 'suite') {
    const world = tasks.suite({ seed, rows, perRung, diversity: instructions || undefined });
    return { world, own: new Set(world.tasks) };
  }
  const all = [...new Set(tasks.quickstart({ seed, rows: 500, perRung: 1 }).rows.map(row => row.task))].sort();
  const chosen = new Random(`narrow/${seed}`).shuffle(all).slice(0, count || all.length);
  const world = tasks.quickstart({ seed, rows: Math.ceil((rows * all.length) / chosen.length), perRung });
  const own = new Set(chosen);
  return { world: { ...world, rows: world.rows.filter(row => own.has(row.task)) }, own };
}

function attach(model: models.Model, { method, size }: Config, seed: number): void {
  const targets = 'all-linear';
  if (method === 'lora') model.attach(models.lora({ rank: size, alpha: 2 * size, targets, seed }));
  if (method === 'bottleneck') model.attach(models.bottleneck({ size, seed }));
  if (method === 'ia3') model.attach(models.ia3());
  if (method === 'prefix') model.attach(models.prefixTuning({ virtualTokens: size, seed }));
  if (method === 'prompt') model.attach(models.promptTuning({ virtualTokens: size, init: 'vocabulary', seed }));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
