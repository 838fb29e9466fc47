// npm run bench -- evaluate: scoring many short prompts, as `evaluate.score` does it, beside transformers' generate.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

const TEMPLATE = 'chatml';

export async function benchEvaluate(args) {
  const { values, number } = options(args, {
    prompts: { type: 'string', default: '400' },
    tokens: { type: 'string', default: '24' },
    batch: { type: 'string', default: '50' },
    repeats: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    shape: { type: 'string', default: 'small' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [prompts, newTokens, batch, repeats, rounds] = ['prompts', 'tokens', 'batch', 'repeats', 'rounds'].map(number);
  const shape = SHAPES[values.shape];
  if (!shape) throw new BadUsage(`--shape is one of ${Object.keys(SHAPES).join(', ')}, found "${values.shape}"`);
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const tunebook = join(builtDist(values.dist), 'index.js');
  const work = join(root, '.cache', `bench-evaluate-${process.pid}`);
  try {
    const job = await prepare(work, { tunebook, shape, prompts });
    Object.assign(job, { backend: values.backend, newTokens, batch, repeats, threads: availableParallelism() });
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const sides = {
      ours: [process.execPath, 'evaluate-ours.mjs'],
      ...(python && { peer: [python, 'evaluate_transformers.py'] }),
    };
    const results = { ours: [], peer: [] };
    for (let round = 0; round < rounds; round++)
      for (const side of Object.keys(sides).sort(() => (round % 2 ? -1 : 1))) {
        const [program, script] = sides[side];
        const result = await worker(program, [join(root, 'bench', script), file], { OMP_NUM_THREADS: String(job.threads) });
        results[side].push(result);
        console.error(`round ${round + 1}/${rounds} ${side}: ${(median(result.ms) / 1000).toFixed(2)} s`);
      }
    const report = summarise(job, shape, results);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Rows of the kind that tasks are made of, a tokenizer made for them and a model with random weights, which hardly ever stops early. */
async function prepare(work, { tunebook, shape, prompts }) {
  const { backend, models, Random, templates, tokens } = await import(pathToFileURL(tunebook));
  const random = new Random('bench/evaluate');
  const words = ['bee', 'bread', 'pen', 'pig', 'tree', 'boat', 'oslo', 'tom', 'anna', 'rain', 'stone', 'lamp', 'blue', 'old'];
  const asked = [
    'repeat these words',
    'give the words from the last to the first',
    'how many words are there in',
    'leave out the first of',
  ];
  const rows = Array.from({ length: prompts }, () => {
    const some = Array.from({ length: 2 + random.int(6) }, () => words[random.int(words.length)]).join(' ');
    const content = `${asked[random.int(asked.length)]} : ${some} (${random.int(1e6)})`;
    return {
      messages: [
        { role: 'user', content },
        { role: 'assistant', content: some },
      ],
    };
  });
  const template = templates.get(TEMPLATE);
  const texts = rows.flatMap(({ messages }) => messages.map(({ content }) => content));
  const specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
  const tokenizer = tokens.trainBPE(texts, { vocabSize: 600, specialTokens });
  await backend.use('cpu');
  const vocabSize = Math.max(shape.vocabSize, tokenizer.vocabSize);
  const model = models.init(
    { ...shape, vocabSize, maxPositionEmbeddings: 2048, eosTokenIds: [tokenizer.eosId ?? 0] },
    { seed: 1 },
  );
  const folder = join(work, 'model');
  await mkdir(folder, { recursive: true });
  await model.save(folder);
  await tokenizer.save(folder);
  model.dispose();
  const encoded = rows.map(({ messages }) => tokens.encodePrompt(messages.slice(0, 1), { tokenizer, template }));
  return { tunebook, model: folder, template: TEMPLATE, rows, prompts: encoded, stopIds: tokens.stopIds(template, tokenizer) };
}

function summarise(job, shape, { ours, peer }) {
  const perSecond = ({ ms }) => (job.rows.length * 1000) / median(ms);
  const lengths = job.prompts.map(prompt => prompt.length);
  const line = results => [
    results[0].engine,
    spread(results.map(perSecond), 1),
    spread(
      results.map(({ ms }) => median(ms) / 1000),
      2,
    ),
    spread(results.map(({ peakBytes }) => peakBytes / 1e6)),
  ];
  const lines = [
    `${describeShape(shape)}, random weights, float32, greedy; ${job.rows.length} prompts of ${Math.min(...lengths)}–${Math.max(...lengths)} tokens, at most ${job.newTokens} new ones, ${job.batch} at a time`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${job.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([['', 'prompts/s', 's', 'peak MB'], line(ours), ...(peer.length ? [line(peer)] : [])]),
  ];
  if (!peer.length) return { text: lines.join('\n'), summary: {} };
  const ratios = ours.map((result, i) => perSecond(result) / perSecond(peer[i]));
  const same = ours[0].texts.filter((text, i) => text === peer[0].texts[i]).length / job.rows.length;
  lines.push(
    '',
    `ours / transformers: ${spread(ratios, 2)} (asked: at least 1.0); answers that are equal: ${(same * 100).toFixed(1)} %`,
  );
  return { text: lines.join('\n'), summary: { ratios, same } };
}
