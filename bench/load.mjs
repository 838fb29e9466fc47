import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { SHAPES } from './shapes.mjs';
import { options } from './usage.mjs';

/** Reading a model's file, loading it here, and transformers' from_pretrained, each in a process of its own, in turn. */
export async function benchLoad(args) {
  const { values, number } = options(args, {
    model: { type: 'string' },
    dtype: { type: 'string', default: 'float32' },
    rounds: { type: 'string', default: '5' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const rounds = number('rounds');
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const dist = builtDist(values.dist);
  const tunebook = join(dist, 'index.js');
  const work = await mkdtemp(join(tmpdir(), 'tunebook-bench-load-'));
  try {
    const model = values.model ? resolve(values.model) : await randomModel(join(work, 'model'), tunebook, values.dtype);
    const file = join(model, 'model.safetensors');
    const { size } = await stat(file);
    // The file is in the system's cache for every side, so that the disk is no part of it.
    for await (const _ of createReadStream(file, { highWaterMark: 1 << 22 }));
    const job = join(work, 'job.json');
    await writeFile(job, JSON.stringify({ tunebook, model, file, backend: values.backend }));
    const sides = {
      read: () => worker(process.execPath, [join(root, 'bench', 'load-read.mjs'), job]),
      ours: () => worker(process.execPath, [join(root, 'bench', 'load-ours.mjs'), job]),
      ...(python ? { transformers: () => worker(python, [join(root, 'bench', 'load_transformers.py'), job]) } : {}),
    };
    const names = Object.keys(sides);
    const results = Object.fromEntries(names.map(name => [name, []]));
    for (let round = 0; round < rounds; round++) {
      // Another one first each time, so that a drift of the machine favours none.
      for (let i = 0; i < names.length; i++) {
        const name = names[(round + i) % names.length];
        results[name].push(await sides[name]());
      }
      console.error(
        `round ${round + 1}/${rounds}: ${names.map(name => `${name} ${results[name].at(-1).ms.toFixed(0)} ms`).join(', ')}`,
      );
    }
    const report = summarise(results, size);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function randomModel(dir, tunebook, dtype) {
  const { backend, models } = await import(pathToFileURL(tunebook));
  await backend.use('cpu');
  console.error('making a random model of the SmolLM2-135M shape');
  const model = models.init(SHAPES.smollm2, { seed: 1 });
  await model.save(dir, { dtype });
  model.dispose();
  return dir;
}

function summarise(results, size) {
  const rows = Object.values(results).map(all => [
    all[0].engine,
    spread(all.map(r => r.ms)),
    Math.min(...all.map(r => r.ms)).toFixed(0),
    spread(
      all.map(r => size / r.ms / 1e6),
      2,
    ),
    spread(all.map(r => r.peakBytes / 1e6)),
    spread(
      all.map(r => r.peakBytes / (r.weightBytes ?? size)),
      2,
    ),
  ]);
  const against = name => results.ours.map((r, i) => r.ms / results[name][i].ms);
  const summary = { bytes: size, toRead: median(against('read')) };
  const lines = [
    `model.safetensors of ${(size / 1e6).toFixed(0)} MB, in the system's cache; a fresh process each, its libraries loaded before the clock starts`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([['', 'ms', 'fastest', 'GB/s', 'peak RSS growth MB', '/ weights'], ...rows]),
    '',
    `ours / reading the file: ${spread(against('read'), 2)}`,
  ];
  if (results.transformers) {
    summary.toTransformers = median(against('transformers'));
    lines.push(`ours / from_pretrained: ${spread(against('transformers'), 2)}`);
  }
  return { text: lines.join('\n'), summary };
}
