import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompiledText } from './compiled.js';
import { mapped, type PathMap } from './project.js';

export type Namespace = Record<string, unknown>;

/** A local file that is loaded, or being loaded. */
export interface Loaded {
  path: string;
  namespace: Namespace;
  /** Unsettled while it loads. */
  pending?: Promise<unknown>;
  /** Its loading came to an end. */
  done: boolean;
  /** Files being loaded that it waits for. */
  waits: Set<Loaded>;
}

/** What this room needs of the others. */
export interface LocalFilesOptions {
  /** Compile a TypeScript or JavaScript module; throws where it does not type-check. */
  compile(path: string): CompiledText;
  /** The names a module imports; undefined for JavaScript that is none (no import, no export). */
  importsOf(path: string): string[] | undefined;
  /** Node's own import of a file, without our compiler. */
  nativeImport(path: string): Promise<Namespace>;
  /** Run a compiled module: `define` and `star` fill its namespace. */
  execute(text: CompiledText, loaded: Loaded): Promise<void>;
  /** What stands for files beside their own paths. */
  paths: PathMap;
  /** Exports of a CommonJS module in the form that imports see. */
  commonJs(exports: unknown): Namespace;
}

const COMPLETIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json', '.node'];
/** What a file extension may stand for in TypeScript's way of writing imports. */
const STANDS_FOR: Record<string, string[]> = { '.js': ['.ts', '.tsx'], '.mjs': ['.mts'], '.cjs': ['.cts'], '.jsx': ['.tsx'] };

/**
 * The files beside a notebook that its cells import. A file is loaded anew when it, or a file that it imports (through any
 * number of others), has changed since. TypeScript is compiled here; JavaScript is left to Node as long as nothing changed, so
 * that a cell gets the very instance that other importers have.
 */
export class LocalFiles {
  readonly #options: LocalFilesOptions;
  readonly #loaded = new Map<string, Loaded>();
  /** What every file was like when it was loaded, whoever loaded it. */
  readonly #stamps = new Map<string, string>();
  readonly #loadedAt = new Map<string, number>();
  /** The local files that a file imports. */
  readonly #uses = new Map<string, Set<string>>();
  /** JavaScript modules that changed after Node loaded them: Node keeps the old ones for good. */
  readonly #changed = new Set<string>();
  readonly #require = createRequire(import.meta.url);

  constructor(options: LocalFilesOptions) {
    this.#options = options;
  }

