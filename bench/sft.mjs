import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alpacaLike } from './alpaca-like.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { options } from './usage.mjs';

/** Steps before the timed ones: allocators, thread pools and caches settle. */
const WARM = 3;
const SHAPE = {
  vocabSize: 8192,
  hiddenSize: 256,
  intermediateSize: 688,
  numHiddenLayers: 6,
  numAttentionHeads: 8,
  numKeyValueHeads: 8,
  headDim: 32,
  maxPositionEmbeddings: 2048,
  tieWordEmbeddings: true,
};

/** Ours and TRL's SFTTrainer on the same model directory, rows and order, in processes of their own, one after the other. */
export async function benchSft(args) {
  const { values, number } = options(args, {
    data: { type: 'string' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '8' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [steps, rounds, batch] = [number('steps'), number('rounds'), number('batch')];
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const dist = resolve(values.dist ?? join(root, 'dist'));
  if (!values.dist) {
    const built = spawnSync(process.execPath, [join(root, 'setup', 'build.mjs'), '--if-stale'], { stdio: 'inherit' });
    if (built.status !== 0) throw new Error('the build failed');
  }

  const work = join(root, '.cache', `bench-sft-${process.pid}`);
  try {
    const job = await prepare(work, dist, { data: values.data, batch, steps: steps + WARM, backend: values.backend });
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const results = { ours: [], trl: [] };
    for (let round = 0; round < rounds; round++) {
      // Alternately first, so that a drift of the machine favours neither.
      const order = round % 2 ? ['trl', 'ours'] : ['ours', 'trl'];
      for (const side of order) {
        if (side === 'trl' && !python) continue;
        const [program, script] = side === 'ours' ? [process.execPath, 'sft-ours.mjs'] : [python, 'sft_trl.py'];
        const result = await worker(
          program,
          [join(root, 'bench', script), file],
          side === 'trl' ? { OMP_NUM_THREADS: String(job.threads) } : {},
        );
        results[side].push(result);
        console.error(`round ${round + 1}/${rounds} ${side}: ${median(timed(result)).toFixed(0)} ms a step`);
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
async function prepare(work, dist, { data, batch, steps, backend }) {
  const tunebook = join(dist, 'index.js');
  const { backend: backends, data: reading, models, Random, tokens } = await import(pathToFileURL(tunebook));
  const rows = await reading.readRows(data ? resolve(data) : alpacaLike(Random));
  const texts = rows.flatMap(row => row.messages.flatMap(({ content, input }) => (input ? [content, input] : [content])));
  const tokenizer = tokens.trainBPE(texts, { vocabSize: SHAPE.vocabSize });
  const shuffled = new Random('bench/order').shuffle(rows);
  const { rows: encoded } = tokens.encodeRows(shuffled, { tokenizer, template: 'alpaca' });
  const needed = batch * steps;
  // As many epochs as the steps ask for, laid out flat: both sides read from the first row to the last.
  const flat = Array.from({ length: needed }, (_, i) => encoded[i % encoded.length]);
  await backends.use('cpu');
  const model = models.init({ ...SHAPE, eosTokenIds: [tokenizer.eosId] }, { seed: 1 });
  await mkdir(join(work, 'model'), { recursive: true });
  await model.save(join(work, 'model'));
  await tokenizer.save(join(work, 'model'));
  model.dispose();
  return {
    tunebook,
    data: data ?? 'generated rows',
    backend,
    model: join(work, 'model'),
    rows: flat.map(({ ids, labels }) => ({ ids, labels })),
    batch,
    steps,
    threads: availableParallelism(),
    // SFTConfig's own defaults, but for a learning rate that suits a model from scratch.
    learningRate: 5e-4,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    clip: 1,
  };
}

/** Times of the steps that count: ms[i] belongs to step i + 1 (0-based), the first step has no time. */
const timed = result => result.ms.slice(WARM - 1);

function summarise(job, results) {
  const batches = [];
  for (let i = WARM * job.batch; i < job.rows.length; i += job.batch) batches.push(job.rows.slice(i, i + job.batch));
  const labels = row => row.labels.filter((label, t) => t > 0 && label !== -100).length;
  const tokens = sum(batches.flat().map(row => row.ids.length));
  const labelTokens = sum(batches.flat().map(labels));
  const padded = sum(batches.map(rows => rows.length * Math.max(...rows.map(row => row.ids.length))));
  const flop = sum(batches.map(rows => flopOf(rows, labels))) / batches.length;
  const perSecond = (count, result) => (count * 1000) / sum(timed(result));
  const column = (name, side) => {
    const all = results[side];
    const each = f => all.map(f);
    return [
      name,
      spread(each(r => median(timed(r)))),
      Math.min(...each(r => Math.min(...timed(r)))).toFixed(0),
      spread(each(r => perSecond(tokens, r))),
      spread(
        each(r => perSecond(labelTokens, r)),
        1,
      ),
      spread(each(r => r.peakBytes / 1e6)),
      spread(each(r => r.matmul)),
      spread(each(r => (flop / median(timed(r)) / 1e6 / r.matmul) * 100)),
    ];
  };
  const heads = ['', 'ms/step', 'fastest', 'tokens/s', 'label-tokens/s', 'peak MB', 'matmul GFLOP/s', '% of it'];
  const columns = Object.keys(results)
    .filter(side => results[side].length)
    .map(side => column(results[side][0].engine, side));
  const lines = [
    `Llama shape 6L d256 ffn 688 8 heads vocab 8,192, float32; ${job.data}; batch ${job.batch}, ${job.steps - WARM} timed steps`,
    `${(tokens / batches.length).toFixed(0)} tokens and ${(labelTokens / batches.length).toFixed(0)} label tokens a step; padding in the peer's batches ${((1 - tokens / padded) * 100).toFixed(1)} %; ${(flop / 1e9).toFixed(1)} GFLOP a step without padding`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${job.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([heads, ...columns]),
  ];
  const summary = { tokens, labelTokens, padding: 1 - tokens / padded };
  if (results.trl.length) {
    const ratios = results.ours.map((r, i) => perSecond(labelTokens, r) / perSecond(labelTokens, results.trl[i]));
    const apart = results.ours[0].loss.map((loss, i) => Math.abs(loss / results.trl[0].loss[i] - 1));
    const worst = Math.max(...apart);
    Object.assign(summary, { ratios, lossDifference: worst });
    lines.push(
      '',
      `ours / TRL in label-tokens/s: ${spread(ratios, 2)}`,
      `loss curves: largest relative difference ${worst.toExponential(1)}${worst < 1e-2 ? ', they agree' : ': THEY DO NOT AGREE'}`,
      '',
      table([['step', 'ours', 'TRL', 'ours |g|', 'TRL |g|'], ...lossRows(results)]),
    );
    if (!(worst < 1e-2)) process.exitCode = 1;
  }
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

/** Multiply-adds of forward and backward counted as two, times three for the two products of the gradient; attention as full squares. */
function flopOf(rows, labels) {
  const { hiddenSize: d, intermediateSize: f, numHiddenLayers: layers, vocabSize } = SHAPE;
  return sum(
    rows.map(
      row =>
        6 * layers * (4 * d * d + 3 * d * f) * row.ids.length +
        12 * layers * d * row.ids.length ** 2 +
        6 * vocabSize * d * labels(row),
    ),
  );
}
