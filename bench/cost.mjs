import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { costFigure } from './cost-figure.mjs';
import { median, sum, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

/** The point that every axis passes through. */
export const BASE = { length: 128, batch: 8, layers: 6, vocabulary: 8192 };
/** What each axis takes while the others stay at {@link BASE}. */
export const AXES = {
  length: [32, 64, 128, 256, 512],
  batch: [1, 2, 4, 8, 16],
  layers: [2, 4, 6, 12],
  vocabulary: [2048, 8192, 32768, 131072],
};
/** One token in so many is labelled, as in Alpaca-format rows. */
const LABELLED = 6;
/** Steps of a process that are not counted. */
const WARM = 2;

const SIDES = {
  ours: { name: 'tunebook', script: 'sft-ours.mjs' },
  trl: { name: 'TRL SFTTrainer', script: 'sft_trl.py' },
  torch: { name: 'PyTorch loop', script: 'sft_torch.py' },
};

/** Every point once, with the axes it lies on. */
export function points() {
  const all = new Map();
  for (const [axis, sizes] of Object.entries(AXES))
    for (const size of sizes) {
      const point = { ...BASE, [axis]: size };
      const key = JSON.stringify(point);
      all.set(key, { ...point, axes: [...(all.get(key)?.axes ?? []), axis] });
    }
  return [...all.values()];
}

/** Time and memory of a step against length, batch, layers and vocabulary, ours beside the peers: numbers and a figure. */
export async function benchCost(args) {
  const { values, number } = options(args, {
    peers: { type: 'string', default: 'trl,torch' },
    steps: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    out: { type: 'string', default: join('runs', 'bench') },
    missing: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '1000000' },
    draw: { type: 'string' },
    dist: { type: 'string' },
  });
  const [steps, rounds, minutes] = [number('steps'), number('rounds'), number('minutes')];
  const peers = values['no-peer'] ? [] : values.peers.split(',');
  for (const peer of peers)
    if (!Object.hasOwn(SIDES, peer) || peer === 'ours') throw new BadUsage(`--peers names trl and torch, found "${peer}"`);
  const out = resolve(values.out);
  if (values.draw) {
    const report = JSON.parse(await readFile(values.draw, 'utf8'));
    const tunebook = await import(pathToFileURL(join(builtDist(values.dist), 'index.js')));
    return draw(report, out, tunebook);
  }
  const python = peers.length ? peerPython(values.python) : undefined;
  const dist = builtDist(values.dist);
  const tunebook = await import(pathToFileURL(join(dist, 'index.js')));
  const work = join(root, '.cache', `bench-cost-${process.pid}`);
  try {
    await tunebook.backend.use('cpu');
    const sides = ['ours', ...peers];
    const file = join(out, 'cost.json');
    const known = values.missing && existsSync(file) ? JSON.parse(await readFile(file, 'utf8')).points : [];
    const results = known.filter(point => sides.every(side => point[SIDES[side].name]?.slowest));
    const left = points().filter(point => !results.some(done => keyOf(done) === keyOf(point)));
    const report = {
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.versions.node}`,
      model: `${describeShape(SHAPES.small)}, float32, all weights trained; ${values.backend}`,
      steps: steps * rounds,
      points: results,
    };
    await mkdir(out, { recursive: true });
    const end = Date.now() + minutes * 60_000;
    for (const [i, point] of left.entries()) {
      if (Date.now() > end) {
        console.error(`${left.length - i} points are left: the same command with --missing goes on`);
        break;
      }
      const job = await prepare(join(work, String(i)), tunebook, point, {
        tunebook: join(dist, 'index.js'),
        backend: values.backend,
        steps: steps + WARM,
      });
      const found = Object.fromEntries(sides.map(side => [side, { ms: [], peak: [] }]));
      for (let round = 0; round < rounds; round++)
        for (const side of sides.map((_, s) => sides[(s + i + round) % sides.length])) {
          const script = join(root, 'bench', SIDES[side].script);
          const result =
            side === 'ours'
              ? await worker(process.execPath, [script, job])
              : await worker(python, [script, job], { OMP_NUM_THREADS: String(availableParallelism()) });
          // The first step has no time; one less is left to leave out.
          found[side].ms.push(...result.ms.slice(WARM - 1));
          found[side].peak.push(result.peakBytes);
        }
      await rm(join(work, String(i)), { recursive: true, force: true });
      const measured = sides.map(side => {
        const { ms, peak } = found[side];
        return [
          SIDES[side].name,
          rounded({ ms: median(ms), fastest: Math.min(...ms), slowest: Math.max(...ms), peakMB: median(peak) / 1e6 }),
        ];
      });
      results.push({ ...point, ...Object.fromEntries(measured) });
      results.sort((a, b) => orderOf(a) - orderOf(b));
      // After every point, so that what cuts the bench short loses one point at most.
      await writeFile(file, JSON.stringify(report));
      const { length, batch, layers, vocabulary } = point;
      const said = measured.map(([side, { ms }]) => `${side} ${ms.toFixed(0)} ms`).join(', ');
      console.error(`${batch} x ${length} tokens, ${layers} layers, vocabulary ${vocabulary}: ${said}`);
    }
    console.log(summary(report));
    console.log(`\n${file}`);
    await draw(report, out, tunebook);
    tidy(file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const rounded = ({ ms, fastest, slowest, peakMB }) => ({
  ms: +ms.toPrecision(4),
  fastest: +fastest.toPrecision(4),
  slowest: +slowest.toPrecision(4),
  peakMB: Math.round(peakMB),
});

const keyOf = ({ length, batch, layers, vocabulary }) => [length, batch, layers, vocabulary].join();
const orderOf = point => points().findIndex(other => keyOf(other) === keyOf(point));

/** Model directory and rows of one point: equal lengths, so that no side pads. Returns the job's file. */
async function prepare(folder, { models, Random, tokens }, point, common) {
  const model = models.init(
    { ...SHAPES.small, numHiddenLayers: point.layers, vocabSize: point.vocabulary, eosTokenIds: [0] },
    { seed: 1 },
  );
  await mkdir(join(folder, 'model'), { recursive: true });
  await model.save(join(folder, 'model'));
  model.dispose();
  // TRL wants a tokenizer, though rows come encoded.
  await tokens.trainBPE(['a b c'], { vocabSize: 300 }).save(join(folder, 'model'));
  const random = new Random('bench/cost');
  const trained = Math.ceil(point.length / LABELLED);
  const rows = Array.from({ length: point.batch * common.steps }, () => {
    const ids = Array.from({ length: point.length }, () => random.int(point.vocabulary));
    return { ids, labels: ids.map((id, t) => (t < point.length - trained ? -100 : id)) };
  });
  const settings = { learningRate: 5e-4, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, clip: 1 };
  const job = { ...common, ...settings, model: join(folder, 'model'), rows, batch: point.batch, threads: availableParallelism() };
  const file = join(folder, 'job.json');
  await writeFile(file, JSON.stringify(job));
  return file;
}

/** The names of the sides that a report has numbers of at every point, ours first. */
export const sidesOf = report =>
  Object.values(SIDES)
    .map(({ name }) => name)
    .filter(name => report.points.every(point => point[name]));

const ranged = ({ ms, fastest, slowest }) =>
  slowest === undefined ? ms.toFixed(0) : `${ms.toFixed(0)} (${fastest.toFixed(0)}–${slowest.toFixed(0)})`;

function summary(report) {
  const sides = sidesOf(report);
  const lines = [report.model, report.machine, `median and range of ${report.steps} steps a point`, ''];
  for (const axis of Object.keys(AXES)) {
    const on = report.points.filter(point => point.axes.includes(axis)).sort((a, b) => a[axis] - b[axis]);
    lines.push(
      table([
        [axis, ...sides.flatMap(side => [`${side} ms`, 'MB']), ...sides.slice(1).map(side => `x ${side}`)],
        ...on.map(point => [
          point[axis],
          ...sides.flatMap(side => [ranged(point[side]), point[side].peakMB ?? '']),
          ...sides.slice(1).map(side => (point[side].ms / point[sides[0]].ms).toFixed(2)),
        ]),
      ]),
      '',
    );
  }
  const speed = side => Math.exp(sum(report.points.map(p => Math.log(p[side].ms / p[sides[0]].ms))) / report.points.length);
  for (const side of sides.slice(1))
    lines.push(`${side} takes ${speed(side).toFixed(2)} x our time (geometric mean of the points)`);
  return lines.join('\n');
}

/** The figure, with our own `show`: a PNG for the README and the spec it was drawn from. */
async function draw(report, out, { show }) {
  const figure = show.figure(costFigure(report, sidesOf(report), show.PALETTE));
  await mkdir(out, { recursive: true });
  const [picture, spec] = [join(out, 'cost.png'), join(out, 'cost.vl.json')];
  await writeFile(picture, await show.renderPng(figure, { scale: 1.25 }));
  await writeFile(spec, JSON.stringify(figure.spec));
  tidy(spec);
  console.log(`${picture}\n${spec}`);
}

/** What a clone commits passes its formatter. */
function tidy(file) {
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  if (existsSync(biome)) spawnSync(process.execPath, [biome, 'format', '--write', file], { cwd: root, stdio: 'ignore' });
}
