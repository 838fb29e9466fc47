import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENDLESS_TYPES } from './endless-types.js';
import { type Done, driveAll, noJupyter, PATIENCE, result, type Step, stream, trace } from './front-end.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-interrupt-kernel-'));
const cut = { interrupt_on: 'go' };
const loop = `if (!globalThis.quick) { console.log('go'); while (true) {} }\nexport const whole = 'whole';\n`;
mkdirSync(join(folder, 'node_modules', 'endless'), { recursive: true });
writeFileSync(
  join(folder, 'node_modules', 'endless', 'package.json'),
  '{ "name": "endless", "type": "module", "main": "./index.js" }',
);
writeFileSync(join(folder, 'node_modules', 'endless', 'index.js'), loop);
writeFileSync(join(folder, 'inner.mjs'), loop);
writeFileSync(join(folder, 'outer.mjs'), `export * from './inner.mjs';\n`);
writeFileSync(join(folder, 'typed.ts'), loop.replaceAll('globalThis', '(globalThis as any)'));

const steps = {
  define: { code: `const kept: string = 'kept';` },
  types: { code: ENDLESS_TYPES, interrupt_on_busy: true },
  afterTypes: { code: 'kept.length' },
  checkedStill: { code: 'const wrong: number = kept;' },
  file: { code: `await import('./outer.mjs')`, ...cut },
  typed: { code: `import { whole as typed } from './typed.js'; typed`, ...cut },
  package: { code: `await import('endless')`, ...cut },
  quick: { code: `(globalThis as any).quick = true; kept` },
  fileAgain: { code: `(await import('./outer.mjs')).whole` },
  typedAgain: { code: `import { whole as typed } from './typed.js'; typed` },
  packageAgain: { code: `await import('endless')` },
  // It ends by itself: before Node 22.7 the kernel does not cut it, since the process would not survive that.
  storage: {
    code: `import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync } from 'node:fs';
const storage = new AsyncLocalStorage<string>();
const computed = () => { const { user, system } = process.cpuUsage(); return user + system; };
await storage.run('inside', async () => { await 0; console.log('go'); while (!existsSync('asked')); for (const begin = computed(); computed() - begin < 1_000_000; ); await 0; });`,
    mark: join(folder, 'asked'),
    ...cut,
  },
  storageAgain: {
    code: `[kept, await storage.run('inside', async () => { await 0; return storage.getStore() }), storage.getStore()]`,
  },
} satisfies Record<string, Step>;
type Name = keyof typeof steps;

describe.skipIf(noJupyter)(
  `an interrupt of what the kernel does for a cell${noJupyter ? ` (skipped: ${noJupyter})` : ''}`,
  () => {
    let done: Record<Name, Done>;
    beforeAll(async () => {
      done = await driveAll(steps, { cwd: folder });
    }, PATIENCE);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each(['types', 'file', 'typed', 'package', 'storage'] as const)('ends the cell: %s', name => {
      expect(done[name].reply).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    });

    it('leaves a type checker that works, and the variables', () => {
      expect(result(done.afterTypes)).toBe('4');
      expect(trace(done.checkedStill)).toContain(`Type 'string' is not assignable to type 'number'`);
      expect(result(done.quick)).toBe(`'kept'`);
    });

    it('lets a local file that was cut while it loaded be imported again', () => {
      expect(result(done.fileAgain)).toBe(`'whole'`);
      expect(result(done.typedAgain)).toBe(`'whole'`);
    });

    it('says that a package that was cut while it loaded needs a restart', () => {
      expect(done.packageAgain.reply).toMatchObject({ status: 'error' });
      expect(trace(done.packageAgain)).toMatch(/stopped while it loaded[\s\S]*endless[\s\S]*restart the kernel/);
    });

    it('keeps the process and the variables where asynchronous contexts are in use', () => {
      expect(done.storageAgain.reply).toMatchObject({ status: 'ok' });
      expect(result(done.storageAgain)).toBe(`[ 'kept', 'inside', undefined ]`);
      expect(stream(done.storageAgain, 'stderr')).toBe('');
    });
  },
);
