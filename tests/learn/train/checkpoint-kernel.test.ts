import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Done, driveAll, noJupyter, PATIENCE, result, type Step, stream } from '../../kernel/front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-kernel-save-'));
const ASKED = join(folder, 'asked');
const cut = { interrupt_on: 'go', timeout: 180 };
/** A run of 8 steps in a folder of its own; `at` is called inside its third step or save. */
const run = (name: string) => `const ${name} = make('${name}')`;
const state = (name: string) => `[${name}.status, ${name}.step, readdirSync('${name}').join()]`;
const rest = (name: string) => `await ${name}.resume().finish(); [${name}.status, same(${name}.history.loss)]`;

const steps = {
  define: {
    code: `import { backend, models, train } from 'tunebook';
import { existsSync, readdirSync } from 'node:fs';
await backend.use('cpu');
const signal = () => (globalThis as any)[Symbol.for('tunebook.host')].signal as AbortSignal;
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms));
// Microseconds of processor time: on a machine that stands still none pass.
const computed = () => { const { user, system } = process.cpuUsage(); return user + system; };
const rows = Array.from({ length: 10 }, (_, i) => ({ ids: [1, 2 + i, 3, 4 + i], labels: [-100, 2 + i, 3, 4 + i] }));
const shape = { vocabSize: 20, hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, numKeyValueHeads: 2, maxPositionEmbeddings: 16 };
function make(dir: string, every = 100) {
  const model = models.init(shape, { seed: 1 });
  return train.sft({ model, rows, batchSize: 2, steps: 8, learningRate: 0.01, seed: 1, checkpoint: { dir, every } });
}
const whole = await make('whole').finish();
const same = (loss: number[]) => JSON.stringify(loss) === JSON.stringify(whole.loss);`,
  },
  inStep: {
    code: `${run('step')};
const compute = step.model.lossAndGradients.bind(step.model); let calls = 0;
step.model.lossAndGradients = (...args) => { if (++calls === 3) { console.log('go'); while (!existsSync('asked')) {} const begin = computed(); while (computed() - begin < 700_000) {} } return compute(...args); };
await step.finish(); console.log('not reached');`,
    mark: ASKED,
    ...cut,
  },
  inStepState: { code: state('step') },
  inStepRest: { code: rest('step') },
  inSave: {
    code: `const save = make('save', 3);
const write = save.model.save!.bind(save.model); let saves = 0;
save.model.save = async (dir: string) => { await write(dir); if (++saves > 1) return; console.log('go'); await new Promise<void>(done => { const wait = () => signal().aborted ? setTimeout(done, 400) : setImmediate(wait); wait(); }); };
await save.finish(); console.log('not reached');`,
    ...cut,
  },
  inSaveState: { code: state('save') },
  inSaveRest: { code: rest('save') },
  inBody: {
    code: `${run('body')};
for await (const { step: at } of body) if (at === 4) { console.log('go'); await sleep(60_000); }`,
    ...cut,
  },
  inBodyState: { code: state('body') },
  inBodyRest: { code: rest('body') },
  inListener: {
    code: `${run('listener')};
listener.onStep(({ step: at }) => { if (at === 5) { console.log('go'); while (true) {} } });
await listener.finish();`,
    ...cut,
  },
  inListenerRest: { code: rest('listener') },
} satisfies Record<string, Step>;

describe.skipIf(noJupyter)(`a run whose cell is interrupted ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: folder }));
  }, PATIENCE);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['inStep', 3],
    ['inSave', 3],
    ['inBody', 4],
  ] as const)(
    '%s: it ends after the step with a whole checkpoint, the kernel lives, and resume() goes on to the same losses',
    (name, at) => {
      expect(done.define.reply.status).toBe('ok');
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
      expect(stream(done[name])).not.toContain('not reached');
      expect(result(done[`${name}State`])).toBe(`[ 'stopped', ${at}, 'step-00000${at}' ]`);
      expect(result(done[`${name}Rest`])).toBe("[ 'done', true ]");
    },
  );

  it('where code of the cell that does not answer was stopped by force, resume() goes on all the same', () => {
    expect(done.inListener.reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    expect(result(done.inListenerRest)).toBe("[ 'done', true ]");
  });

  it('nothing half-written stays', () => {
    for (const dir of ['step', 'save', 'body', 'listener'])
      for (const name of readdirSync(join(folder, dir))) expect(name).toMatch(/^step-\d{6}$/);
  });
});
