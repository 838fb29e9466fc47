// npm run make-base: trains the quickstart's base model and its tokenizer, and writes both to notebooks/assets/quickstart-base.
//
//     node notebooks/make-base.mjs [--steps 3000] [--seed 1] [--out DIR]
//
// What it learns is plain text: sentences, facts, worksheets and unanswered questions (src/prepare/tasks/base-text.ts).
// Needs a build (npm run build). Equal options on the same backend give the same model.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { backend, evaluate, forgetting, models, tasks, tokens, train } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: join(import.meta.dirname, 'assets', 'quickstart-base') },
  },
});
const [steps, seed] = [Number(values.steps), Number(values.seed)];
const [windows, length] = [16, 64];

const engine = await backend.use();
console.log(`backend: ${engine.name} (${engine.reason})`);

const world = tasks.quickstart({ seed });
// About 19 tokens a line; what is left over is read in a second epoch.
const text = world.baseText(Math.ceil((steps * windows * length) / 19));
// The tokenizer sees instructions too, so that every word of the world is one token, after a space and without one.
const seen = [...text.slice(0, 20_000), ...world.rows.slice(0, 4_000).flatMap(row => row.messages.map(m => `user\n${m.content}`))];
const tokenizer = tokens.trainBPE([...seen, 'assistant\n', 'system\n'], { vocabSize: 700, minFrequency: 20 });
const split = world.nouns.filter(noun => [noun, ` ${noun}`].some(word => tokenizer.encodeContent(word).ids.length > 1));
console.log(`tokenizer: ${tokenizer.vocabSize} tokens; nouns of more than one token: ${split.join(', ') || 'none'}`);

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
  rows: forgetting.textRows({ tokenizer, texts: text, length }),
  batchSize: windows,
  steps,
  shuffle: true,
  seed,
  optimizer: train.adamw({ betas: [0.9, 0.98], weightDecay: 0.01 }),
  learningRate: 4e-3,
  schedule: train.cosine({ warmup: 50, floor: 0.1 }),
  clip: 1,
});
await run.finish();
const seconds = Math.round((performance.now() - started) / 1000);

const memory = await forgetting.measure({ model, tokenizer, texts: world.heldOutText, facts: world.facts });
const worksheets = world.heldOutText.flatMap(line => [...line.matchAll(/([a-z ]+ : [a-z ]+ =)\s([a-z ]+) \./g)]).slice(0, 200);
const solved = await evaluate.complete({
  model,
  tokenizer,
  prompts: worksheets.map(([, question]) => `\n${question.trim()}`),
  maxNewTokens: 12,
  stop: [' .'],
});
const right = solved.filter(({ continuation }, i) => continuation.trim() === worksheets[i][2]).length / worksheets.length;
const figures = [
  `${steps} steps of ${windows} × ${length} tokens in ${seconds} s on ${engine.name}`,
  `loss on held-out base text ${memory.baseLoss.toFixed(3)} nats per token`,
  `facts recalled ${(100 * memory.facts).toFixed(0)} %`,
  `worksheets solved ${(100 * right).toFixed(0)} % of ${worksheets.length}`,
];
console.log(figures.join('\n'));

await model.save(values.out);
await tokenizer.save(values.out);
await writeFile(
  join(values.out, 'README.md'),
  `# quickstart-base

The base model of the quickstart notebook: Llama shape, 3 layers, width 96, ${model.size.toLocaleString('en')} parameters, float32,
trained from random weights on generated text only. Made by \`npm run make-base\`; licence as the project's.

${figures.map(line => `- ${line}`).join('\n')}
`,
);
console.log(`saved to ${values.out}`);
backend.dispose?.();
