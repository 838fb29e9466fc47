import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { jsonl, mlflow, type RunLogger, type StepReport, sft, tensorboard } from '../../../../src/learn/train/index.js';
import { LineFile } from '../../../../src/learn/train/logs/line-file.js';
import { scalars } from '../../../../src/learn/train/logs/logger.js';
import { Bigram, someRows } from '../bigram.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-logs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => use('cpu'));
afterEach(() => vi.restoreAllMocks());

/** What is written on stderr meanwhile. */
function stderr(): { text: string } {
  const said = { text: '' };
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    said.text += text;
    return true;
  });
  return said;
}

async function trained(logs: RunLogger[], steps = 4) {
  const model = new Bigram();
  const run = sft({
    model,
    rows: someRows(12),
    batchSize: 2,
    steps,
    evaluate: { rows: someRows(4), every: 2 },
    learningRate: 0.1,
    logs,
  });
  await run.finish();
  model.dispose();
  return run;
}

const lines = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);

it('names the numbers of a step as the columns of a history are named', () => {
  const report = { step: 3, loss: 1, lossByTask: { sum: 0.5 }, gradNorms: { 'a.weight': 2 } } as unknown as StepReport;
  expect(scalars(report)).toEqual({ loss: 1, 'loss/sum': 0.5 });
  expect(scalars(report, { gradNorms: true })).toEqual({ loss: 1, 'loss/sum': 0.5, 'gradNorm/a.weight': 2 });
});

