import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, table } from './numbers.mjs';
import { root, worker } from './peer.mjs';
import { SHAPES } from './shapes.mjs';
import { options } from './usage.mjs';

const SHAPE = { ...SHAPES.smollm2, eosTokenIds: [] };
/** What a step with LoRA may take of a full step's memory. */
const FLOOR = 0.6;

/** A step of LoRA beside one of full fine-tuning, in processes of their own, one after the other: memory and time. */
export async function benchLora(args) {
  const { values, number } = options(args, {
    steps: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '4' },
    length: { type: 'string', default: '128' },
    rank: { type: 'string', default: '8' },
    backend: { type: 'string', default: 'native' },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [steps, rounds, batch, length] = [number('steps'), number('rounds'), number('batch'), number('length')];
  const rank = number('rank');
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-lora-${process.pid}`);
  try {
    const tunebook = join(dist, 'index.js');
    const { backend, models, Random } = await import(pathToFileURL(tunebook));
    await backend.use('cpu');
    const model = models.init(SHAPE, { seed: 1 });
    await mkdir(join(work, 'model'), { recursive: true });
    await model.save(join(work, 'model'));
    model.dispose();
    const random = new Random('bench/lora');
    const rows = Array.from({ length: batch * steps }, () => {
      const ids = Array.from({ length }, () => random.int(SHAPE.vocabSize));
      return { ids, labels: ids.map((id, t) => (t < length / 2 ? -100 : id)) };
    });
    const file = join(work, 'job.json');
    const job = { tunebook, backend: values.backend, model: join(work, 'model'), rows, batch, steps, rank };
    await writeFile(file, JSON.stringify(job));
    const results = { full: [], lora: [] };
    for (let round = 0; round < rounds; round++) {
      // Alternately first, so that a drift of the machine favours neither.
      for (const side of round % 2 ? ['lora', 'full'] : ['full', 'lora']) {
        const result = await worker(process.execPath, [join(root, 'bench', 'lora-ours.mjs'), file, side]);
        results[side].push(result);
        console.error(`round ${round + 1}/${rounds} ${side}: peak ${(result.peak / 1e6).toFixed(0)} MB`);
      }
    }
    const report = summarise(results, { batch, length, rank, steps });
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
    if (report.ratio > FLOOR) process.exitCode = 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function summarise(results, { batch, length, rank, steps }) {
  const column = (name, all) => [
    name,
    all[0].trained.toLocaleString('en'),
    spread(all.map(r => r.peak / 1e6)),
    spread(all.map(r => r.grown / 1e6)),
    spread(all.map(r => median(r.ms))),
  ];
  const ratio = median(results.lora.map((r, i) => r.peak / results.full[i].peak));
  const grown = median(results.lora.map((r, i) => r.grown / results.full[i].grown));
  const text = [
    `SmolLM2-135M shape, float32, AdamW; ${batch} rows of ${length} tokens, half of them labelled; ${steps} steps; LoRA rank ${rank} on all linear modules`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([
      [results.full[0].engine, 'trained', 'peak MB', 'of it model and steps', 'ms/step'],
      column('full', results.full),
      column('lora', results.lora),
    ]),
    '',
    `LoRA's peak memory is ${ratio.toFixed(2)} of full fine-tuning's (floor ${FLOOR}: ${ratio <= FLOOR ? 'held' : 'missed'}); ${grown.toFixed(2)} without what the process holds before`,
  ].join('\n');
  return { text, ratio, grown };
}
