import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alpacaLike } from './alpaca-like.mjs';
import { builtDist } from './built.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

/** Sides by the name of their worker. */
const SIDES = {
  ours: 'sft-ours.mjs',
  trl: 'sft_trl.py',
  torch: 'sft_torch.py',
};

/** Ours, TRL's SFTTrainer and (--loop) a PyTorch loop on the same model, rows and order, in processes of their own, by turns. */
export async function benchSft(args) {
  const { values, number } = options(args, {
    data: { type: 'string' },
    steps: { type: 'string', default: '20' },
    // Steps before the timed ones: allocators, thread pools and caches settle.
    warm: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '8' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    loop: { type: 'boolean', default: false },
    shape: { type: 'string', default: 'small' },
    length: { type: 'string' },
    lora: { type: 'string' },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [steps, warm, rounds, batch] = [number('steps'), number('warm'), number('rounds'), number('batch')];
  const shape = SHAPES[values.shape];
  if (!shape) throw new BadUsage(`--shape is one of ${Object.keys(SHAPES).join(', ')}, found "${values.shape}"`);
  if (values.loop && values.lora) throw new BadUsage('--loop trains all weights: leave --lora out');
  const length = values.length && number('length');
  const lora = values.lora && number('lora');
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const dist = builtDist(values.dist);

  const work = join(root, '.cache', `bench-sft-${process.pid}`);
  try {
    const job = await prepare(work, dist, {
      ...{ data: values.data, batch, steps: steps + warm, warm, backend: values.backend },
      ...{ shape, length, lora },
    });
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const sides = ['ours', ...(python ? ['trl'] : []), ...(python && values.loop ? ['torch'] : [])];
    const results = Object.fromEntries(sides.map(side => [side, []]));
    for (let round = 0; round < rounds; round++) {
      // Each in turn first, so that a drift of the machine favours none.
      const order = sides.map((_, i) => sides[(i + round) % sides.length]);
      for (const side of order) {
        const script = join(root, 'bench', SIDES[side]);
        const result =
          side === 'ours'
            ? await worker(process.execPath, [script, file])
            : await worker(python, [script, file], { OMP_NUM_THREADS: String(job.threads) });
        results[side].push(result);
        console.error(`round ${round + 1}/${rounds} ${side}: ${median(timed(job, result)).toFixed(0)} ms a step`);
      }
    }
    const report = summarise(job, results);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Tokenizer, encoded rows and model directory that both sides read. */
async function prepare(work, dist, { data, batch, steps, warm, backend, shape, length, lora }) {
  const tunebook = join(dist, 'index.js');
  const { backend: backends, data: reading, models, Random, tokens } = await import(pathToFileURL(tunebook));
  const rows = await reading.readRows(data ? resolve(data) : alpacaLike(Random));
  const texts = rows.flatMap(row => row.messages.flatMap(({ content, input }) => (input ? [content, input] : [content])));
  const tokenizer = tokens.trainBPE(texts, { vocabSize: Math.min(shape.vocabSize, 8192) });
  const shuffled = new Random('bench/order').shuffle(rows);
  const { rows: short } = tokens.encodeRows(shuffled, { tokenizer, template: 'alpaca' });
  const encoded = length ? ofLength(short, length) : short;
  const needed = batch * steps;
  // As many epochs as the steps ask for, laid out flat: both sides read from the first row to the last.
  const flat = Array.from({ length: needed }, (_, i) => encoded[i % encoded.length]);
  await backends.use('cpu');
  const model = models.init({ ...shape, eosTokenIds: [tokenizer.eosId] }, { seed: 1 });
  await mkdir(join(work, 'model'), { recursive: true });
  await model.save(join(work, 'model'));
  await tokenizer.save(join(work, 'model'));
  if (lora) {
    // Both sides begin from the same A, so that their loss curves can be compared.
    model.attach(models.lora({ rank: lora, alpha: lora, targets: 'all-linear' }));
    await models.saveAdapter(model, join(work, 'adapter'));
  }
  model.dispose();
  return {
    tunebook,
    shape,
    lora,
    adapter: lora ? join(work, 'adapter') : undefined,
    data: data ?? 'generated rows',
    backend,
    model: join(work, 'model'),
    rows: flat.map(({ ids, labels }) => ({ ids, labels })),
    batch,
    steps,
    warm,
    threads: availableParallelism(),
    // SFTConfig's own defaults, but for a learning rate that suits a model from scratch.
    learningRate: 5e-4,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    clip: 1,
  };
}

/** Rows of one length: as many of the given ones after each other as it takes, the last one cut. */
function ofLength(rows, length) {
  const long = [];
  let [ids, labels] = [[], []];
  for (const row of rows) {
    ids.push(...row.ids);
    labels.push(...row.labels);
    if (ids.length < length) continue;
    long.push({ ids: ids.slice(0, length), labels: labels.slice(0, length) });
    [ids, labels] = [[], []];
  }
  return long;
}

/** Times of the steps that count: ms[i] belongs to step i + 1 (0-based), the first step has no time. */
const timed = (job, result) => result.ms.slice(job.warm - 1);

function summarise(job, results) {
  const batches = [];
  for (let i = job.warm * job.batch; i < job.rows.length; i += job.batch) batches.push(job.rows.slice(i, i + job.batch));
  const labels = row => row.labels.filter((label, t) => t > 0 && label !== -100).length;
  const tokens = sum(batches.flat().map(row => row.ids.length));
  const labelTokens = sum(batches.flat().map(labels));
  const padded = sum(batches.map(rows => rows.length * Math.max(...rows.map(row => row.ids.length))));
  const flop = sum(batches.map(rows => flopOf(job, rows, labels))) / batches.length;
  const perSecond = (count, result) => (count * 1000) / sum(timed(job, result));
  const column = (name, side) => {
    const all = results[side];
    const each = f => all.map(f);
    return [
      name,
      spread(each(r => median(timed(job, r)))),
      Math.min(...each(r => Math.min(...timed(job, r)))).toFixed(0),
      spread(each(r => perSecond(tokens, r))),
      spread(
        each(r => perSecond(labelTokens, r)),
        1,
      ),
      spread(each(r => r.peakBytes / 1e6)),
      spread(each(r => r.matmul)),
      spread(each(r => (flop / median(timed(job, r)) / 1e6 / r.matmul) * 100)),
    ];
  };
  const heads = ['', 'ms/step', 'fastest', 'tokens/s', 'label-tokens/s', 'peak MB', 'matmul GFLOP/s', '% of it'];
  const columns = Object.keys(results)
    .filter(side => results[side].length)
    .map(side => column(results[side][0].engine, side));
  const lines = [
    `${describeShape(job.shape)}, float32${job.lora ? `, LoRA rank ${job.lora} on every linear module` : ''}; ${job.data}; batch ${job.batch}, ${job.steps - job.warm} timed steps`,
    `${(tokens / batches.length).toFixed(0)} tokens and ${(labelTokens / batches.length).toFixed(0)} label tokens a step; padding in the peer's batches ${((1 - tokens / padded) * 100).toFixed(1)} %; ${(flop / 1e9).toFixed(1)} GFLOP a step without padding`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${job.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([heads, ...columns]),
  ];
  const summary = { tokens, labelTokens, padding: 1 - tokens / padded };
  for (const [side, name] of [
    ['trl', 'TRL'],
    ['torch', 'PyTorch loop'],
  ]) {
    const peers = results[side];
    if (!peers?.length) continue;
    const ratios = results.ours.map((r, i) => perSecond(labelTokens, r) / perSecond(labelTokens, peers[i]));
    const memory = results.ours.map((r, i) => r.peakBytes / peers[i].peakBytes);
    const worst = Math.max(...results.ours[0].loss.map((loss, i) => Math.abs(loss / peers[0].loss[i] - 1)));
    summary[side] = { ratios, memory, lossDifference: worst };
    lines.push(
      '',
      `ours / ${name} in label-tokens/s: ${spread(ratios, 2)}; peak memory ${spread(memory, 2)}`,
      `loss curves: largest relative difference ${worst.toExponential(1)}${worst < 1e-2 ? ', they agree' : ': THEY DO NOT AGREE'}`,
    );
    if (!(worst < 1e-2)) process.exitCode = 1;
  }
  if (results.trl?.length) lines.push('', table([['step', 'ours', 'TRL', 'ours |g|', 'TRL |g|'], ...lossRows(results)]));
  return { text: lines.join('\n'), summary };
}

function lossRows({ ours: [ours], trl: [trl] }) {
  const every = Math.max(1, Math.floor(ours.loss.length / 8));
  return ours.loss.flatMap((loss, i) =>
    i % every && i !== ours.loss.length - 1
      ? []
      : [[i + 1, loss.toFixed(4), trl.loss[i].toFixed(4), ours.gradNorm[i].toFixed(3), trl.gradNorm[i].toFixed(3)]],
  );
}

/**
 * Multiply-adds counted as two. Forward once, backward twice (by inputs and by weights), but for frozen weights backward once;
 * attention as full squares.
 */
function flopOf({ shape, lora }, rows, labels) {
  const {
    hiddenSize: d,
    intermediateSize: f,
    numHiddenLayers: layers,
    numAttentionHeads: h,
    numKeyValueHeads: k,
    headDim,
  } = shape;
  const linear = layers * (d * headDim * (2 * h + 2 * k) + 3 * d * f);
  const passes = lora ? 4 : 6;
  return sum(
    rows.map(
      row =>
        passes * linear * row.ids.length +
        12 * layers * h * headDim * row.ids.length ** 2 +
        passes * shape.vocabSize * d * labels(row),
    ),
  );
}
