import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { usable } from '../../helpers/backends.js';
import { ensureBuilt } from '../../helpers/built.js';
import { KINDS, type KillJob, killed, start, unbroken } from './kill.js';

const [native] = await usable('native');

// Fifty kills of each kind: kill.full.test.ts.
describe.skipIf(!native!.here)('a run in a process that is killed', () => {
  let folder: string;
  const job = (kind: KillJob['kind'], name: string, steps: number): KillJob => ({
    kind,
    steps,
    dir: join(folder, name),
    out: join(folder, `${name}.json`),
  });
  beforeAll(ensureBuilt);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tunebook-kill-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(KINDS)('%s: at random moments and inside a save; resumed, its losses are those of an unbroken run', async kind => {
    const whole = unbroken(job(kind, 'whole', 24));
    const broken = job(kind, 'broken', 24);
    if (kind === 'full') {
      const { signal } = await start({ ...broken, die: 3 }).ended;
      expect(signal).toBe('SIGKILL');
      const left = readdirSync(broken.dir);
      expect(left.filter(name => name.startsWith('.writing'))).toHaveLength(1);
      expect(left).toContain('step-000002');
      expect(left).not.toContain('step-000003');
    }
    const { history } = await killed(broken, 2, 150, kind);
    expect(history).toEqual(await whole);
    // What killed saves left is gone, and two checkpoints are kept.
    expect(readdirSync(broken.dir).sort()).toEqual(['step-000023', 'step-000024']);
  });

  it('SIGTERM and SIGINT: it ends after the step with a checkpoint, as by that signal', async () => {
    const whole = await unbroken(job('full', 'whole', 40));
    const broken = { ...job('full', 'broken', 40), every: 1000 };
    const checkpoints: string[] = [];
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = start({ ...broken, pause: 200 });
      await child.begun;
      child.process.kill(signal);
      const ended = await child.ended;
      expect(ended.signal).toBe(signal);
      expect(ended.errors).toContain(`${signal}: "sft" ends after this step`);
      const last = Number(/step (\d+)\n$/.exec(ended.output)![1]);
      expect(last).toBeLessThan(40);
      checkpoints.push(`step-${String(last).padStart(6, '0')}`);
      expect(readdirSync(broken.dir).sort()).toEqual(checkpoints);
    }
    const { history } = await killed(broken, 0, 0, 'signals');
    expect(history).toEqual(whole);
  });

  it('files may not become so large: the run goes to its end, says what is wrong, and leaves nothing half-written', async () => {
    const { code, output, errors } = await start({ ...job('full', 'limited', 4), limit: 64 }).ended;
    expect(code).toBe(1);
    expect(output).toContain('step 4\n');
    for (const step of [1, 2, 3, 4])
      expect(errors).toContain(`The checkpoint of step ${step} could not be written: a file would be larger`);
    expect(errors).toContain("run.save('/another/disk/run')");
    expect(readdirSync(job('full', 'limited', 4).dir)).toEqual([]);
  });
});
