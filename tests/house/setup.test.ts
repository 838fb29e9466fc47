import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pins } from '../../setup/packages.mjs';
import { command, describeFailure, StepFailed, stamp } from '../../setup/steps.mjs';
import { checkNode, findPython } from '../../setup/versions.mjs';
import { ROOT } from './installed.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof StepFailed) return describeFailure(error);
    throw error;
  }
  throw new Error('nothing failed');
};

// A program that answers as a Python of that kind would.
function fakePython(name: string, answer: object): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\ncat <<'END'\n${JSON.stringify({ executable: path, jupyter: false, ...answer })}\nEND\n`);
  chmodSync(path, 0o755);
  return path;
}

function withPython<T>(path: string, run: () => T): T {
  const before = process.env.TUNEBOOK_PYTHON;
  process.env.TUNEBOOK_PYTHON = path;
  try {
    return run();
  } finally {
    if (before === undefined) delete process.env.TUNEBOOK_PYTHON;
    else process.env.TUNEBOOK_PYTHON = before;
  }
}

describe('the machine', () => {
  it('needs Node 20.19', () => {
    for (const version of ['20.19.0', '22.0.0', '24.21.0']) expect(checkNode(version)).toBe(version);
    for (const version of ['18.20.4', '20.18.3'])
      expect(failure(() => checkNode(version))).toMatch(new RegExp(`this is Node ${version}.*\n.*nodejs.org`));
  });

  it('needs Python 3.10 that can make environments, and says what is missing', () => {
    const good = fakePython('good', { version: '3.10.0', venv: true });
    expect(withPython(good, findPython)).toMatchObject({ version: '3.10.0', program: good });
    const old = withPython(fakePython('old', { version: '3.9.18', venv: true }), () => failure(findPython));
    expect(old).toContain('needs Python 3.10 or newer');
    expect(old).toContain('Python 3.9.18');
    const bare = withPython(fakePython('bare', { version: '3.11.2', venv: false }), () => failure(findPython));
    expect(bare).toContain('cannot make environments');
    expect(bare).toContain('apt-get install python3-venv');
    expect(withPython(join(folder, 'nowhere'), () => failure(findPython))).toContain('none of');
  });
});

describe('pins', () => {
  it('fix every package, with what Python 3.10 needs', () => {
    const lines = readFileSync(join(ROOT, 'setup/requirements.txt'), 'utf8').split('\n');
    for (const line of lines) expect(line).toMatch(/^(#.*|[a-z0-9-]+==[\w.]+( ; python_version (<|>=) "3\.1\d")?|)$/);
    const [old, now] = [pins('requirements.txt', '3.10'), pins('requirements.txt', '3.13')];
    expect(now.get('jupyterlab')).toBe('4.6.6');
    expect(old.get('ipython')).toMatch(/^8\./);
    expect(now.get('ipython')).toMatch(/^9\./);
    expect(old.has('exceptiongroup') && !now.has('exceptiongroup')).toBe(true);
    // The file that the tests install includes the other.
    expect(pins('requirements-test.txt', '3.13').size).toBe(now.size + 1);
  });
});

describe('a step', () => {
  it('that is killed leaves its mark begun, so that it is done again', async () => {
    const id = `test-${process.pid}`;
    const mark = stamp(id);
    try {
      expect(mark.read()).toBeUndefined();
      const steps = join(ROOT, 'setup/steps.mjs');
      const script = `import { stamp } from ${JSON.stringify(steps)}; stamp(${JSON.stringify(id)}).begin(); console.log('begun'); setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise(done => child.stdout.once('data', done));
      child.kill('SIGKILL');
      await new Promise(done => child.once('close', done));
      expect(mark.read()).toEqual({ begun: true });
      mark.done({ key: 'x' });
      expect(mark.read()).toEqual({ key: 'x' });
    } finally {
      mark.clear();
    }
  });

  it('that fails says what happened, its last lines, and what to do', async () => {
    const failed = command(process.execPath, ['-e', 'console.error("no space left"); process.exit(7)'], {
      problem: 'It broke',
      remedy: 'make room.',
    });
    const text = await failed.then(
      () => 'nothing failed',
      (error: unknown) => describeFailure(error as StepFailed),
    );
    expect(text).toBe('It broke (exited with 7).\n    | no space left\n  What to do: make room.');
  });
});

describe('npm start', () => {
  it('says what it can do, and refuses a missing data file before any set-up', () => {
    const start = join(ROOT, 'setup/start.mjs');
    expect(execFileSync(process.execPath, [start, '--help'], { encoding: 'utf8' })).toContain('--data FILE');
    const { status, stdout, stderr } = spawnSync(process.execPath, [start, '--data', 'nowhere.json'], {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, INIT_CWD: folder },
    });
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^nowhere\.json: No such file\. .*Fix: .*\n$/);
  });

  it('has nothing to set up the second time', () => {
    if (!existsSync(join(ROOT, '.cache/setup/backend.json'))) throw new Error('this clone is not set up: run "npm run setup"');
    const script = `import { setUp } from ${JSON.stringify(join(ROOT, 'setup/setup.mjs'))}; await setUp();`;
    const again = () => execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: folder });
    again(); // a source changed since the last set-up is compiled here
    const output = again();
    const lines = output.split('\n').filter(Boolean);
    expect(lines.filter(line => !line.startsWith('  ✓ '))).toEqual([]);
    expect(lines).toHaveLength(6);
  });
});
