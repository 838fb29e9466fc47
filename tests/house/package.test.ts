import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAJORS, nodeOf } from '../../setup/nodes.mjs';
import { type Installed, installedPackage, ROOT } from './installed.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const SUBPATHS: string[] = Object.keys(manifest.exports)
  .filter(path => path !== '.' && path !== './package.json')
  .map(path => path.slice(2));

let installed: Installed;
beforeAll(async () => {
  installed = await installedPackage();
});
afterAll(() => installed?.remove());

// Loads every entry twice, once as CommonJS and once as a module, and says whether both are the same objects.
const SCRIPT = `
const subpaths = ${JSON.stringify(SUBPATHS)};
const asRequired = Object.fromEntries(['', ...subpaths].map(path => [path, require(path ? 'tunebook/' + path : 'tunebook')]));
(async () => {
  const report = { version: process.versions.node, split: [], missing: [] };
  for (const path of ['', ...subpaths]) {
    const imported = await import(path ? 'tunebook/' + path : 'tunebook');
    const required = asRequired[path];
    for (const name of Object.keys(imported)) if (imported[name] !== required[name]) report.split.push(path + '.' + name);
    if (Object.keys(imported).length === 0) report.missing.push(path);
    // The namespace of the root is the subpath.
    if (path) for (const name of Object.keys(imported)) if (asRequired[''][path]?.[name] !== imported[name]) report.split.push('root ' + path + '.' + name);
  }
  const { BadInput } = asRequired[''];
  const { data } = await import('tunebook');
  const error = await data.readRows('/nowhere/rows.json').catch(error => error);
  report.oneErrorClass = error instanceof BadInput && error instanceof (await import('tunebook')).BadInput;
  const backend = require('tunebook/backend');
  await backend.use('cpu');
  report.oneState = (await import('tunebook')).backend.current()?.name;
  process.stdout.write('\\n@@' + JSON.stringify(report));
})();
`;

describe('the package as a user installs it', () => {
  it('ships what it names and nothing of the workshop', () => {
    const targets = Object.values(manifest.exports).flatMap(entry =>
      typeof entry === 'string' ? [entry] : Object.values(entry as Record<string, string>),
    );
    const named = [manifest.main, manifest.types, manifest.bin.tunebook, ...targets].map((path: string) =>
      path.replace(/^\.\//, ''),
    );
    for (const path of named) expect(installed.files, path).toContain(path);
    const types = Object.values(manifest.typesVersions['*'] as Record<string, string[]>).flat();
    for (const path of types) expect(installed.files, path).toContain(path.replace(/^\.\//, ''));
    expect(Object.keys(manifest.typesVersions['*']).sort()).toEqual([...SUBPATHS].sort());
    expect(installed.files.filter(path => /^(src|tests|notebooks|node_modules|\.venv|\.cache)\//.test(path))).toEqual([]);
    expect(manifest.scripts).not.toHaveProperty('postinstall');
    expect(manifest.scripts).not.toHaveProperty('install');
  });

  it.each(MAJORS)('require and import give one instance on Node %i', major => {
    const node = nodeOf(major);
    if (!node) throw new Error(`Node ${major} is not in .cache: "npm test" installs it (setup/nodes.mjs)`);
    const file = join(installed.folder, `both-${major}.cjs`);
    writeFileSync(file, SCRIPT);
    const output = execFileSync(node, ['--no-warnings', file], {
      cwd: installed.folder,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const report = JSON.parse(output.slice(output.lastIndexOf('@@') + 2));
    expect(report.version.split('.')[0]).toBe(String(major));
    expect(report).toMatchObject({ split: [], missing: [], oneErrorClass: true, oneState: 'cpu' });
  });

  it('runs its command line', () => {
    const main = join(installed.folder, 'node_modules/tunebook', manifest.bin.tunebook);
    expect(existsSync(main)).toBe(true);
    expect(execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' }).trim()).toBe(manifest.version);
    expect(readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
  });
});