  /** The file an import names; undefined for packages and for what is not there. */
  resolve(specifier: string, folder: string): string | undefined {
    if (specifier.startsWith('file:')) return complete(fileURLToPath(specifier));
    if (/^\.{0,2}\/|^\.{1,2}$/.test(specifier) || isAbsolute(specifier)) return complete(resolve(folder, specifier));
    for (const path of mapped(this.#options.paths, specifier)) {
      const found = complete(path);
      if (found) return found;
    }
    return undefined;
  }

  /** The exports of a file that was loaded before, for `require`. */
  exportsOf(path: string): Namespace | undefined {
    return this.#loaded.get(path)?.namespace;
  }

  /** Load a file, or give what is loaded of it. @param importer the file whose import this is */
  async load(path: string, importer?: Loaded): Promise<Namespace> {
    if (importer) this.#uses.get(importer.path)?.add(path);
    const known = this.#loaded.get(path);
    if (known?.pending) {
      // Files that import each other see what is there already.
      if (importer && reaches(known, importer)) return known.namespace;
      return this.#wait(known, importer);
    }
    if (known && this.#isFresh(path)) return known.namespace;
    const loaded: Loaded = { path, namespace: emptyNamespace(), waits: new Set(), done: false };
    if (known) this.#noteChanges(path);
    this.#loaded.set(path, loaded);
    this.#stamps.set(path, stampOf(path));
    this.#loadedAt.set(path, Date.now());
    this.#uses.set(path, new Set());
    loaded.pending = this.#start(loaded);
    loaded.pending.catch(() => {});
    try {
      const namespace = await this.#wait(loaded, importer);
      loaded.done = true;
      return namespace;
    } catch (error) {
      // The next import tries again.
      if (this.#loaded.get(path) === loaded) this.#loaded.delete(path);
      throw error;
    }
  }

  /**
   * Code was stopped by force: what is being loaded may never come to its end. The next import of it begins anew, with our compiler
   * where it was Node's work, since Node keeps the modules that it has begun.
   */
  cut(): void {
    for (const [path, { done }] of this.#loaded) {
      if (done) continue;
      this.#loaded.delete(path);
      if (this.#isNodes(path)) for (const each of [path, ...this.#closure(path)]) this.#changed.add(each);
    }
  }

  async #wait(target: Loaded, importer: Loaded | undefined): Promise<Namespace> {
    importer?.waits.add(target);
    try {
      await target.pending;
    } finally {
      importer?.waits.delete(target);
      target.pending = undefined;
    }
    return target.namespace;
  }

  async #start(loaded: Loaded): Promise<void> {
    const { path } = loaded;
    const uses = this.#uses.get(path)!;
    if (extname(path) === '.json') {
      loaded.namespace = this.#options.commonJs(JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')));
    } else if (isCommonJs(path, this.#options.importsOf)) {
      loaded.namespace = this.#options.commonJs(this.#require(path));
    } else if (this.#isNodes(path)) {
      for (const each of this.#closure(path)) {
        uses.add(each);
        if (!this.#stamps.has(each)) this.#stamps.set(each, stampOf(each));
      }
      loaded.namespace = await this.#options.nativeImport(path);
    } else {
      await this.#options.execute(this.#options.compile(path), loaded);
    }
  }

  /** Whether Node can load a module: JavaScript whose imports are complete, and of which nothing has changed. */
  #isNodes(path: string): boolean {
    if (extname(path) !== '.mjs' && !(extname(path) === '.js' && packageType(path) === 'module')) return false;
    return [path, ...this.#closure(path)].every(each => /\.(mjs|js|cjs|json|node)$/.test(each) && !this.#changed.has(each));
  }

  /** The local files that a JavaScript module imports, through others too. Those with names that Node cannot complete come as ''. */
  #closure(path: string, found: Set<string> = new Set()): string[] {
    for (const specifier of this.#options.importsOf(path) ?? []) {
      const target = this.resolve(specifier, dirname(path));
      if (!target || found.has(target)) continue;
      found.add(target === resolve(dirname(path), specifier) ? target : '');
      if (/\.m?js$/.test(target)) this.#closure(target, found);
    }
    return [...found];
  }

  /** Whether nothing changed of a file and what it imports. @param since when a file without stamp was loaded at the earliest */
  #isFresh(path: string, since = 0, seen: Set<string> = new Set()): boolean {
    if (seen.has(path)) return true;
    seen.add(path);
    const stamp = this.#stamps.get(path);
    if (stamp === undefined ? changedAt(path) > since : stamp !== stampOf(path)) return false;
    const loadedAt = this.#loadedAt.get(path) ?? since;
    return this.#usedBy(path).every(each => this.#isFresh(each, loadedAt, seen));
  }

  /** Of a file that is loaded anew: note which files below it changed, and take those of CommonJS out of Node's cache. */
  #noteChanges(path: string, since = 0, seen: Set<string> = new Set()): void {
    if (seen.has(path) || this.#isFresh(path, since)) return;
    seen.add(path);
    const loadedAt = this.#loadedAt.get(path) ?? since;
    const below = this.#usedBy(path);
    delete this.#require.cache[path];
    if (this.#stamps.get(path) !== stampOf(path)) this.#changed.add(path);
    for (const each of below) this.#noteChanges(each, loadedAt, seen);
  }

  /** The local files a file imports; of CommonJS also those it required since it was loaded. */
  #usedBy(path: string): string[] {
    const required = this.#require.cache[path]?.children.map(({ filename }) => filename) ?? [];
    return [...(this.#uses.get(path) ?? []), ...required.filter(each => !each.includes('/node_modules/'))];
  }
}

/** The file a path means, completed as TypeScript does. */
function complete(path: string): string | undefined {
  if (path.includes('/node_modules/')) return undefined;
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  const candidates = [
    ...(STANDS_FOR[extension] ?? []).map(each => stem + each),
    path,
    ...COMPLETIONS.map(each => path + each),
    ...COMPLETIONS.map(each => join(path, `index${each}`)),
  ];
  return candidates.find(each => statSync(each, { throwIfNoEntry: false })?.isFile());
}

/** Whether loading `from` waits, through others, for `target`. */
function reaches(from: Loaded, target: Loaded, seen: Set<Loaded> = new Set()): boolean {
  if (from === target) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return [...from.waits].some(each => reaches(each, target, seen));
}

/** What is different once a file has changed; empty when it is gone. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}:${stat.size}` : '';
}

/** When a file was last written, ms; never, when it is gone. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Whether Node's `require` is what loads a file. */
function isCommonJs(path: string, importsOf: (path: string) => string[] | undefined): boolean {
  const extension = extname(path);
  if (extension === '.cjs' || extension === '.node') return true;
  return extension === '.js' && packageType(path) !== 'module' && importsOf(path) === undefined;
}

/** The `type` of the package a file belongs to. */
function packageType(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (statSync(manifest, { throwIfNoEntry: false }))
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: string }).type;
    if (folder === dirname(folder)) return undefined;
  }
}

function emptyNamespace(): Namespace {
  const namespace = Object.create(null) as Namespace;
  Object.defineProperty(namespace, Symbol.toStringTag, { value: 'Module' });
  return namespace;
}
