import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILES } from '../../../src/study/experiment/attempt.js';
import type * as Experiment from '../../../src/study/experiment/index.js';
import { sweep as planned } from '../../../src/study/experiment/index.js';
import type { RunProgram } from '../../../src/study/experiment/slurm-commands.js';
import { SlurmSession } from '../../../src/study/experiment/slurm-session.js';
import { built, finishBatch, Lab, runs, until } from './lab.js';
import { Cluster, whyNoCluster } from './slurm-cluster.js';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.remove());

describe.skipIf(whyNoCluster())('a machine of the cluster that dies', () => {
  let experiment: typeof Experiment;
  let cluster: Cluster;
  beforeAll(async () => {
    experiment = await built();
    cluster = await Cluster.start(['SlurmdTimeout=10']);
    process.env.SLURM_CONF = cluster.conf;
  });
  afterAll(() => cluster?.stop());

  it('slurmd is killed in mid-sweep, with what it ran: in the end every trial is done', { timeout: 900_000 }, async () => {
    lab.write(
      'trial.mjs',
      `import { appendFileSync, existsSync } from 'node:fs';
       import { setTimeout as sleep } from 'node:timers/promises';
       const { LAB } = process.env;
       export default async ({ x }) => {
         appendFileSync(LAB + '/notes', x + ' ' + process.pid + '\\n');
         while (!existsSync(LAB + '/go')) await sleep(50);
         return { y: x };
       };`,
    );
    const made = experiment.sweep({
      trial: lab.path('trial.mjs'),
      folder: lab.path('out'),
      grid: { x: [1, 2, 3, 4, 5, 6] },
      env: { LAB: lab.folder },
      engine: experiment.slurm({ poll: 0.5 }),
    });
    const finished = made.finish();
    const begun = () =>
      existsSync(lab.path('notes'))
        ? lab
            .read('notes')
            .trimEnd()
            .split('\n')
            .map(line => Number(line.split(' ')[1]))
        : [];
    await until(() => begun().length === 4);
    const first = begun();
    await cluster.killNode();
    for (const pid of first) if (runs(pid)) process.kill(pid, 'SIGKILL');
    await until(() => /\bdown/.test(cluster.run('sinfo', '--noheader')));
    lab.write('go', '');
    cluster.startNode();
    await finished;
    // A task whose process was killed before its machine was given up counts as failed: nobody can tell it from one that was killed.
    const again = await experiment
      .sweep({
        trial: lab.path('trial.mjs'),
        folder: lab.path('out'),
        grid: { x: [1, 2, 3, 4, 5, 6] },
        env: { LAB: lab.folder },
        retryFailed: true,
        engine: experiment.slurm({ poll: 0.5 }),
      })
      .finish();
    expect(await again.status()).toMatchObject({ total: 6, done: 6, failed: 0, running: 0 });
  });
});

describe('ten thousand simulated trials', () => {
  /** A cluster that answers at once: tasks wait at the first look, and have left their results at the second. */
  function simulated(): RunProgram {
    const waiting = new Map<string, { size: number; file: string; looks: number }>();
    let job = 0;
    return async (program, args) => {
      if (program === 'scontrol') return 'MaxArraySize = 1001\n';
      if (program === 'sacct') throw new Error('none');
      if (program === 'sbatch') {
        const name = /--job-name=(.*)/.exec(args.find(arg => arg.startsWith('--job-name'))!)![1]!;
        const size = Number(/--array=0-(\d+)/.exec(args.join(' '))![1]) + 1;
        waiting.set(name, { size, file: join(dirname(args.at(-1)!), FILES.batch), looks: 0 });
        return `${++job}\n`;
      }
      const lines: string[] = [];
      for (const [name, batch] of waiting) {
        if (batch.looks++ === 0) lines.push(`${name}|1|0-${batch.size - 1}|PENDING|None`);
        else {
          finishBatch(batch.file);
          waiting.delete(name);
        }
      }
      return lines.join('\n');
    };
  }

  /** Microseconds of processor time and bytes of heap that a sweep of so many trials takes, submitted, journalled and read again. */
  async function cost(trials: number): Promise<{ time: number; heap: number }> {
    const run = simulated();
    const engine: Experiment.Engine = { name: 'slurm', open: context => SlurmSession.open({ poll: 0.001 }, context, run) };
    const made = planned({
      trial: lab.path('trial.mjs'),
      folder: lab.path(`out${trials}`),
      grid: { x: Array.from({ length: trials / 10 }, (_, i) => i) },
      seeds: 10,
      engine,
    });
    const before = process.cpuUsage();
    global.gc?.();
    const heap = process.memoryUsage().heapUsed;
    await made.finish();
    expect(await made.status()).toMatchObject({ total: trials, done: trials });
    const { user, system } = process.cpuUsage(before);
    global.gc?.();
    return { time: user + system, heap: process.memoryUsage().heapUsed - heap };
  }

  it('cost four times what a quarter of them costs, and little memory', { timeout: 600_000 }, async () => {
    lab.write('trial.mjs', 'export default () => ({});\n');
    await cost(500);
    const quarter = await cost(2500);
    const all = await cost(10_000);
    console.log(
      `2,500: ${(quarter.time / 1e6).toFixed(1)} s; 10,000: ${(all.time / 1e6).toFixed(1)} s of processor time, ${(all.heap / 1e6).toFixed(0)} MB`,
    );
    // 4 where the cost is linear, 16 where it is quadratic.
    expect(all.time / quarter.time).toBeLessThan(8);
    expect(all.heap).toBeLessThan(100e6);
  });
});
