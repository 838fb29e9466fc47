// npm run bench -- trial: a small experiment's training run, ours beside the same in PyTorch.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { describeShape, SHAPES } from './shapes.mjs';
import { options } from './usage.mjs';

/** Tokens of the string-rewriting world: letters from FIRST on; what stands before, between and behind them. */
const [LETTERS, FIRST, END] = [16, 4, 3];
const [ARROW, GIVEN, ANSWER] = [20, 21, 22];

/** A rule x → y of two letters each, a text of eight that contains x, and the text rewritten: 24 tokens, of which 9 are labelled. */
export function rewritingRow(random) {
  const letters = n => Array.from({ length: n }, () => FIRST + random.int(LETTERS));
  const [from, to, text] = [letters(2), letters(2), letters(8)];
  const at = random.int(7);
  text.splice(at, 2, ...from);
  const answer = text.toSpliced(at, 2, ...to);
  const prompt = [...from, ARROW, ...to, GIVEN, ...text, ANSWER];
  const ids = [...prompt, ...answer, END];
  return { ids, labels: ids.map((id, t) => (t < prompt.length ? -100 : id)) };
}

export async function benchTrial(args) {
  const { values, number } = options(args, {
    steps: { type: 'string', default: '400' },
    warm: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    batch: { type: 'string', default: '128' },
    backend: { type: 'string', default: 'native' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [steps, warm, rounds, batch] = ['steps', 'warm', 'rounds', 'batch'].map(number);
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const tunebook = join(builtDist(values.dist), 'index.js');
  const work = join(root, '.cache', `bench-trial-${process.pid}`);
  try {
    const { backend, models, Random } = await import(pathToFileURL(tunebook));
    await backend.use('cpu');
    await mkdir(join(work, 'model'), { recursive: true });
    const model = models.init({ ...SHAPES.trial, eosTokenIds: [END] }, { seed: 1 });
    await model.save(join(work, 'model'));
    model.dispose();
    const random = new Random('bench/trial');
    const job = {
      ...{ tunebook, backend: values.backend, model: join(work, 'model'), batch, steps: steps + warm },
      rows: Array.from({ length: (steps + warm) * batch }, () => rewritingRow(random)),
      ...{ threads: availableParallelism(), learningRate: 1.5e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, clip: 1 },
    };
    const file = join(work, 'job.json');
    await writeFile(file, JSON.stringify(job));
    const sides = { ours: [process.execPath, 'sft-ours.mjs'], ...(python && { torch: [python, 'sft_torch.py'] }) };
    const results = Object.fromEntries(Object.keys(sides).map(side => [side, []]));
    for (let round = 0; round < rounds; round++)
      for (const side of Object.keys(sides).sort(() => (round % 2 ? -1 : 1))) {
        const [program, script] = sides[side];
        const begun = performance.now();
        const result = await worker(program, [join(root, 'bench', script), file], { OMP_NUM_THREADS: String(job.threads) });
        // ms[i] belongs to step i + 1: the first has no time.
        results[side].push({ ...result, ms: result.ms.slice(warm - 1), process: (performance.now() - begun) / 1000 });
        console.error(`round ${round + 1}/${rounds} ${side}: ${median(results[side].at(-1).ms).toFixed(1)} ms a step`);
      }
    const report = summarise(job, results, steps);
    console.log(report.text);
    if (values.json) await writeFile(values.json, JSON.stringify({ ...report, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function summarise({ rows, batch, threads }, { ours, torch = [] }, steps) {
  const seconds = ({ ms }) => sum(ms) / 1000;
  const line = results => [
    results[0].engine,
    spread(
      results.map(({ ms }) => median(ms)),
      1,
    ),
    Math.min(...results.flatMap(({ ms }) => ms)).toFixed(1),
    spread(results.map(seconds), 1),
    spread(
      results.map(({ process }) => process),
      1,
    ),
    spread(results.map(({ peakBytes }) => peakBytes / 1e6)),
  ];
  const heads = ['', 'ms/step', 'fastest', `${steps} steps, s`, 'process, s', 'peak MB'];
  const lines = [
    `${describeShape(SHAPES.trial)}, string rewriting: ${batch} rows of ${rows[0].ids.length} tokens, 9 labelled`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([heads, line(ours), ...(torch.length ? [line(torch)] : [])]),
  ];
  if (torch.length === 0) return { text: lines.join('\n'), summary: {} };
  const ratios = ours.map((result, i) => seconds(result) / seconds(torch[i]));
  // Over hundreds of steps float32 sums in another order part ways: the first steps must agree, the end must be as good.
  const early = Math.max(...ours[0].loss.slice(0, 20).map((loss, i) => Math.abs(loss / torch[0].loss[i] - 1)));
  const agree = early < 1e-2;
  lines.push(
    '',
    `our time / PyTorch's: ${spread(ratios, 2)} (asked: at most 1.6)`,
    `loss curves: the first 20 steps differ by at most ${early.toExponential(1)}${agree ? '' : ': THEY DO NOT AGREE'}; at the end ${ours[0].loss.at(-1).toFixed(4)} and ${torch[0].loss.at(-1).toFixed(4)}`,
  );
  if (!agree) process.exitCode = 1;
  return { text: lines.join('\n'), summary: { ratios, early } };
}
