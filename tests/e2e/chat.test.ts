import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/built.js';
import { type Done, driveAll, noJupyter, PATIENCE, result, type Step, stream } from '../kernel/front-end.js';

const base = join(root, 'notebooks', 'assets', 'quickstart-base');
// Without stop tokens the model writes to the end of its context; `linger` makes that seconds, in which the cell is interrupted.
const endless = `{ template: 'chatml', stopIds: [], maxNewTokens: 10_000 }`;

const steps = {
  load: {
    code: `import { backend, models, show } from 'tunebook';
await backend.use(); const model = await models.load(${JSON.stringify(base)}); model.chat.length;`,
  },
  awaited: { code: `const reply = await model.chat('repeat these words : bee', { template: 'chatml', maxNewTokens: 8 }); reply` },
  // The last expression of a cell is awaited by itself.
  lastExpression: { code: `model.chat('repeat these words : bee', { template: 'chatml', maxNewTokens: 8 })` },
  later: { code: `reply` },
  cut: {
    code: `const before = backend.memory().tensors; let heard = 0;
const linger = () => { if (++heard === 20) console.log('go'); if (heard > 20) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); };
const cut = model.chat('tell', { ...${endless}, onToken: linger });
await cut;`,
    interrupt_on: 'go',
    timeout: 180,
  },
  cutLoop: {
    code: `heard = 0; const loop = model.chat('tell', ${endless});
for await (const piece of loop) linger();`,
    interrupt_on: 'go',
    timeout: 180,
  },
  after: { code: `[cut.state, loop.state, backend.memory().tensors - before, cut.text.length > 0]` },
  goesOn: { code: `(await model.chat('repeat these words : bee', { template: 'chatml', maxNewTokens: 8 })).text === reply.text` },
} satisfies Record<string, Step>;

const displays = ({ outputs }: Done) => outputs.filter(({ type }) => /display_data$/.test(type));

describe.skipIf(noJupyter)(`chat in a notebook cell ${noJupyter ?? ''}`, () => {
  const done = {} as Record<keyof typeof steps, Done>;
  beforeAll(async () => {
    Object.assign(done, await driveAll(steps, { cwd: join(root, 'notebooks') }));
  }, PATIENCE);

  it('shows the conversation in one place, and the cell’s value adds only its note', () => {
    for (const name of ['awaited', 'lastExpression'] as const) {
      expect(done[name].reply.status, JSON.stringify(done[name].reply)).toBe('ok');
      const [first, ...updates] = displays(done[name]);
      expect(first!.type).toBe('display_data');
      for (const update of updates) expect(update.type).toBe('update_display_data');
      const ids = displays(done[name]).map(({ content }) => content.transient.display_id);
      expect(new Set(ids).size).toBe(1);
      const last = displays(done[name]).at(-1)!.content.data;
      expect(last['text/plain']).toMatch(/^user {7}repeat these words : bee\nassistant {2}[^▍]+$/);
      expect(last['text/html']).toContain('tb-turn');
      expect(result(done[name])).toMatch(/^\d+ tokens after \d+ of the prompt/);
    }
    expect(result(done.later)).toMatch(/^user {7}repeat these words : bee\nassistant {2}/);
  });

  it('an interrupt ends it, shows what was said, frees everything, and the model goes on', () => {
    for (const name of ['cut', 'cutLoop'] as const) {
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    }
    expect(stream(done.cut)).toBe('go\n');
    expect(displays(done.cut).at(-1)!.content.data['text/plain']).toMatch(/\nstopped$/);
    expect(result(done.after)).toBe("[ 'stopped', 'stopped', 0, true ]");
    expect(result(done.goesOn)).toBe('true');
  });
});
