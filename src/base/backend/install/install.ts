import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Progress, progress, TunebookError, Unavailable } from '../../core/index.js';
import { inspect, MANIFEST, type Manifest, sha256File } from './cache.js';
import { type Checked, checkBinding } from './check.js';
import { compileBinding, findCompiler } from './compile.js';
import { withLock } from './lock.js';
import type { Recipe, WheelPin } from './recipe.js';
import { fetchWheel, type Wheel } from './wheel.js';
import { extract } from './zip.js';

/** What {@link install} did. */
export interface Installed {
  folder: string;
  /** False when it was there already. */
  fresh: boolean;
  version: string;
  seconds: number;
  /** Bytes on disk. */
  bytes: number;
}

/** The steps that a test replaces. */
export interface InstallSteps {
  /** Throws when compiling will not be possible; asked before the download. */
  ready(): Promise<unknown>;
  fetch(pin: WheelPin, shelf: string): Promise<Wheel>;
  compile(recipe: Recipe, folder: string): Promise<void>;
  check(folder: string): Promise<Checked>;
}

export interface InstallOptions {
  /** Install anew even when it is there and whole. */
  force?: boolean;
  /** Told what happens, one line per step. */
  onStep?: (line: string) => void;
  steps?: Partial<InstallSteps>;
}

/**
 * Install one TensorFlow for tfjs-node into the user's cache: fetch the pinned wheel, verify it, take the libraries from it, build the
 * binding, load it in a child process and compute with it, and only then move it to its place in one rename. Nothing else
 * is touched, node_modules least of all. A second call finds it there; two at once wait for each other; killed in the middle, the
 * next call begins again without downloading a wheel that was complete. Throws `Unavailable` with the remedy.
 */
export async function install(recipe: Recipe, options: InstallOptions = {}): Promise<Installed> {
  const start = performance.now();
  const finish = (manifest: Manifest, fresh: boolean): Installed => ({
    folder: recipe.folder,
    fresh,
    version: manifest.tensorflow,
    seconds: (performance.now() - start) / 1000,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
  });
  const say = options.onStep ?? (() => {});
  const there = usable(recipe);
  if (there && !options.force) return finish(there, false);
  try {
    return await withLock(
      `${recipe.folder}.lock`,
      async () => {
        const meanwhile = usable(recipe);
        // With --force, someone else's fresh installation (made while we waited) is still replaced: that was asked for.
        if (meanwhile && !options.force) return finish(meanwhile, false);
        return finish(await build(recipe, options, say), true);
      },
      owner => say(`another installation is running (${owner}): waiting for it`),
    );
  } catch (error) {
    throw explain(error, recipe);
  }
}

/** The manifest when the installation is whole (by sizes) and has what the recipe asks for. */
function usable(recipe: Recipe): Manifest | undefined {
  const manifest = inspect(recipe.folder);
  if (typeof manifest === 'string') return undefined;
  return recipe.extras.length > 0 && !manifest.cudaLibraries ? undefined : manifest;
}

