import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtDist } from './built.mjs';
import { spread, table } from './numbers.mjs';
import { options } from './usage.mjs';

/** What a sweep adds to each of its trials: trials that do nothing, beside Node processes that do nothing. */
export async function benchSweep(args) {
  const { values, number } = options(args, {
    trials: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '1' },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [trials, rounds, concurrency] = ['trials', 'rounds', 'concurrency'].map(name => number(name));
  const { sweep } = await import(pathToFileURL(join(builtDist(values.dist), 'study/experiment/index.js')));
  const work = await mkdtemp(join(tmpdir(), 'tunebook-bench-sweep-'));
  try {
    await writeFile(join(work, 'trial.ts'), 'export default ({ x }: { x: number }) => ({ y: x });\n');
    const results = { bare: [], first: [], trial: [] };
    for (let round = 0; round < rounds; round++) {
      let start = performance.now();
      for (let i = 0; i < 5; i++) spawnSync(process.execPath, ['-e', '0']);
      results.bare.push((performance.now() - start) / 5);
      const made = seeds =>
        sweep({ trial: join(work, 'trial.ts'), folder: join(work, `${round}`), grid: { x: [1] }, seeds, concurrency });
      start = performance.now();
      await made(1).finish();
      const first = performance.now() - start;
      start = performance.now();
      await made(1 + trials).finish();
      const all = performance.now() - start;
      // Reading and compiling the trial's code, once for a sweep, is in the first number and not in the second.
      const opened = await timed(() => made(1 + trials).finish());
      results.first.push(first);
      results.trial.push(((all - opened) * concurrency) / trials);
    }
    const text = [
      `${trials} trials that do nothing, ${concurrency} at a time; ${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
      '',
      table([
        ['', 'ms'],
        ['a Node process that does nothing', spread(results.bare)],
        ['one trial: process, code, result, journal', spread(results.trial)],
        ['a sweep of one trial: the code compiled, too', spread(results.first)],
      ]),
    ].join('\n');
    console.log(text);
    if (values.json) await writeFile(values.json, JSON.stringify({ text, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function timed(action) {
  const start = performance.now();
  await action();
  return performance.now() - start;
}
