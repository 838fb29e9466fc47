// One trial: a small transformer learns to rewrite strings by the rules it is shown, and is asked to follow rules it never saw.
import { backend, evaluate, models, tasks, train } from 'tunebook';
import type { TrialContext } from 'tunebook/experiment';

/** All settings, and what they are where a sweep does not name them. */
export const defaults = {
  /** Different instructions that are trained. */
  rules: 512,
  /** Training rows over all rules together. */
  examples: 16_384,
  distribution: 'uniform' as 'uniform' | 'long-tail',
  /** What a token of the prompt weighs in the loss beside one of the answer: 0 is response-only, 1 the whole sequence. */
  promptLossWeight: 0,
  /** `learned` is GPT-2, as in the paper (Zhang et al. 2024); `rotary` the Llama shape of the same size. */
  positions: 'learned' as 'learned' | 'rotary',
  steps: 400,
  batchSize: 128,
  learningRate: 1.5e-3,
};

export default async function trial(config: typeof defaults, { seed, signal }: TrialContext) {
  await backend.use();
  const { rules, examples, distribution, promptLossWeight, positions, steps, batchSize, learningRate } = config;
  const world = tasks.rewriting({ rules, examples, distribution, seed });
  const shape = positions === 'learned' ? { modelType: 'gpt2' as const, intermediateSize: 384 } : { intermediateSize: 256 };
  const model = models.init(
    {
      ...{ vocabSize: world.vocabulary.length, hiddenSize: 96, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 4 },
      ...{ headDim: 24, maxPositionEmbeddings: 64, tieWordEmbeddings: true, eosTokenIds: [0], ...shape },
    },
    { seed },
  );
  const rows = world.rows.map(row => world.encode(row));
  const optimizer = train.adamw({ learningRate });
  const run = train.sft({ model, rows, steps, batchSize, seed, signal, optimizer, promptLossWeight, record: false });
  await run.finish();

  const exact = async (rung: keyof typeof world.rungs) => {
    const asked = world.rungs[rung];
    const prompts = asked.map(row => world.encode(row).ids.slice(0, 15));
    const { ids } = await model.generate(prompts, { maxNewTokens: 9, temperature: 0, stopIds: [0], signal });
    const answers = ids.map((all, i) => world.decode(all.slice(prompts[i]!.length)));
    return (await evaluate.judgeAnswers(answers, { rows: asked, metrics: [] })).score;
  };
  const loss = run.history.loss.at(-1)!;
  const result = { unseen: await exact('unseen rules'), seen: await exact('new inputs'), loss };
  model.dispose();
  return result;
}
