import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSweepOptions } from '../../src/cli/sweep-options.js';
import { ensureBuilt, root } from '../helpers/built.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-cli-sweep-'));
const file = join(folder, 'sweep.ts');
beforeAll(async () => {
  await ensureBuilt();
  writeFileSync(
    join(folder, 'trial.ts'),
    `import { existsSync } from 'node:fs';
     export default ({ rate, method }: { rate: number; method: string }, { seed }: { seed: number }) => {
       if (method === 'b' && seed === 2 && !existsSync(${JSON.stringify(join(folder, 'mended'))})) throw new Error('not yet\\u001b[31m');
       return { accuracy: rate + seed / 100, loss: seed };
     };`,
  );
  writeFileSync(
    file,
    `interface Grid { rate: number[]; method: string[] }
     const grid: Grid = { rate: [0.5, 0.75], method: ['a', 'b'] };
     export default { name: 'small', trial: './trial.ts', grid, seeds: 2 };`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  // From elsewhere: what the module names lies beside it.
  return spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), 'sweep', ...args], { cwd: tmpdir(), encoding: 'utf8' });
}

describe('tunebook sweep', () => {
  it('runs what a module describes, says what failed, makes that again, and writes tables', () => {
    const before = run(file, '--status');
    expect([before.status, before.stdout]).toEqual([
      0,
      expect.stringContaining('small: 8 trials, 0 done, 0 failed, 0 running, 8 waiting'),
    ]);
    const first = run(file);
    expect(first.stdout).toContain(`small: 8 trials, 6 done, 2 failed, 0 running, 0 waiting (${join(folder, 'sweeps/small')})`);
    expect(first.stdout).toMatch(/^ {2}[0-9a-f]{16} failed: not yet \[31m \(rate 0\.5, method b, seed 2\)$/m);
    expect(first.status).toBe(1);
    writeFileSync(join(folder, 'mended'), '');
    const second = run(file, '--retry-failed', '--concurrency', '2');
    expect([second.status, second.stdout]).toEqual([0, expect.stringContaining('8 done, 0 failed')]);
    const table = run(file, '--table', '--csv', join(folder, 'all.csv'), '--parquet', join(folder, 'all.parquet'));
    expect(table.status).toBe(0);
    expect(table.stdout).toMatch(/^rate +method +accuracy +95 % interval +seeds +missing$/m);
    expect(table.stdout).toMatch(/^0\.75 +b +0\.765 +0\.7015 to 0\.8285 +2 +0$/m);
    expect(readFileSync(join(folder, 'all.csv'), 'utf8').split('\n')[0]).toBe(
      'trial,seed,rate,method,accuracy,loss,status,error,seconds,attempt',
    );
    expect(existsSync(join(folder, 'all.parquet'))).toBe(true);
    expect(run(file, '--table', '--metric', 'los').stderr).toContain('did you mean "loss"?');
    const json = JSON.parse(run(file, '--status', '--table', '--json').stdout) as { status: object; rows: object[] };
    expect(json.status).toMatchObject({ total: 8, done: 8 });
    expect(json.rows).toHaveLength(8);
    expect(run(file, '--cancel').status).toBe(0);
  });

  it.each<[string, string[], RegExp]>([
    ['no file', [], /no sweep is named/],
    ['two files', ['a.ts', 'b.ts'], /one sweep at a time/],
    ['a misspelt option', ['a.ts', '--retry-faild'], /did you mean --retry-failed\?/],
    ['an engine there is none of', ['a.ts', '--engine', 'slrum'], /did you mean slurm\?/],
    ['what is for Slurm alone', ['a.ts', '--gpus', '1'], /add --engine slurm/],
    ['no number', ['a.ts', '--timeout', 'soon'], /not a number/],
    ['a metric of no table', ['a.ts', '--metric', 'x'], /add --table/],
  ])('refuses %s', (_, args, message) => {
    expect(() => readSweepOptions(args)).toThrow(message);
  });

  it('understands what Slurm gives a trial, and help', () => {
    const command = readSweepOptions([
      'a.ts',
      '--engine',
      'slurm',
      '--gpus',
      'a100:1',
      '--time',
      '1-00:00:00',
      '--cpus',
      '4',
      '--retry',
      '2',
    ]);
    expect(command).toMatchObject({ file: 'a.ts', look: false, overrides: { retry: 2, engine: { name: 'slurm' } } });
    expect(() => readSweepOptions(['a.ts', '--engine', 'slurm', '--partition', 'a b'])).toThrow(/"slurm\.partition".*a word/);
    expect(readSweepOptions(['--help'])).toBeUndefined();
  });

  it('says what it cannot write, and ends quietly when nobody listens any more', () => {
    const csv = run(file, '--csv', join(folder, 'trial.ts', 'all.csv'));
    expect(csv).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^A file cannot be read or written: EEXIST[^\n]*\n$/),
    });
    const other = run(file, '--folder', join(folder, 'trial.ts'));
    expect(other).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/the sweep's folder cannot be written.*(ENOTDIR|EEXIST)/),
    });
    const command = `'${process.execPath}' '${join(root, 'dist/cli/main.js')}' sweep '${file}' --status; echo "ended $?" >&2`;
    const piped = spawnSync('bash', ['-c', `(sleep 0.2; ${command}) | true`], { encoding: 'utf8' });
    expect(piped.stderr).toBe('ended 0\n');
  });

  it('says what is wrong with a module', () => {
    const broken = join(folder, 'broken.ts');
    // Without a name its folder lies beside it all the same.
    writeFileSync(broken, "export default { trial: './trial.ts' };");
    expect(run(broken, '--status').stdout).toContain(`(${join(folder, 'sweeps', 'trial')})`);
    expect(run(join(folder, 'nothing.ts'))).toMatchObject({ status: 2, stderr: expect.stringMatching(/there is no such sweep/) });
    writeFileSync(broken, 'export default { trial: ;');
    expect(run(broken)).toMatchObject({ status: 2, stderr: expect.stringMatching(/broken\.ts:1: it does not compile/) });
    writeFileSync(broken, 'export default () => { throw new RangeError("no such world"); };');
    expect(run(broken)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /broken\.ts: the module of the sweep fails\. Found RangeError: no such world \(at .*broken\.ts:1:/,
      ),
    });
    writeFileSync(broken, 'export default { grid: {} };');
    expect(run(broken)).toMatchObject({ status: 2, stderr: expect.stringMatching(/exports no options of a sweep/) });
    writeFileSync(broken, "export default { trial: './trial.ts', seds: 2 };");
    expect(run(broken)).toMatchObject({ status: 2, stderr: expect.stringMatching(/did you mean "seeds"\?/) });
  });
});
