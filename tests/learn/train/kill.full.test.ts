import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { usable } from '../../helpers/backends.js';
import { ensureBuilt } from '../../helpers/built.js';
import { KINDS, killed, unbroken } from './kill.js';

const [native] = await usable('native');
const KILLS = 50;

describe.skipIf(!native!.here)(`a run in a process that is killed ${KILLS} times`, () => {
  beforeAll(ensureBuilt);

  it.each(KINDS)(
    '%s: its losses are those of an unbroken run',
    async kind => {
      const folder = mkdtempSync(join(tmpdir(), 'tunebook-kill-'));
      try {
        const job = (name: string) => ({ kind, steps: 900, dir: join(folder, name), out: join(folder, `${name}.json`) });
        const whole = await unbroken(job('whole'));
        const { history, kills, inSave } = await killed(job('broken'), KILLS, 300, kind);
        console.log(`${kind}: ${kills} kills, ${inSave} of them inside a save`);
        expect(kills).toBe(KILLS);
        expect(inSave).toBeGreaterThan(0);
        expect(history).toEqual(whole);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    1_200_000,
  );
});
