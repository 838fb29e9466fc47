import { cpSync, mkdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readCode } from '../../../src/study/experiment/code.js';
import { Lab } from './lab.js';

let labs: Lab[];
beforeEach(() => {
  labs = [new Lab(), new Lab()];
});
afterEach(() => {
  for (const lab of labs) lab.remove();
});

it('is the same code where a project was moved or copied, and another when a file that is imported is', async () => {
  const [here, there] = labs as [Lab, Lab];
  const trial = here.write('trial.ts', "import { k } from './lib/k.js';\nexport default () => ({ k });\n");
  mkdirSync(here.path('lib'));
  here.write('lib/k.ts', 'export const k = 1;\n');
  cpSync(here.folder, there.folder, { recursive: true });
  const { hash } = await readCode(trial, 'trial');
  expect((await readCode(there.path('trial.ts'), 'trial')).hash).toBe(hash);
  there.write('lib/k.ts', 'export const k = 2;\n');
  expect((await readCode(there.path('trial.ts'), 'trial')).hash).not.toBe(hash);
});
