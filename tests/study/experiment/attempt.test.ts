import { mkdirSync, utimesSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { left } from '../../../src/study/experiment/attempt.js';
import { exitError } from '../../../src/study/experiment/local.js';
import { Lab } from './lab.js';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
  mkdirSync(lab.path('1'));
});
afterEach(() => lab.remove());

it('an attempt on a machine that is no more (a container has another name when it is started anew) is lost after its last sign of life', async () => {
  const claim = lab.write('1/claim.json', JSON.stringify({ host: 'elsewhere.example', pid: 17, start: 'boot 3', at: 'then' }));
  expect(await left(lab.path('1'))).toMatchObject({ claim: { host: 'elsewhere.example' } });
  const then = new Date(Date.now() - 3_600_000);
  utimesSync(claim, then, then);
  expect(await left(lab.path('1'))).toEqual({ result: { status: 'lost' } });
});

it('a claim that a power failure left empty is that of a process that is no more', async () => {
  lab.write('1/claim.json', '');
  expect(await left(lab.path('1'))).toEqual({ result: { status: 'lost' } });
});

it('the exit code of a trial that could not write its result is explained', () => {
  expect(exitError(74, null)).toEqual({ message: expect.stringContaining('a full disk?'), exitCode: 74 });
  expect(exitError(3, null).message).toContain('exit code 3 and without a result');
});
