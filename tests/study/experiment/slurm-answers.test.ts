import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FILES } from '../../../src/study/experiment/attempt.js';
import { type Engine, type Sweep, sweep } from '../../../src/study/experiment/index.js';
import { Refused, type RunProgram } from '../../../src/study/experiment/slurm-commands.js';
import { SlurmSession } from '../../../src/study/experiment/slurm-session.js';
import { finishBatch, Lab } from './lab.js';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.remove());

/** A cluster that runs what it was given at the second look; `answer` may say something else first. */
function cluster(answer: (program: string, take: () => void) => string | undefined): { run: RunProgram; asked: string[] } {
  const jobs = new Map<string, { file: string; looks: number; size: number }>();
  const asked: string[] = [];
  const run: RunProgram = async (program, args) => {
    asked.push(program);
    const take = () => {
      const name = args.find(arg => arg.startsWith('--job-name='))!.slice(11);
      const size = Number(/--array=0-(\d+)/.exec(args.join(' '))![1]) + 1;
      jobs.set(name, { file: join(dirname(args.at(-1)!), FILES.batch), looks: 0, size });
    };
    const said = answer(program, take);
    if (said !== undefined) return said;
    if (program === 'sacct') throw new Refused('Slurm accounting storage is disabled');
    if (program === 'sbatch') {
      take();
      return `Welcome to the cluster\n${jobs.size};east\n`;
    }
    if (program !== 'squeue') return '';
    return [...jobs]
      .flatMap(([name, { file, size, looks }]) => {
        jobs.get(name)!.looks++;
        if (looks === 0) return [`${name}|1|0-${size - 1}|PENDING|None`];
        finishBatch(file);
        jobs.delete(name);
        return [];
      })
      .join('\n');
  };
  return { run, asked };
}

function planned(run: RunProgram): Sweep {
  lab.write('trial.mjs', 'export default () => ({});\n');
  const engine: Engine = { name: 'slurm', open: context => SlurmSession.open({ poll: 0.001 }, context, run) };
  return sweep({ trial: lab.path('trial.mjs'), folder: lab.path('out'), grid: { x: [1, 2, 3] }, engine });
}

it('a controller that took the job and could not say so any more: it is found by its name, and nothing runs twice', async () => {
  let times = 0;
  const { run, asked } = cluster((program, take) => {
    if (program !== 'sbatch' || times++ > 0) return undefined;
    take();
    throw new Refused('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation');
  });
  const made = await planned(run).finish();
  expect(await made.status()).toMatchObject({ total: 3, done: 3, failed: 0 });
  expect(asked.filter(program => program === 'sbatch')).toHaveLength(1);
});

it('a controller that was not there: what it never heard of is begun anew', async () => {
  let times = 0;
  const { run, asked } = cluster(program => {
    if (program !== 'sbatch' || times++ > 0) return undefined;
    throw new Refused('sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)');
  });
  const made = await planned(run).finish();
  const { records } = await made.results();
  expect(records.map(({ status, attempt }) => `${status} ${attempt}`)).toEqual(['done 2', 'done 2', 'done 2']);
  expect(asked.filter(program => program === 'sbatch')).toHaveLength(2);
});

it('a cancel that the controller did not hear is said again', async () => {
  let cancels = 0;
  let ended = false;
  const { run } = cluster(program => {
    if (program === 'squeue') return ended ? '' : `${/tunebook-[\w-]+/.exec(lastArgs)![0]}|1|0-2|RUNNING|None`;
    if (program !== 'scancel') return undefined;
    if (cancels++ === 0) throw new Refused('scancel: error: Unable to contact slurm controller (connect failure)');
    ended = true;
    return '';
  });
  let lastArgs = '';
  const made = planned((program, args) => {
    lastArgs = args.join(' ');
    // A driver that comes to rest leaves its jobs in the queue.
    if (program === 'squeue') made.stop();
    return run(program, args);
  });
  await made.finish();
  await made.cancel();
  expect(cancels).toBe(2);
  expect(await made.status()).toMatchObject({ total: 3, running: 0, waiting: 3 });
});
