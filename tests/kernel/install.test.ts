import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, root } from '../helpers/built.js';

const prefix = mkdtempSync(join(tmpdir(), 'tunebook-install-'));
// The built module: it knows where the built kernel is.
let install: typeof import('../../src/kernel/install.js');
beforeAll(async () => {
  await ensureBuilt();
  install = await import(join(root, 'dist', 'kernel', 'install.js'));
});
afterAll(() => rmSync(prefix, { recursive: true, force: true }));

describe('kernelspec', () => {
  it('points at this Node and this build, and asks for interrupts by message', async () => {
    const folder = await install.installKernelspec({ prefix });
    expect(folder).toBe(join(prefix, 'share', 'jupyter', 'kernels', 'tunebook'));
    const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'));
    expect(spec.argv).toEqual([process.execPath, join(root, 'dist', 'kernel', 'main.js'), '{connection_file}']);
    expect(existsSync(spec.argv[1])).toBe(true);
    expect(spec).toMatchObject({ display_name: 'TypeScript (tunebook)', language: 'typescript', interrupt_mode: 'message' });
    expect(readdirSync(folder).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is installed twice without harm, listed, and removed', async () => {
    await install.installKernelspec({ prefix });
    await install.installTslabKernelspec({ prefix });
    const specs = await install.kernelspecs({ prefix });
    expect(specs.map(({ name }) => name)).toEqual(['tslab', 'tunebook']);
    expect(existsSync(specs[0]!.argv[1]!)).toBe(true);
    expect(await install.uninstallKernelspec({ prefix })).toBe(true);
    expect(await install.uninstallKernelspec({ prefix })).toBe(false);
    expect((await install.kernelspecs({ prefix })).map(({ name }) => name)).toEqual(['tslab']);
  });

  it('of Deno names the program itself, and is refused where none runs', async () => {
    await expect(install.installDenoKernelspec({ prefix }, join(prefix, 'no-deno'))).rejects.toThrow(
      /does not run as Deno.*Fix: /,
    );
    // Names that a replacement pattern would change.
    const deno = join(prefix, "deno $& $'");
    writeFileSync(deno, '#!/bin/sh\necho "$0"\n', { mode: 0o755 });
    const folder = await install.installDenoKernelspec({ prefix }, deno);
    const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'));
    expect(spec.argv).toEqual([deno, 'jupyter', '--kernel', '--conn', '{connection_file}']);
    expect(await install.uninstallKernelspec({ prefix }, 'deno')).toBe(true);
  });

  it('says how to name a Python when one does not run', () => {
    expect(() => install.pythonPrefix('/no/such/python')).toThrow(/does not run as a Python.*Fix: .*--python/);
  });
});
