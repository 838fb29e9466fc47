import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VENV_PYTHON } from '../../setup/paths.mjs';
import { ROOT } from './installed.js';

// The rules by which repo2docker reads a repository (its buildpacks/base.py, conda/__init__.py, python/__init__.py).
const BINDER = join(ROOT, 'binder');
const read = (name: string) => readFileSync(join(BINDER, name), 'utf8');

// Files whose presence makes repo2docker choose another way to build, in the order in which it looks for them.
const OTHER_BUILDPACKS = [
  ...[
    'default.nix',
    'flake.nix',
    'Dockerfile',
    'Project.toml',
    'JuliaProject.toml',
    'REQUIRE',
    'DESCRIPTION',
    'install.R',
    'runtime.txt',
  ],
  ...['Pipfile', 'Pipfile.lock', 'requirements.txt', 'requirements3.txt', 'pyproject.toml', 'setup.py', 'setup.cfg'],
];

describe('binder/', () => {
  it('is the one configuration folder, and asks for conda and nothing else', () => {
    expect(existsSync(join(ROOT, '.binder'))).toBe(false);
    expect(existsSync(join(BINDER, 'environment.yml'))).toBe(true);
    expect(readdirSync(BINDER).filter(name => OTHER_BUILDPACKS.includes(name))).toEqual([]);
  });

  it('has an environment that repo2docker can read before the repository is copied', () => {
    const script = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
    const environment = JSON.parse(
      execFileSync(VENV_PYTHON, ['-c', script, join(BINDER, 'environment.yml')], { encoding: 'utf8' }),
    );
    expect(environment.channels).toEqual(['conda-forge']);
    // Strings only: a pip section with a path in it would be read before the files it names are there.
    for (const dependency of environment.dependencies) expect(dependency).toMatch(/^[a-z0-9_.-]+(=\d+(\.\d+)*)?$/);
    // repo2docker's PYTHON_REGEX, and the versions it has a frozen base environment for.
    const python = environment.dependencies.map((name: string) => /^python\s*=+\s*([\d.]*)$/.exec(name)?.[1]).find(Boolean);
    expect(['3.10', '3.11', '3.12', '3.13']).toContain(python);
    const node = environment.dependencies.map((name: string) => /^nodejs=(\d+)$/.exec(name)?.[1]).find(Boolean);
    expect([20, 22, 24]).toContain(Number(node));
  });

  it('names Debian packages the way apt.txt must', () => {
    const packages = read('apt.txt')
      .split('\n')
      .map(line => line.replace(/#.*/, '').trim())
      .filter(Boolean);
    expect(packages.length).toBeGreaterThan(0);
    for (const name of packages) expect(name).toMatch(/^[a-z0-9.+-]+$/);
  });

  it.each(['postBuild', 'start', 'replay.sh'])('%s is an executable bash script', name => {
    accessSync(join(BINDER, name), constants.X_OK);
    expect(read(name).startsWith('#!/usr/bin/env bash\n')).toBe(true);
    execFileSync('bash', ['-n', join(BINDER, name)]);
    // The executable bit that git will hand out (nothing to ask in an unpacked archive).
    const { stdout } = spawnSync('git', ['ls-files', '-s', `binder/${name}`], { cwd: ROOT, encoding: 'utf8' });
    const [mode] = stdout.split(' ');
    if (mode) expect(mode).toBe('100755');
  });

  it('start hands over to the command it is given', () => {
    const output = execFileSync(join(BINDER, 'start'), ['bash', '-c', 'echo "$1 $TF_CPP_MIN_LOG_LEVEL"', '_', 'lab'], {
      encoding: 'utf8',
    });
    expect(output).toBe('lab 2\n');
    expect(read('start').trim().split('\n').at(-1)).toBe('exec "$@"');
  });

  it('opens a notebook that exists, from the README too', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    for (const [, path] of readme.matchAll(/mybinder\.org\/v2\/[^\s)]*[?&]urlpath=lab(?:%2F|\/)tree(?:%2F|\/)([^\s)&]+)/gi)) {
      expect(existsSync(join(ROOT, decodeURIComponent(path!))), path).toBe(true);
    }
    const notebook = JSON.parse(readFileSync(join(ROOT, 'notebooks/quickstart.ipynb'), 'utf8'));
    expect(notebook.metadata.kernelspec.name).toBe('tunebook');
  });
});