describe('jsonl', () => {
  it('has a line for every step and evaluation, with the numbers of the run', async () => {
    const path = join(folder, 'deep/er/log.jsonl');
    const run = await trained([jsonl(path)]);
    const all = lines(path);
    const steps = all.filter(line => 'loss' in line);
    expect(steps.map(line => line.loss)).toEqual(run.history.loss);
    expect(all.filter(line => 'eval' in line).map(line => (line.eval as { heldOut: number }).heldOut)).toEqual(
      run.evaluations.map(({ heldOut }) => heldOut),
    );
    expect(all[0]).toMatchObject({ start: 'sft', total: 4, config: { batchSize: 2, optimizer: { name: 'adamw' } } });
    expect(all.at(-1)).toMatchObject({ stop: 'finished' });
  });

  it('ends a torn line before it goes on', () => {
    const path = join(folder, 'torn.jsonl');
    writeFileSync(path, '{"step":1}\n{"ste');
    new LineFile(path).append({ step: 2 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"ste\n{"step":2}\n');
  });

  it('says once that a disk takes nothing, keeps the lines, and writes them when it does', () => {
    const said = stderr();
    const path = join(folder, 'blocked/log.jsonl');
    // A file where the folder should be: nothing can be written below it.
    writeFileSync(join(folder, 'blocked'), '');
    const file = new LineFile(path);
    for (let step = 1; step <= 3; step++) file.append({ step });
    expect(file.flush()).toBe(false);
    expect(said.text.match(/cannot be written/g)).toHaveLength(1);
    rmSync(join(folder, 'blocked'));
    expect(file.flush()).toBe(true);
    expect(lines(path).map(line => line.step)).toEqual([1, 2, 3]);
  });
});

describe('a log that throws', () => {
  it('is named once and never ends the run', async () => {
    const said = stderr();
    const broken: RunLogger = {
      name: 'broken',
      onStart: () => Promise.reject(new Error('no start')),
      onStep: () => {
        throw new Error('no step');
      },
      onEval: () => {
        throw new Error('no eval');
      },
      onStop: () => Promise.reject(new Error('no stop')),
    };
    const run = await trained([broken]);
    expect(run.status).toBe('done');
    expect(said.text.match(/The log broken/g)).toHaveLength(1);
    expect(said.text).toContain('no start');
  });
});

/** Records of a TFRecord file. */
function records(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    found.push(bytes.subarray(at + 12, at + 12 + length));
    at += length + 16;
  }
  return found;
}

describe('tensorboard', () => {
  it('writes an event file with the steps and the evaluations', async () => {
    const dir = join(folder, 'tb');
    await trained([tensorboard(dir)]);
    const [name, ...more] = readdirSync(dir);
    expect(more).toEqual([]);
    expect(name).toMatch(/^events\.out\.tfevents\.\d+\./);
    const events = records(readFileSync(join(dir, name!)));
    // Version, config, 4 steps, 2 evaluations.
    expect(events).toHaveLength(8);
    expect(events[0]!.includes('brain.Event:2')).toBe(true);
    expect(events.filter(event => event.includes('train/gradNorm'))).toHaveLength(4);
    expect(events.filter(event => event.includes('eval/heldOut'))).toHaveLength(2);
  });

  it('never ends a run that it cannot follow', async () => {
    const said = stderr();
    writeFileSync(join(folder, 'file'), '');
    const run = await trained([tensorboard(join(folder, 'file/tb'))]);
    expect(run.status).toBe('done');
    expect(said.text.match(/cannot be written/g)).toHaveLength(1);
  });
});

interface Asked {
  path: string;
  body: Record<string, unknown>;
  headers: Record<string, string | string[] | undefined>;
}

describe('mlflow', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  /** A tracking server that remembers; `fail` says which requests it answers with an error. */
  async function server(fail: (path: string, count: number) => number | undefined = () => undefined) {
    const asked: Asked[] = [];
    const made = createServer((request, response) => {
      let text = '';
      request.on('data', part => {
        text += part;
      });
      request.on('end', () => {
        const path = request.url!.replace('/api/2.0/mlflow/', '');
        const body = (text ? JSON.parse(text) : {}) as Record<string, unknown>;
        asked.push({ path, body, headers: request.headers });
        const status = fail(path, asked.filter(one => one.path === path).length);
        const answers: Record<string, object> = {
          'experiments/create': { experiment_id: '7' },
          'runs/create': { run: { info: { run_id: 'r1' } } },
        };
        const missing = path.startsWith('experiments/get-by-name');
        response.writeHead(status ?? (missing ? 404 : 200), { 'content-type': 'application/json' });
        response.end(JSON.stringify(status ? { error_code: 'X' } : (answers[path] ?? {})));
      });
    });
    servers.push(made);
    await new Promise<void>(resolve => made.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, asked };
  }

  const metrics = (asked: Asked[]) =>
    asked
      .filter(({ path }) => path === 'runs/log-batch')
      .flatMap(({ body }) => body.metrics as { key: string; value: number; step: number }[]);

  it('makes experiment and run, sends every number in batches, and ends the run', async () => {
    const { url, asked } = await server();
    const run = await trained([mlflow({ url, experiment: 'über alles', headers: { authorization: 'Bearer x' }, patience: 60 })]);
    expect(asked[0]!.path).toBe(`experiments/get-by-name?experiment_name=${encodeURIComponent('über alles')}`);
    expect(asked[1]).toMatchObject({ path: 'experiments/create', body: { name: 'über alles' } });
    expect(asked[2]).toMatchObject({ path: 'runs/create', body: { experiment_id: '7', run_name: 'sft' } });
    for (const { headers } of asked) expect(headers.authorization).toBe('Bearer x');
    const losses = metrics(asked).filter(({ key }) => key === 'loss');
    expect(losses.map(({ value }) => value)).toEqual(run.history.loss);
    expect(losses.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(metrics(asked).filter(({ key }) => key === 'eval/heldOut')).toHaveLength(2);
    const params = asked.flatMap(({ body }) => (body.params ?? []) as { key: string; value: string }[]);
    expect(params).toContainEqual({ key: 'optimizer.name', value: 'adamw' });
    expect(asked.at(-1)).toMatchObject({ path: 'runs/update', body: { run_id: 'r1', status: 'FINISHED' } });
    // Four steps are one batch, or more where timers come between: numbers are not sent one by one.
    expect(asked.filter(({ path }) => path === 'runs/log-batch').length).toBeLessThan(metrics(asked).length / 2);
  });

  it('tries again what the server could not take, and goes on after what it never will', async () => {
    const said = stderr();
    const { url, asked } = await server((path, count) =>
      path === 'runs/create' && count === 1 ? 503 : path === 'runs/log-batch' && count === 1 ? 400 : undefined,
    );
    await trained([mlflow({ url, patience: 60 })]);
    expect(asked.filter(({ path }) => path === 'runs/create')).toHaveLength(2);
    expect(said.text).toMatch(/runs\/log-batch answered 400/);
    expect(asked.at(-1)).toMatchObject({ path: 'runs/update', body: { status: 'FINISHED' } });
  });

  it('neither ends nor holds up a run when nobody answers', async () => {
    const said = stderr();
    const run = await trained([mlflow({ url: 'http://127.0.0.1:9', patience: 0.05 })]);
    expect(run.status).toBe('done');
    expect(said.text.match(/The MLflow log/g)).toHaveLength(1);
  });

  it('keeps passwords out of what is recorded, and refuses what is no address', () => {
    const { settings } = mlflow({ url: 'http://me:secret@host/base', headers: { authorization: 'secret' } });
    expect(JSON.stringify(settings)).not.toContain('secret');
    expect(() => mlflow({ url: 'localhost:5000' })).toThrow(/http:\/\//);
    expect(existsSync(join(folder, 'nothing'))).toBe(false);
  });
});
