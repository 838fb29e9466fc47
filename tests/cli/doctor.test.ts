import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { onProgress } from '../../src/base/core/index.js';
import { backendCommand } from '../../src/cli/backend.js';
import { doctor } from '../../src/cli/doctor.js';

/** What a command printed. */
function capture(): { out: string; err: string } {
  const said = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    said.out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    said.err += text;
    return true;
  });
  return said;
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A user who has installed no backend. */
async function emptyCache(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tunebook-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  vi.stubEnv('TUNEBOOK_CACHE', folder);
}

test('doctor names everything with a state, a reason and a remedy, and reports progress', async () => {
  const steps: string[] = [];
  onTestFinished(onProgress(({ label, note }) => label === 'doctor' && note && steps.push(note)));
  const said = capture();
  const code = await doctor([]);
  for (const name of ['Node', 'Python', 'Jupyter', 'kernelspec', 'C++ compiler', 'tfjs-core', 'GPU'])
    expect(said.out).toContain(`${name} `);
  for (const name of ['cuda', 'native', 'webgpu', 'wasm', 'cpu'])
    expect(said.out).toMatch(new RegExp(`backend ${name} +(works|no) +\\S`));
  expect(said.out).toMatch(/tfjs-core +works +one copy: 4\.22\.0 in/);
  expect(said.out).toMatch(/backend webgpu +no .*not installed\n +→ npm install webgpu/);
  expect(code).toBe(0);
  expect(steps).toContain('backend wasm');
});

test('doctor --json is one JSON object; without native it says how to install it and is still healthy', async () => {
  await emptyCache();
  const said = capture();
  expect(await doctor(['--json'])).toBe(0);
  const report = JSON.parse(said.out);
  expect(report.healthy).toBe(true);
  const native = report.backends.find((row: { name: string }) => row.name === 'native');
  expect(native).toMatchObject({
    works: false,
    reason: 'not installed',
    remedy: expect.stringContaining('tunebook backend install native (274 MB'),
  });
});

test('words that mean nothing end with exit code 2 and the choices', async () => {
  const said = capture();
  expect(await doctor(['--yaml'])).toBe(2);
  expect(await backendCommand([])).toBe(2);
  expect(await backendCommand(['uninstall'])).toBe(2);
  expect(await backendCommand(['install', 'wasm'])).toBe(2);
  expect(await backendCommand(['install', 'native', '--fast'])).toBe(2);
  expect(await backendCommand(['use', 'gpu'])).toBe(2);
  expect(said.err).toMatch(/Expected --json/);
  expect(said.err).toMatch(/list, use or install, found "uninstall"/);
  expect(said.err).toMatch(/native or cuda/);
  expect(said.err).toMatch(/auto, cuda, native, webgpu, wasm, cpu/);
});

test('backend use tries the backend; one that is not there ends with exit code 3 and the remedy', async () => {
  await emptyCache();
  const said = capture();
  expect(await backendCommand(['use', 'wasm'])).toBe(0);
  expect(said.out).toMatch(/^wasm 4\.22\.0 works/);
  expect(said.out).toContain('TUNEBOOK_BACKEND=wasm');
  expect(await backendCommand(['use', 'native'])).toBe(3);
  expect(said.err).toMatch(/not installed.*tunebook backend install native/);
});

test('backend list --json is the probe table', async () => {
  const said = capture();
  expect(await backendCommand(['list', '--json'])).toBe(0);
  expect(JSON.parse(said.out).map((row: { name: string }) => row.name)).toEqual(['cuda', 'native', 'webgpu', 'wasm', 'cpu']);
});

test('a machine without Python or compiler cannot install native, and is told what to do', async () => {
  await emptyCache();
  const said = capture();
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('CXX', '');
  expect(await backendCommand(['install', 'native'])).toBe(3);
  expect(said.err).toMatch(/no C\+\+ compiler.*apt install g\+\+/);
});
