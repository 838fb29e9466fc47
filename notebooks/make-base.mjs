// npm run make-base: trains the quickstart's base model and its tokenizer, and writes both to notebooks/assets/quickstart-base.
//
//     npm run make-base -- [--steps 4000] [--seed 1] [--out DIR]
//
// What it learns is plain text: sentences, facts, worksheets and unanswered questions (src/prepare/tasks/quickstart/base-text.ts).
// Equal options on the same backend give the same model.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { backend, evaluate, forgetting, models, tasks, tokens, train } from '../dist/index.js';

const WINDOWS = 16;
const LENGTH = 64;

/** Train and save the base. About four minutes on two cores with the native backend. */
export async function makeBase({ steps = 4000, seed = 1, out = join(import.meta.dirname, 'assets', 'quickstart-base') } = {}) {
  const engine = await backend.use();
  console.log(`backend: ${engine.name} (${engine.reason})`);
  const world = tasks.quickstart({ seed });
  // About 19 tokens a line: enough text that hardly any is read twice.
  const text = world.baseText(Math.max(20_000, Math.ceil((steps * WINDOWS * LENGTH) / 19)));
  const tokenizer = makeTokenizer(world, text);
  console.log(`tokenizer: ${tokenizer.vocabSize} tokens`);

  const model = models.init('nano', {
    vocabSize: tokenizer.vocabSize,
    maxPositionEmbeddings: 512,
    eosTokenIds: [tokenizer.eosId],
    padTokenId: tokenizer.padId,
    seed,
  });
  console.log(`model: ${model.size.toLocaleString('en')} parameters`);
  const started = performance.now();
  const run = train.sft({
    name: 'base',
    model,
    rows: forgetting.textRows({ tokenizer, texts: text, length: LENGTH }),
    batchSize: WINDOWS,
    steps,
    seed,
    optimizer: train.adamw({ betas: [0.9, 0.98], weightDecay: 0.01 }),
    learningRate: 4e-3,
    schedule: train.cosine({ warmup: 50, floor: 0.1 }),
    clip: 1,
  });
  await run.finish();
  const seconds = Math.round((performance.now() - started) / 1000);

  const memory = await forgetting.measure({ model, tokenizer, texts: world.heldOutText, facts: world.facts });
  const worksheets = await solveWorksheets({ model, tokenizer, lines: world.heldOutText });
  const figures = [
    `${steps} steps of ${WINDOWS} × ${LENGTH} tokens, learning rate 4e-3, seed ${seed}: ${seconds} s on ${engine.name}`,
    `loss on held-out base text: ${memory.baseLoss.toFixed(3)} nats per token`,
    `facts recalled: ${(100 * memory.facts).toFixed(0)} %`,
    `held-out worksheets solved: ${(100 * worksheets).toFixed(0)} %`,
  ];
  console.log(figures.join('\n'));
  await model.save(out);
  await tokenizer.save(out);
  await writeFile(join(out, 'README.md'), card(model, tokenizer, figures));
  model.dispose();
  console.log(`saved to ${out}`);
}

/** One token for every word of the world, after a space and without one. */
function makeTokenizer(world, text) {
  // It sees instructions too: their words are the worksheets', but there they begin a line.
  const turns = world.rows.slice(0, 4_000).flatMap(row => row.messages.map(({ content }) => `user\n${content}`));
  const tokenizer = tokens.trainBPE([...text.slice(0, 20_000), ...turns, 'assistant\n', 'system\n'], { vocabSize: 700, minFrequency: 20 });
  const split = world.nouns.filter(noun => [noun, ` ${noun}`].some(word => tokenizer.encodeContent(word).ids.length > 1));
  if (split.length > 0) throw new Error(`nouns of more than one token: ${split.join(', ')}`);
  return tokenizer;
}

/** Share of 200 held-out worksheets that the model completes rightly. */
async function solveWorksheets({ model, tokenizer, lines }) {
  const sheets = lines.flatMap(line => [...line.matchAll(/([a-z ]+ : [a-z ]+ =)\s([a-z ]+) \./g)]).slice(0, 200);
  const prompts = sheets.map(([, question]) => `\n${question.trim()}`);
  const solved = await evaluate.complete({ model, tokenizer, prompts, maxNewTokens: 12, stop: [' .'] });
  return solved.filter(({ continuation }, i) => continuation.trim() === sheets[i][2]).length / sheets.length;
}

const card = (model, tokenizer, figures) => `# quickstart-base

The base model of the quickstart notebook: Llama shape, 3 layers, width 96, ${model.size.toLocaleString('en')} parameters in float32, ${tokenizer.vocabSize} tokens.
Trained from random weights on generated text only, by \`npm run make-base\`. It continues text; it has never seen an instruction answered.
Licence: the project's.

${figures.map(line => `- ${line}`).join('\n')}
`;

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { steps: { type: 'string' }, seed: { type: 'string' }, out: { type: 'string' } } });
  const number = text => (text === undefined ? undefined : Number(text));
  makeBase({ steps: number(values.steps), seed: number(values.seed), out: values.out });
}