async function build(recipe: Recipe, options: InstallOptions, say: (line: string) => void): Promise<Manifest> {
  const steps: InstallSteps = {
    ready: findCompiler,
    fetch: fetchWheel,
    compile: compileBinding,
    check: checkBinding,
    ...options.steps,
  };
  const shelf = join(dirname(recipe.folder), 'wheels');
  await sweep(recipe.folder);
  await steps.ready();
  await requireSpace(recipe);
  const work = `${recipe.folder}.${randomBytes(4).toString('hex')}.tmp`;
  const wheels: Wheel[] = [];
  try {
    await mkdir(shelf, { recursive: true });
    await mkdir(work, { recursive: true });
    const pins = [recipe.wheel, ...recipe.extras];
    for (const pin of pins) {
      say(`fetching ${pin.package} ${pin.version} (${megabytes(pin.bytes)}, once per user)`);
      const wheel = await steps.fetch(pin, shelf);
      wheels.push(wheel);
      await unpack(recipe, pin, wheel, work, say);
    }
    say(`building the binding from ${recipe.tfjsPackage}`);
    await steps.compile(recipe, work);
    await rm(join(work, recipe.headers), { recursive: true, force: true });
    say('loading it and computing');
    const checked = await steps.check(work);
    if (!checked.ok) {
      throw new Unavailable({
        problem: `TensorFlow ${recipe.wheel.version} does not run on this machine`,
        found: checked.problem,
        fix: 'use the wasm backend (TUNEBOOK_BACKEND=wasm)',
      });
    }
    const manifest = await seal(recipe, work);
    await replace(work, recipe.folder);
    for (const { path, ours } of wheels) if (ours) await rm(path, { force: true });
    return manifest;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/** Remove what killed installations left. Called under the lock, so none of it is in use. */
async function sweep(folder: string): Promise<void> {
  const name = basename(folder);
  for (const entry of await readdir(dirname(folder))) {
    const left = entry.startsWith(`${name}.`) && /\.[0-9a-f]{8}\.(tmp|old)$/.test(entry);
    if (left) await rm(join(dirname(folder), entry), { recursive: true, force: true });
  }
}

async function requireSpace(recipe: Recipe): Promise<void> {
  // The wheel, and its libraries unpacked: about three times its size.
  const needed = [recipe.wheel, ...recipe.extras].reduce((sum, pin) => sum + pin.bytes * 4.5, 0);
  const { bavail, bsize } = await statfs(dirname(recipe.folder));
  if (bavail * bsize >= needed) return;
  throw new Unavailable({
    problem: 'the disk is too full',
    where: { file: dirname(recipe.folder) },
    expected: `${megabytes(needed)} free while installing`,
    found: megabytes(bavail * bsize),
    fix: 'free some space, or set TUNEBOOK_CACHE to a folder on another disk',
  });
}

async function unpack(recipe: Recipe, pin: WheelPin, wheel: Wheel, work: string, say: (line: string) => void): Promise<void> {
  say(`unpacking ${pin.package}`);
  const main = pin === recipe.wheel;
  let task: Progress | undefined;
  const header = (name: string) =>
    recipe.headerFolders.some(folder => name.startsWith(recipe.headers + folder)) && /\.(h|inc)$/.test(name);
  const wanted = (name: string) =>
    main ? recipe.libraries.includes(name) || header(name) : /^nvidia\/[^/]+\/(lib|bin|nvvm)\//.test(name);
  const names = await extract(wheel.path, work, wanted, (done, total) => {
    task ??= progress(`unpack ${pin.package}`, { unit: 'B', total });
    task.update(done);
  });
  task?.finish();
  const missing = main ? recipe.libraries.filter(path => !names.includes(path)) : names.length === 0 ? ['nvidia/*/lib'] : [];
  if (missing.length > 0) {
    throw new Unavailable({
      problem: 'the wheel lacks what is needed',
      where: { file: wheel.path },
      expected: missing.join(', '),
      fix: 'report this: the pinned wheel should have it',
    });
  }
}

/** Write the manifest of everything in `work`: from here on it is whole. */
async function seal(recipe: Recipe, work: string): Promise<Manifest> {
  const names = (await readdir(work, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(work.length + 1))
    .sort();
  const files: Manifest['files'] = [];
  const task = progress('record checksums', { total: names.length, unit: 'files' });
  for (const path of names) {
    await sync(join(work, path));
    files.push({ path, size: (await stat(join(work, path))).size, sha256: await sha256File(join(work, path)) });
    task.update(files.length);
  }
  task.finish();
  const manifest: Manifest = {
    format: 1,
    kind: recipe.kind,
    tensorflow: recipe.wheel.version,
    tfjs: `${recipe.tfjsPackage}@${recipe.tfjsVersion}`,
    platform: process.platform,
    arch: process.arch,
    cudaLibraries: recipe.extras.length > 0,
    files,
  };
  await writeFile(join(work, MANIFEST), JSON.stringify(manifest, null, 1));
  await sync(join(work, MANIFEST));
  return manifest;
}

async function replace(work: string, folder: string): Promise<void> {
  const old = `${folder}.${randomBytes(4).toString('hex')}.old`;
  const had = await rename(folder, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  await rename(work, folder);
  await sync(dirname(folder));
  // Processes that run on the old libraries keep them open; only the names go.
  if (had) await rm(old, { recursive: true, force: true });
}

async function sync(path: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    await file.sync();
  } finally {
    await file?.close();
  }
}

function explain(error: unknown, recipe: Recipe): unknown {
  if (error instanceof TunebookError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const cause = error;
  const where = { file: dirname(recipe.folder) };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Unavailable({
      problem: 'the disk is full',
      where,
      fix: 'free some space, or set TUNEBOOK_CACHE to a folder on another disk',
      cause,
    });
  }
  if (['EACCES', 'EROFS', 'EPERM', 'ENOTDIR', 'EEXIST'].includes(code)) {
    return new Unavailable({
      problem: 'the cache folder cannot be written',
      where,
      fix: 'set TUNEBOOK_CACHE to a folder you can write',
      cause,
    });
  }
  return error;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
