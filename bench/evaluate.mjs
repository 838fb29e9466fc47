// npm run bench -- evaluate: scoring many short prompts, and such behind common examples, as `evaluate.score` does it, beside transformers'
// generate; and the latter with the examples computed once beside every prompt in full.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

const TEMPLATE = 'chatml';

export async function benchEvaluate(args) {
  const { values, number } = options(args, {
    prompts: { type: 'string', default: '400' },
    tokens: { type: 'string', default: '24' },
    batch: { type: 'string', default: '50' },
    shots: { type: 'string', default: '8' },
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
  const shots = values.shots === '0' ? 0 : number('shots');
  const shape = SHAPES[values.shape];
  if (!shape) throw new BadUsage(`--shape is one of ${Object.keys(SHAPES).join(', ')}, found "${values.shape}"`);
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const tunebook = join(builtDist(values.dist), 'index.js');
  const work = join(root, '.cache', `bench-evaluate-${process.pid}`);
  try {
    const job = await prepare(work, { tunebook, shape, prompts, shots });
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
        const seconds = result.cases.map(({ name, ms }) => `${name} ${(median(ms) / 1000).toFixed(2)} s`);
        console.error(`round ${round + 1}/${rounds} ${side}: ${seconds.join(', ')}`);
      }
    const report = summarise(job, shape, results);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Rows of the kind that tasks are made of, a tokenizer made for them and a model with random weights, which hardly ever stops early. */
async function prepare(work, { tunebook, shape, prompts, shots }) {
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
  const layerWeights = sum(model.linearModules().map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
  model.dispose();
  const examples = rows.slice(0, shots).flatMap(({ messages }) => messages);
  // Prompts behind examples are longer: a quarter as many.
  const behind = rows.slice(shots, shots + Math.ceil(rows.length / 4)).map(row => ({ messages: [...examples, ...row.messages] }));
  const cases = [{ name: 'plain', rows, shots: 0 }, ...(shots > 0 ? [{ name: `${shots} shots`, rows: behind, shots }] : [])];
  for (const one of cases)
    one.prompts = one.rows.map(({ messages }) => tokens.encodePrompt(messages.slice(0, -1), { tokenizer, template }));
  return { tunebook, model: folder, template: TEMPLATE, cases, stopIds: tokens.stopIds(template, tokenizer), layerWeights };
}

function summarise(job, shape, { ours, peer }) {
  const lines = [
    `${describeShape(shape)}, random weights, float32, greedy; at most ${job.newTokens} new tokens, ${job.batch} prompts at a time`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${job.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
  ];
  const summary = {};
  job.cases.forEach(({ name, prompts, shots }, at) => {
    const lengths = prompts.map(prompt => prompt.length);
    const flop = 2 * job.layerWeights * (sum(lengths) + prompts.length * job.newTokens);
    const line = (label, results, of) => [
      label,
      spread(
        results.map(result => (prompts.length * 1000) / median(of(result))),
        1,
      ),
      spread(
        results.map(result => median(of(result)) / 1000),
        2,
      ),
      spread(results.map(result => (flop / 1e6 / median(of(result)) / ours[0].matmul) * 100)),
    ];
    const ms = result => result.cases[at].ms;
    const wholeMs = result => result.cases[at].wholeMs;
    const ratios = (above, below) => above.map((value, i) => median(value) / median(below[i]));
    const same = (a, b) => (a.filter((text, i) => text === b[i]).length / a.length) * 100;
    lines.push(
      '',
      `${name}: ${prompts.length} prompts of ${Math.min(...lengths)}–${Math.max(...lengths)} tokens`,
      '',
      table([
        ['', 'prompts/s', 's', '% of matmul speed'],
        line(ours[0].engine, ours, ms),
        ...(shots > 0 ? [line('  every prompt in full', ours, wholeMs)] : []),
        ...(peer.length ? [line(peer[0].engine, peer, ms)] : []),
      ]),
      '',
    );
    const { texts, wholeTexts } = ours[0].cases[at];
    if (shots > 0) {
      const gain = ratios(ours.map(wholeMs), ours.map(ms));
      lines.push(`cached / in full: ${spread(gain, 2)}; answers that are equal: ${same(texts, wholeTexts).toFixed(1)} %`);
      summary[`${name} cached`] = gain;
    }
    if (peer.length) {
      const won = ratios(peer.map(ms), ours.map(ms));
      const equal = same(texts, peer[0].cases[at].texts);
      lines.push(`ours / transformers: ${spread(won, 2)} (asked: at least 1.0); answers that are equal: ${equal.toFixed(1)} %`);
      summary[name] = { ratios: won, same: equal / 100 };
    }
  });
  const peak = results => spread(results.map(({ peakBytes }) => peakBytes / 1e6));
  lines.push('', `peak MB: ours ${peak(ours)}${peer.length ? `, transformers ${peak(peer)}` : ''}`);
  lines.push(
    '% of matmul speed: products of all prompts in full and all new tokens; what is cached is counted as if it were computed',
  );
  return { text: lines.join('\n'), summary };
}
