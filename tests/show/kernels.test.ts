import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VEGALITE_MIME } from '../../src/show/index.js';
import { ensureBuilt, root } from '../helpers/built.js';
import { type Done, drive, everything, noJupyter, type Output, PATIENCE, python, type Step } from '../kernel/front-end.js';

/** Deno's program: on the PATH, or named by DENO (npm's and PyPI's package `deno` carry it). */
const deno = process.env.DENO ?? 'deno';
const noDeno = spawnSync(deno, ['--version']).status === 0 ? undefined : 'no Deno: install it, or name the program in DENO';
const file = (name: string) => pathToFileURL(join(root, 'dist', name, 'index.js')).href;

/** Run cells in a kernel whose spec `install` writes. */
async function cells(kernel: string, install: (prefix: string) => Promise<unknown>, steps: Step[]): Promise<Done[]> {
  const prefix = mkdtempSync(join(tmpdir(), 'tunebook-kernels-'));
  try {
    await install(prefix);
    const env = {
      ...process.env,
      JUPYTER_PATH: join(prefix, 'share', 'jupyter'),
      JUPYTER_RUNTIME_DIR: prefix,
      IPYTHONDIR: prefix,
      DENO_DIR: join(prefix, 'deno'),
      DENO_NO_UPDATE_CHECK: '1',
    };
    const child = spawn(python, [join(root, 'tests', 'kernel', 'drive.py')], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', chunk => (out += chunk));
    const plan = { kernel, cwd: join(root, 'tests'), steps };
    child.stdin.end(JSON.stringify(plan));
    await new Promise(resolve => child.once('close', resolve));
    return (JSON.parse(out) as { steps: Done[] }).steps;
  } finally {
    rmSync(prefix, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The cells: a figure, bars of a task of four seconds, rows of hostile text. */
const codes = (load: (module: string, name: string) => string): Step[] => [
  { code: `${load('show', 'show')} await show.display(show.lossCurve({ loss: [2, 1] }));`, wait_for: 'loss' },
  {
    code: `${load('base/core', 'core')} const began = Date.now(); const task = core.progress('work', { total: 20, stop() {} });
for (let i = 1; i <= 20; i++) { await new Promise(resolve => setTimeout(resolve, 200)); task.update(i); }
task.finish('after ' + (Date.now() - began) + ' ms');`,
    wait_for: 'after',
  },
  { code: `await show.display([{ a: 1, b: '<script>x</script>' }]);`, wait_for: '<script>' },
];

const displays = (done: Done): Output[] => everything(done).filter(each => /display_data$/.test(each.type));

function expectDisplays([figure, bars, rows]: Done[]): void {
  const [shown] = displays(figure!);
  // The whole bundle, so that GitHub has its picture and a terminal its words.
  expect(Object.keys(shown!.content.data).sort()).toEqual([VEGALITE_MIME, 'image/png', 'text/plain'].sort());
  const [first, ...updates] = displays(bars!);
  expect(first!.type).toBe('display_data');
  expect(updates.length).toBeGreaterThan(1);
  for (const update of updates) {
    expect(update.type).toBe('update_display_data');
    expect(update.content.transient.display_id).toBe(first!.content.transient.display_id);
  }
  // Silent for two seconds, then drawn at most four times a second; the last two are the end of the task and of the cell.
  const last = updates.at(-1)!.content.data['text/plain'];
  expect(last).toMatch(/^work \[#{20}\] 100 % 20\/20 steps \d\d:\d\d after \d+ ms$/);
  const milliseconds = Number(/(\d+) ms$/.exec(last)![1]);
  expect(milliseconds).toBeGreaterThanOrEqual(3900);
  expect(updates.length).toBeLessThanOrEqual((milliseconds - 2000) / 250 + 3);
  const table = displays(rows!)[0]!.content.data;
  expect(table['text/html']).toContain('&lt;script&gt;');
  expect(table['text/html']).not.toContain('<script');
}

describe('displays in our kernel', () => {
  it.skipIf(noJupyter !== undefined)(
    'are rich for values of other libraries, without tunebook being imported',
    { timeout: PATIENCE },
    async () => {
      const [table, rows, plain, tensor, disposed] = await drive([
        { code: `import * as aq from 'arquero';\naq.table({ a: [1] })` },
        { code: `new Map([['<b>', 1]])` },
        { code: `({ a: 1 })` },
        {
          code: `import * as tf from '@tensorflow/tfjs-core';\nimport '@tensorflow/tfjs-backend-cpu';\nconst t = tf.tensor2d([[1, 2], [3, NaN]]);\nt`,
        },
        { code: `t.dispose();\nt` },
      ]);
      const data = (done: Done | undefined) => done!.outputs.find(each => each.type === 'execute_result')!.content.data;
      expect(data(table)['text/html']).toContain('<table>');
      expect(data(table)['text/plain']).toContain('1 row × 1 column');
      expect(data(rows)['text/html']).toContain('&lt;b&gt;');
      expect(data(plain)).toEqual({ 'text/plain': '{ a: 1 }' });
      expect(data(tensor)['text/plain']).toContain('Tensor [2, 2] float32: 1 … 3, mean 2, std 0.8165, 1 NaN');
      expect(Object.keys(data(tensor)).sort()).toEqual([VEGALITE_MIME, 'image/png', 'text/plain'].sort());
      expect(data(disposed)['text/plain']).toContain('disposed');
    },
  );
});

describe('displays in the other TypeScript kernels', () => {
  it.skipIf(noJupyter !== undefined)('tslab shows whole bundles, and updates them in place', { timeout: PATIENCE }, async () => {
    await ensureBuilt();
    const { installTslabKernelspec } = await import(join(root, 'dist', 'kernel', 'install.js'));
    const load = (module: string, name: string) => `import * as ${name} from '../dist/${module}/index.js';`;
    expectDisplays(await cells('tslab', prefix => installTslabKernelspec({ prefix }), codes(load)));
  });

  it.skipIf(noJupyter !== undefined || noDeno !== undefined)('Deno does, too', { timeout: PATIENCE }, async () => {
    await ensureBuilt();
    const { installDenoKernelspec } = await import(join(root, 'dist', 'kernel', 'install.js'));
    const load = (module: string, name: string) => `const ${name} = await import('${file(module)}');`;
    expectDisplays(await cells('deno', prefix => installDenoKernelspec({ prefix }, deno), codes(load)));
  });
});

if (noJupyter ?? noDeno) console.warn(`skipped: displays in Deno: ${noJupyter ?? noDeno}`);
