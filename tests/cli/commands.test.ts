import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nearest } from '../../src/base/core/index.js';
import { dispatch } from '../../src/cli/commands.js';
import { readOptions } from '../../src/cli/run-options.js';

let out = '';
let err = '';
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    err += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

describe('the command line', () => {
  it('lists its commands, and says its version', async () => {
    expect(await dispatch(['help'])).toBe(0);
    for (const name of ['doctor', 'backend', 'kernel', 'run', 'runs', 'export', 'inspect'])
      expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    out = '';
    expect(await dispatch(['--version'])).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('answers an unknown command with the nearest one and exit code 2', async () => {
    expect(await dispatch(['docter'])).toBe(2);
    expect(err).toContain('did you mean "tunebook doctor"?');
    err = '';
    expect(await dispatch(['toString'])).toBe(2);
    expect(err).toContain('run "tunebook help"');
  });

  it('turns an error of ours into one paragraph and its exit code', async () => {
    expect(await dispatch(['run', '/nowhere/x.ipynb'])).toBe(2);
    expect(err).toMatch(/^\/nowhere\/x\.ipynb: no such file\. Expected a Jupyter notebook .*\n$/);
  });
});

describe('arguments of every command', () => {
  it.each<[string[], RegExp]>([
    [['kernel', 'intsall'], /found "intsall"\. Fix: did you mean "tunebook kernel install"\?/],
    [['kernel', 'install', '--pyhton', 'x'], /^Unknown option '--pyhton'\. Expected [^.]*\. Fix: did you mean --python\?\n$/],
    [['inspect', 'x.jsonl', '--row', '-1'], /whole number from 0 up, found "-1"/],
    [['inspect', 'x.jsonl', '--template', ','], /there is no template ","/],
    [['export', 'x.ipynb', '--out', '--static'], /'--out' argument is ambiguous\..*write --out=VALUE/],
    [['runs', '--jsn'], /did you mean --json\?/],
  ])('%j is refused in one line', async (args, message) => {
    expect(await dispatch(args)).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('nearest', () => {
  it('mends one slip, also two swapped letters and a beginning', () => {
    expect(nearest('rnu', ['run', 'kernel'])).toBe('run');
    expect(nearest('insp', ['run', 'inspect'])).toBe('inspect');
    expect(nearest('stpes', ['steps', 'data'])).toBe('steps');
    expect(nearest('banana', ['run', 'kernel'])).toBeUndefined();
    expect(nearest('', ['run'])).toBeUndefined();
  });
});

describe('options of run', () => {
  it('are read, with absolute paths', () => {
    const options = readOptions(['a/b.ipynb', '--data', 'rows.json', '--steps=20', '--backend', 'wasm', '--timeout', '0'])!;
    expect(options).toMatchObject({ backend: 'wasm', steps: 20, timeout: 0 });
    expect(options.data).toBe(`${process.cwd()}/rows.json`);
    expect(options.out).toMatch(/runs\/b-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/);
    expect(readOptions(['--help'])).toBeUndefined();
  });

  it.each([
    [['x.ipynb', '--stpes', '3'], /Unknown option '--stpes'.*did you mean --steps\?/],
    [['x.ipynb', '--steps', '-3'], /"--steps": .*whole number ≥ 1, found "-3"/],
    [['x.ipynb', '--steps', '2.5'], /whole number/],
    [['x.ipynb', '--backend', 'natve'], /did you mean native\?/],
    [['x.ipynb', 'y.ipynb'], /one notebook at a time/],
    [[], /no notebook was named/],
    [['x.ipynb', '--data'], /--data/],
  ])('%j is refused', (args, message) => expect(() => readOptions(args)).toThrow(message));
});
