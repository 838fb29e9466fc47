import { fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { root } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

/** What following a run with a chart may cost of its speed. */
const LIMIT = 0.02;
const WARM = 5;

/** The cost of `show.live`: one run, in blocks with the chart and without by turns, so that pairs share the machine's mood. */
export async function benchDisplay(args) {
  const { values, number } = options(args, {
    shape: { type: 'string', default: 'small' },
    pairs: { type: 'string', default: '12' },
    block: { type: 'string', default: '20' },
    batch: { type: 'string', default: '8' },
    length: { type: 'string', default: '80' },
    backend: { type: 'string', default: 'native' },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const shape = SHAPES[values.shape];
  if (!shape) throw new BadUsage(`--shape is one of ${Object.keys(SHAPES).join(', ')}, found "${values.shape}"`);
  const [pairs, block, batch, length] = ['pairs', 'block', 'batch', 'length'].map(number);
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-display-${process.pid}`);
  try {
    await mkdir(work, { recursive: true });
    const { Random } = await import(pathToFileURL(join(dist, 'index.js')));
    const random = new Random('bench/display');
    // One batch over and over: every step is the same work.
    const rows = Array.from({ length: batch }, () => {
      const ids = Array.from({ length }, () => random.int(shape.vocabSize));
      return { ids, labels: ids.map((id, t) => (t < (length * 5) / 6 ? -100 : id)) };
    });
    const steps = WARM + pairs * 2 * (block + 1);
    const job = {
      tunebook: join(dist, 'index.js'),
      shape,
      rows,
      batch,
      steps,
      warm: WARM,
      pairs,
      block,
      backend: values.backend,
    };
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const report = summarise(await follow(file), { shape, batch, length, block });
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify(report, undefined, 1));
    if (report.verdict === 'missed') process.exitCode = 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Run the worker and do for its displays what a kernel's protocol process does: read, sign, serialise. */
function follow(job) {
  return new Promise((resolve, reject) => {
    const child = fork(join(root, 'bench', 'display-ours.mjs'), [job], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    let out = '';
    child.stdout.on('data', data => {
      out += data;
    });
    child.on('message', text => {
      const { data, metadata } = JSON.parse(text);
      createHmac('sha256', 'bench').update(JSON.stringify({ data, metadata })).digest('hex');
    });
    child.on('error', reject);
    child.on('exit', code => {
      if (code === 0) resolve(JSON.parse(out.trim().split('\n').at(-1)));
      else reject(new Error(`the training process ended with ${code}`));
    });
  });
}

function summarise({ engine, pairs, drawing }, { shape, batch, length, block }) {
  const shown = pairs.map(pair => pair.shown);
  const time = middle(pairs.map(pair => pair.shown.ms / pair.plain.ms - 1));
  const cpu = middle(pairs.map(pair => pair.shown.cpu / pair.plain.cpu - 1));
  const seconds = sum(shown.map(each => each.seconds));
  const perSecond = sum(shown.map(each => each.count)) / seconds;
  const bytes = sum(shown.map(each => each.bytes)) / Math.max(1, sum(shown.map(each => each.count)));
  const percent = x => `${(100 * x).toFixed(2)} %`;
  const direct = (perSecond * median(drawing)) / 1000;
  const said = ({ median, low, high }) => `${percent(median)} (middle half of the pairs ${percent(low)} to ${percent(high)})`;
  const verdict = judge(time);
  const text = [
    `${describeShape(shape)}, ${batch} rows of ${length} tokens; ${engine}; ${pairs.length} pairs of blocks of ${block} steps`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([
      ['', 'ms/step', 'processor ms/step', 'updates/s', 'kB/update'],
      ['without', spread(pairs.map(pair => pair.plain.ms)), spread(pairs.map(pair => pair.plain.cpu)), 0, ''],
      [
        'show.live',
        spread(shown.map(each => each.ms)),
        spread(shown.map(each => each.cpu)),
        perSecond.toFixed(1),
        (bytes / 1000).toFixed(1),
      ],
    ]),
    '',
    `the live chart costs ${said(time)} of the time of a step, ${said(cpu)} of its processor time; limit ${percent(LIMIT)}: ${verdict}`,
    `by itself an update takes ${median(drawing).toFixed(2)} ms: ${percent(direct)} of the time; the last state with its PNG, once a run, ${spread(shown.map(each => each.last))} ms`,
  ].join('\n');
  return { text, verdict, time, cpu, direct, perSecond, pairs };
}

/** Median and quartiles: half of the pairs lie within, what is beyond is the machine's noise. */
function middle(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = q => sorted[Math.round(q * (sorted.length - 1))];
  return { median: median(values), low: at(0.25), high: at(0.75) };
}

/** Whether the limit is held; a machine may be too noisy to tell. */
export function judge({ median, low }) {
  if (median <= LIMIT) return 'held';
  return low <= LIMIT ? 'not decided on so noisy a machine' : 'missed';
}
