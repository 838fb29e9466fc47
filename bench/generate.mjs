import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { SHAPES } from './shapes.mjs';
import { options } from './usage.mjs';

const SHAPE = { ...SHAPES.smollm2, eosTokenIds: [] };
const CASES = [
  { rows: 1, prompt: 512 },
  { rows: 16, prompt: 128 },
];

/** Greedy generation, ours and transformers' `generate`, on the same model directory and prompts, in processes of their own, alternately. */
export async function benchGenerate(args) {
  const { values, number } = options(args, {
    tokens: { type: 'string', default: '64' },
    repeats: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [newTokens, repeats, rounds] = [number('tokens'), number('repeats'), number('rounds')];
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-generate-${process.pid}`);
  try {
    const job = await prepare(work, dist, { newTokens, repeats, backend: values.backend });
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const results = { ours: [], peer: [] };
    for (let round = 0; round < rounds; round++) {
      // Alternately first, so that a drift of the machine favours neither.
      for (const side of round % 2 ? ['peer', 'ours'] : ['ours', 'peer']) {
        if (side === 'peer' && !python) continue;
        const [program, script] =
          side === 'ours' ? [process.execPath, 'generate-ours.mjs'] : [python, 'generate_transformers.py'];
        const env = side === 'peer' ? { OMP_NUM_THREADS: String(job.threads) } : {};
        const result = await worker(program, [join(root, 'bench', script), file], env);
        results[side].push(result);
        const speeds = measures(job).map(({ name, of }) => `${name} ${of(result).toFixed(0)}`);
        console.error(`round ${round + 1}/${rounds} ${side}: ${speeds.join(', ')} tokens/s`);
      }
    }
    const report = summarise(job, results);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The model directory and the prompts that both sides read. */
async function prepare(work, dist, { newTokens, repeats, backend }) {
  const tunebook = join(dist, 'index.js');
  const { backend: backends, models, Random } = await import(pathToFileURL(tunebook));
  await backends.use('cpu');
  const model = models.init(SHAPE, { seed: 1 });
  await mkdir(join(work, 'model'), { recursive: true });
  await model.save(join(work, 'model'));
  model.dispose();
  const random = new Random('bench/prompts');
  const cases = CASES.map(({ rows, prompt }) => ({
    name: `${rows} × ${prompt}`,
    ids: Array.from({ length: rows }, () => Array.from({ length: prompt }, () => random.int(SHAPE.vocabSize))),
  }));
  return { tunebook, backend, model: join(work, 'model'), cases, newTokens, repeats, threads: availableParallelism() };
}

/** What is measured, and how to get tokens/s from a result: medians of the repeats. */
function measures(job) {
  return job.cases.flatMap(({ name, ids }, i) => [
    {
      name: `prefill ${name}`,
      of: result => (ids.length * ids[0].length * 1000) / median(result.cases[i].times.map(t => t.prefill)),
    },
    {
      name: `decode ${name}`,
      of: result => (ids.length * job.newTokens * 1000) / median(result.cases[i].times.map(t => t.decode)),
    },
  ]);
}

function summarise(job, { ours, peer }) {
  const lines = [
    `Llama shape of SmolLM2-135M (30L d576 ffn 1536 9/3 heads vocab 49,152), random weights, float32, greedy, ${job.newTokens} new tokens, ${job.repeats} repeats a round`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${job.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
  ];
  const summary = {};
  const heads = ['tokens/s', ours[0].engine, ...(peer.length ? [peer[0].engine, 'ours / peer'] : [])];
  const rows = measures(job).map(({ name, of }) => {
    const row = [name, spread(ours.map(of), 1)];
    if (!peer.length) return row;
    const ratios = ours.map((result, i) => of(result) / of(peer[i]));
    summary[name] = ratios;
    return [...row, spread(peer.map(of), 1), spread(ratios, 2)];
  });
  const peak = results => spread(results.map(r => r.peakBytes / 1e6));
  rows.push([
    'peak MB',
    peak(ours),
    ...(peer.length
      ? [
          peak(peer),
          spread(
            ours.map((r, i) => r.peakBytes / peer[i].peakBytes),
            2,
          ),
        ]
      : []),
  ]);
  lines.push(table([heads, ...rows]));
  if (peer.length) {
    const [a, b] = [ours[0], peer[0]].map(result => result.cases.flatMap(({ tokens }) => tokens.flat()));
    const same = a.filter((token, i) => token === b[i]).length / a.length;
    summary.sameTokens = same;
    lines.push('', `tokens equal to the peer's: ${(same * 100).toFixed(1)} %`);
  }
  return { text: lines.join('\n'), summary };
}
