import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type * as Experiment from '../../../src/study/experiment/index.js';
import { built, driver, ended, Lab, until } from './lab.js';
import { Cluster, whyNoCluster } from './slurm-cluster.js';

describe.skipIf(whyNoCluster())('a sweep on a real Slurm', () => {
  let experiment: typeof Experiment;
  let cluster: Cluster;
  let lab: Lab;
  beforeAll(async () => {
    experiment = await built();
    // Arrays of four, so that a sweep needs several.
    cluster = await Cluster.start(['MaxArraySize=4']);
    process.env.SLURM_CONF = cluster.conf;
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    lab = new Lab();
    lab.write('trial.mjs', TRIAL);
  });
  afterEach(() => lab.remove());

  const sweep = (options: Partial<Experiment.SweepOptions>, slurm: Experiment.SlurmOptions = {}) =>
    experiment.sweep({
      trial: lab.path('trial.mjs'),
      folder: lab.path('out'),
      grace: 1,
      engine: experiment.slurm({ poll: 0.2, ...slurm }),
      env: { LAB: lab.folder },
      ...options,
    });
  const source = (grid: object) =>
    `{ trial: 'trial.mjs', folder: 'out', grace: 1, env: { LAB: ${JSON.stringify(lab.folder)} }, engine: slurm({ poll: 0.2 }), grid: ${JSON.stringify(grid)} }`;
  const begun = () => (existsSync(lab.path('notes')) ? lab.read('notes').trimEnd().split('\n') : []);
  const jobs = () => [...lab.read('out', 'journal.jsonl').matchAll(/"type":"job".*?"job":"(\d+)"/g)].map(match => match[1]!);

  /** Notes that it began, does what it is told, and waits for the file `go` where it is told to. */
  const TRIAL = `
    import { appendFileSync, existsSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    const { LAB, SLURM_JOB_ID, SLURM_ARRAY_JOB_ID, SLURM_ARRAY_TASK_ID, SLURM_RESTART_COUNT, OMP_NUM_THREADS, CUDA_VISIBLE_DEVICES } = process.env;
    export default async ({ how }, { seed }) => {
      appendFileSync(LAB + '/notes', [how, SLURM_ARRAY_JOB_ID + '_' + SLURM_ARRAY_TASK_ID, SLURM_RESTART_COUNT ?? 0].join(' ') + '\\n');
      console.log('garbage');
      if (!existsSync(LAB + '/go')) {
        if (how === 'throws') throw new Error('as told');
        if (how === 'dies') { console.error('last words'); process.kill(process.pid, 'SIGKILL'); }
        if (how === 'exits') process.exit(3);
        if (how === 'hangs') for (;;);
      }
      while (how.startsWith('waits') && !existsSync(LAB + '/go')) await sleep(20);
      return { seed, threads: Number(OMP_NUM_THREADS), job: Boolean(SLURM_JOB_ID), gpus: CUDA_VISIBLE_DEVICES?.split(',').length ?? 0 };
    };`;

  it('job arrays, with a job cancelled, a timeout, a time limit of the cluster, and trials that throw, exit and die; what failed is made again', async () => {
    const grid = { how: ['throws', 'dies', 'exits', 'waits', 'ok', 'ok2'] };
    const made = sweep({ grid, timeout: 600, threads: 2 }, { gpus: 1, time: '15', memory: '100M' });
    const finished = made.finish();
    // By itself: no time is too short for it, and one that is not may be for the others on a busy machine.
    const hung = sweep({ grid: { how: 'hangs' }, folder: lab.path('hung'), timeout: 5 }).finish();
    const long = sweep({ grid: { how: 'waits-too-long' }, folder: lab.path('long') }, { time: '5' }).finish();
    const taskOf = async (how: string) => (await until(() => begun().find(line => line.startsWith(`${how} `)))).split(' ')[1]!;
    cluster.run('scancel', await taskOf('waits'));
    // As when its five minutes are over. Slurm looks every half minute.
    cluster.run('scontrol', 'update', `JobId=${await taskOf('waits-too-long')}`, 'EndTime=now+1');
    await finished;
    const [cut] = (await (await long).results()).records;
    expect(cut).toMatchObject({ status: 'timeout', error: { message: expect.stringContaining('time limit') } });
    const { records } = await made.results();
    const of = (how: string) => records.find(({ config }) => config.how === how)!;
    expect((await (await hung).results()).records).toMatchObject([
      { status: 'timeout', error: { message: 'it took longer than 5 s' } },
    ]);
    expect(of('ok')).toMatchObject({ status: 'done', metrics: { seed: 1, threads: 2, job: true, gpus: 1 } });
    expect(of('throws')).toMatchObject({ status: 'failed', error: { message: 'as told' } });
    expect(of('dies')).toMatchObject({
      status: 'failed',
      error: { signal: 'SIGKILL', stderr: expect.stringContaining('last words') },
    });
    expect(of('exits')).toMatchObject({ status: 'failed', error: { exitCode: 3 } });
    expect(of('waits')).toMatchObject({ status: 'cancelled', error: { message: 'its job was cancelled' } });
    // Six tasks in arrays of at most four.
    expect(jobs()).toHaveLength(2);
    expect(await made.status()).toMatchObject({ done: 2, failed: 4, running: 0, waiting: 0 });
    lab.write('go', '');
    const again = await sweep({ grid, retryFailed: true }).finish();
    expect(await again.status()).toMatchObject({ done: 6, failed: 0 });
    expect(begun().filter(line => grid.how.includes(line.split(' ')[0]!))).toHaveLength(10);
  });

  it('goes on without its driver; the next one finds the jobs, also one whose number was not written down any more', async () => {
    const grid = { how: ['waits1', 'waits2'] };
    const first = driver(lab, source(grid));
    // They may begin before their driver has written down the job's number.
    await until(() => begun().length === 2 && jobs().length === 1);
    first.kill('SIGKILL');
    await ended(first);
    const journal = lab.read('out', 'journal.jsonl').trimEnd().split('\n');
    const cut = journal.findIndex(line => line.includes('"type":"job"'));
    expect(cut).toBeGreaterThan(0);
    lab.write('out/journal.jsonl', `${journal.slice(0, cut).join('\n')}\n${journal[cut]!.slice(0, 40)}`);
    // On this machine alone it does not go on: these jobs may be running.
    await expect(sweep({ grid, engine: experiment.local() }).finish()).rejects.toThrow(/task of Slurm's job.*engine slurm/s);
    const second = sweep({ grid });
    const finished = second.finish();
    lab.write('go', '');
    await finished;
    expect(await second.status()).toMatchObject({ done: 2, failed: 0, torn: 1 });
    expect(begun()).toHaveLength(2);
  });

  it('a task that Slurm puts back into its queue begins again, and cancel ends what is left', async () => {
    const made = sweep({ grid: { how: ['waits1', 'waits2'] } });
    const finished = made.finish();
    await until(() => begun().length === 2);
    const [how, task] = begun()[0]!.split(' ');
    cluster.run('scontrol', 'requeue', task!);
    // Slurm lets it wait for two minutes. Told not to, it may begin when its machine has done with its first life, and not in that second.
    const state = () => cluster.run('squeue', '--noheader', '--array', '--format=%i %T').split('\n');
    await until(() => state().some(line => line.trim() === `${task} PENDING`));
    cluster.run('scontrol', 'update', `JobId=${task}`, 'StartTime=now+3');
    await until(() => begun().some(line => line === `${how} ${task} 1`));
    // The driver rests; the jobs do not.
    made.stop();
    await finished;
    expect(await made.status()).toMatchObject({ running: 2, done: 0 });
    expect(cluster.run('squeue', '--noheader', '--states=RUNNING').trim().split('\n')).toHaveLength(2);
    await sweep({ grid: { how: ['waits1', 'waits2'] } }).cancel();
    expect(await made.status()).toMatchObject({ running: 0, done: 0, failed: 0, waiting: 2 });
    lab.write('go', '');
    await sweep({ grid: { how: ['waits1', 'waits2'] } }).finish();
    expect(await made.status()).toMatchObject({ done: 2 });
  });

  it('says what the cluster refuses, and leaves nothing begun', async () => {
    const wrong = sweep({ grid: { how: ['ok'] } }, { partition: 'nowhere' });
    await expect(wrong.finish()).rejects.toThrow(/cluster does not take the job.*invalid partition/is);
    expect(await wrong.status()).toMatchObject({ running: 0, waiting: 1 });
    const open = readFileSync(lab.path('out', 'journal.jsonl'), 'utf8');
    expect(open).toContain('"type":"withdrawn"');
    lab.write('trial.mjs', 'export const a = 1;\n');
    await expect(sweep({ grid: { how: ['ok', 'ok2'] } }).finish()).rejects.toThrow(/exports no function/);
  });
});
