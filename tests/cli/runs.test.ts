import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { use } from '../../src/base/backend/index.js';
import { dispatch } from '../../src/cli/commands.js';
import { init, load } from '../../src/learn/models/index.js';
import { type RunRecord, readRecords, type SftOptions, sft } from '../../src/learn/train/index.js';
import { readRows } from '../../src/prepare/data/index.js';
import { trainBPE } from '../../src/prepare/tokens/index.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-cli-runs-'));
const dir = join(folder, 'runs');
let ids: string[];
let out = '';
let err = '';
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    err += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Two runs on rows and a model on disk, which differ in the learning rate alone, and one with a hook on a model in memory. */
beforeAll(async () => {
  await use('cpu');
  const data = join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 6 }, (_, i) => JSON.stringify({ instruction: `Say ${i}`, output: `${i}` }));
  writeFileSync(data, rows.join('\n'));
  const tokenizer = trainBPE(rows, { vocabSize: 280, specialTokens: ['<|im_start|>', '<|im_end|>', '<|endoftext|>'] });
  const sizes = { vocabSize: tokenizer.vocabSize, hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 1 };
  const first = init(sizes, { seed: 1 });
  await first.save(join(folder, 'model'));
  first.dispose();
  const train = async (options: Partial<SftOptions>) => {
    const model = options.model ?? (await load(join(folder, 'model')));
    const shared = { rows: await readRows(data), tokenizer, template: 'chatml', batchSize: 2, record: dir };
    const run = sft({ ...shared, evaluate: { rows: await readRows(data) }, ...options, model } as SftOptions);
    await run.finish().catch(() => undefined);
    (model as { dispose?(): void }).dispose?.();
  };
  await train({ name: 'a', learningRate: 0.01 });
  await train({ name: 'b', learningRate: 0.02, checkpoint: { dir: join(folder, 'checkpoints') } });
  await train({
    name: 'c',
    model: init(sizes, { seed: 2 }),
    hooks: { onStep: () => Promise.reject(new Error('mine\u001b[31m')) },
  });
  // The end of a run does not wait long for git.
  await vi.waitUntil(() => readRecords(dir).every(({ record }) => record.sessions[0]!.git), { timeout: 60_000 });
  const [a, b, c] = readRecords(dir).map(({ id }) => id);
  ids = [a!, b!, c!].sort((x, y) => x.slice(20).localeCompare(y.slice(20)));
});

describe('tunebook runs', () => {
  it('lists what was recorded', async () => {
    expect(await dispatch(['runs', dir])).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^run +state +steps +loss +evaluation +started +model +commit$/);
    const about = ids.map(id => lines.find(line => line.startsWith(id))!);
    expect(about[0]).toMatch(/ finished +3\/3 +\d\.\d+ +heldOut \d\.\d+ +\d{4}-\d\d-\d\d \d\d:\d\d +model \d+ +[0-9a-f]{7}\*?$/);
    expect(about[2]).toMatch(/ failed +1\/3 .* llama \d+ /);
    out = '';
    expect(await dispatch(['runs', '--dir', dir, '--json'])).toBe(0);
    expect((JSON.parse(out) as { state: string }[]).map(({ state }) => state).sort()).toEqual(['failed', 'finished', 'finished']);
  });

  it('shows one, without control characters', async () => {
    expect(await dispatch(['runs', 'show', ids[2]!, '--dir', dir])).toBe(0);
    expect(out).toMatch(/^ {2}state +failed$/m);
    expect(out).toMatch(/^ {2}error +The hook onStep failed at step 1: mine \[31m/m);
    expect(out).toMatch(/^ {2}optimizer\.name +adamw$/m);
    expect(out).toMatch(/^ {2}versions\.backend +cpu$/m);
    expect(out).not.toContain('\u001b');
    out = '';
    expect(await dispatch(['runs', 'show', join(dir, ids[0]!), '--json'])).toBe(0);
    expect((JSON.parse(out) as RunRecord).name).toBe('a');
  });

  it('says only in what two differ, and what they reached', async () => {
    expect(await dispatch(['runs', 'diff', ids[0]!, ids[1]!, '--dir', dir])).toBe(0);
    expect(out).toMatch(/^learningRate +0\.01 +0\.02$/m);
    expect(out).toMatch(/^checkpoint\.dir /m);
    expect(out).not.toMatch(/batchSize|SHA-256|versions and machine/);
    expect(out).toMatch(/^loss +\d\.\d+ +\d\.\d+$/m);
    expect(out).toMatch(/^evaluation heldOut +\d\.\d+ +\d\.\d+$/m);
    out = '';
    await dispatch(['runs', 'diff', ids[0]!, ids[2]!, '--dir', dir]);
    expect(out).toMatch(/^base\.sha256 +[0-9a-f]{12} +[0-9a-f]{12}$/m);
    out = '';
    await dispatch(['runs', 'diff', ids[0]!, ids[0]!, '--dir', dir]);
    expect(out).toContain('The two have the same settings');
  });

  it('runs one again from what is on disk, and leaves its checkpoints alone', async () => {
    const before = readFileSync(join(folder, 'checkpoints/step-000003/checkpoint.json'));
    expect(await dispatch(['runs', 'again', ids[1]!, '--dir', dir])).toBe(0);
    expect(out).toContain('bit for bit');
    expect(readFileSync(join(folder, 'checkpoints/step-000003/checkpoint.json'))).toEqual(before);
    expect(readRecords(dir)).toHaveLength(4);
  });

  it('says what is missing to run one again', async () => {
    expect(await dispatch(['runs', 'again', ids[2]!, '--dir', dir])).toBe(2);
    expect(err).toMatch(/hooks: hooks onStep.*model: it was made in memory/s);
  });

  it('helps with what is typed wrongly', async () => {
    expect(await dispatch(['runs', '--help'])).toBe(0);
    expect(out).toContain('tunebook runs diff RUN RUN');
    for (const [args, message] of [
      [['show', 'nothing', '--dir', dir], /no such run/],
      [['show', ids[0]!.slice(0, 4), '--dir', dir], /More than one run/],
      [['shwo'], /did you mean "tunebook runs show"/],
      [['diff', ids[0]!], /diff RUN RUN/],
      [['--jsn'], /--jsn/],
    ] as const) {
      err = '';
      expect(await dispatch(['runs', ...args])).toBe(2);
      expect(err).toMatch(message);
    }
  });

  it('finds the latest', async () => {
    expect(await dispatch(['runs', 'show', 'latest', '--dir', dir, '--json'])).toBe(0);
    expect((JSON.parse(out) as RunRecord).id).toBe(readRecords(dir).at(-1)!.id);
  });
});
