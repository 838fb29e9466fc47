import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { progress, Unavailable } from '../../core/index.js';
import { sha256File } from './cache.js';
import { findPython, runProgram } from './python.js';
import type { WheelPin } from './recipe.js';

/** Where a verified wheel lies, and whether it may be deleted after use (a user's own file may not). */
export interface Wheel {
  path: string;
  ours: boolean;
}

/**
 * Bring a pinned wheel to this machine and verify its SHA-256. `TUNEBOOK_TF_WHEEL` (a file) is used instead of a download when it
 * is that wheel; a verified wheel left by an interrupted installation is used again. Otherwise pip downloads it, so that the user's
 * own index, mirror, proxy and certificates hold; only the file is fetched, nothing is installed into Python.
 * @param shelf folder that keeps verified wheels until the installation is done.
 */
export async function fetchWheel(pin: WheelPin, shelf: string, env: NodeJS.ProcessEnv = process.env): Promise<Wheel> {
  const given = env.TUNEBOOK_TF_WHEEL;
  if (given && pin.package.startsWith('tensorflow')) {
    await check(given, pin, 'set TUNEBOOK_TF_WHEEL to that file, or unset it to download');
    return { path: given, ours: false };
  }
  const kept = join(shelf, `${pin.sha256}.whl`);
  if (await stat(kept).catch(() => undefined)) {
    if ((await sha256File(kept)) === pin.sha256) return { path: kept, ours: true };
    await rm(kept, { force: true });
  }
  const partial = join(shelf, `${pin.sha256}.part`);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    const file = await download(pin, partial, env);
    await check(file, pin, 'try again; if it stays so, the package index you use serves another file than pypi.org');
    await rename(file, kept);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { path: kept, ours: true };
}

async function check(path: string, pin: WheelPin, fix: string): Promise<void> {
  let found: string;
  try {
    found = await sha256File(path);
  } catch (cause) {
    throw new Unavailable({
      problem: 'the wheel cannot be read',
      where: { file: path },
      found: (cause as Error).message,
      fix,
      cause,
    });
  }
  if (found === pin.sha256) return;
  throw new Unavailable({
    problem: `the file is not the ${pin.package} ${pin.version} wheel that was expected`,
    where: { file: path },
    expected: `${pin.package}-${pin.version} for ${pin.abi}, ${pin.platforms[0]}, SHA-256 ${pin.sha256}`,
    found: found,
    fix,
  });
}

async function download(pin: WheelPin, folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const python = await findPython(env);
  const task = progress(`download ${pin.package} ${pin.version}`, { total: pin.bytes, unit: 'B' });
  // pip draws its bar only on a terminal of its own: the growth of its temporary file is watched instead.
  const watch = setInterval(async () => task.update(Math.min(pin.bytes, await sizeOf(folder))), 500);
  const args = ['-m', 'pip', 'download', `${pin.package}==${pin.version}`, '--no-deps', '--only-binary=:all:', '--dest', folder];
  args.push(
    '--python-version',
    pin.python,
    '--implementation',
    'cp',
    '--abi',
    pin.abi,
    ...pin.platforms.flatMap(p => ['--platform', p]),
  );
  args.push('--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--no-color');
  const { status, stdout, stderr } = await runProgram(python.command, args, { env: { ...env, TMPDIR: folder } });
  clearInterval(watch);
  const wheel = (await readdir(folder)).find(name => name.endsWith('.whl'));
  task.finish(status === 0 ? 'done' : 'failed');
  if (status === 0 && wheel) return join(folder, wheel);
  throw new Unavailable({
    problem: `pip could not download ${pin.package} ${pin.version}`,
    found: lastError(stderr || stdout),
    fix: fixFor(stderr, pin),
  });
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map(name =>
      stat(join(folder, name)).then(
        s => (s.isFile() ? s.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function lastError(text: string): string {
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
  return (lines.filter(line => line.startsWith('ERROR')).pop() ?? lines.pop() ?? 'no message').slice(0, 300);
}

function fixFor(stderr: string, pin: WheelPin): string {
  if (/No space left/.test(stderr))
    return `free ${Math.ceil(pin.bytes / 1e6)} MB on the disk, or set TUNEBOOK_CACHE to a folder on another one`;
  return `check the network and pip's index (pip config list); offline, fetch the wheel elsewhere and set TUNEBOOK_TF_WHEEL to its path; meanwhile the wasm backend works`;
}
