import { createRequire, Module } from 'node:module';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { ownFile } from './own-package.js';

type Namespace = Record<string, unknown>;

/** CommonJS module with the parts of Node's loader that tslab also uses to compile a text as a module. */
interface LoaderModule {
  exports: unknown;
  filename: string;
  paths: string[];
  require: NodeJS.Require;
  _compile(code: string, filename: string): void;
}

/**
 * What the cells of a notebook import. Packages come through true `import()` from the notebook's folder, so a cell gets the
 * very instance that tunebook itself imports, ESM-only packages work, and so do packages with top-level await.
 * Local .ts files come compiled from the language service.
 */
export class Modules {
  readonly require: NodeJS.Require;
  readonly meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string };
  readonly #folder: string;
  readonly #nativeImport: (specifier: string) => Promise<Namespace>;
  readonly #sources = new Map<string, string>();
  readonly #loaded = new Map<string, LoaderModule>();
  readonly #builtin: (specifier: string) => unknown;

  /**
   * @param folder the notebook's folder
   * @param builtin modules that the kernel itself provides (`tslab`); undefined for all others
   */
  constructor(folder: string, builtin: (specifier: string) => unknown = () => undefined) {
    this.#folder = folder;
    this.#builtin = builtin;
    const filename = join(folder, '__notebook__.mjs');
    this.#nativeImport = vm.runInThisContext('specifier => import(specifier)', {
      filename,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as (specifier: string) => Promise<Namespace>;
    this.require = this.#wrap(createRequire(filename), folder);
    this.meta = {
      url: pathToFileURL(filename).href,
      dirname: folder,
      filename,
      resolve: specifier => pathToFileURL(this.require.resolve(specifier)).href,
    };
  }

  /** Take the local files that the language service compiled for a cell; changed ones replace what was loaded. */
  update(outputs: readonly { path: string; data: string }[]): void {
    for (const { path, data } of outputs) {
      this.#loaded.delete(path);
      this.#sources.set(path, data);
    }
  }

  /** What `import { a } from specifier` reads `a` from. */
  async import(specifier: string): Promise<Namespace> {
    const local = this.#local(specifier);
    if (local) return local;
    const found = await this.#package(specifier);
    return commonJs(found) ?? found;
  }

  /** What `import * as name` and `import()` give: the true namespace of an ES module. */
  async namespace(specifier: string): Promise<Namespace> {
    const local = this.#local(specifier);
    if (local) return local;
    const found = await this.#package(specifier);
    const exports = commonJs(found);
    // Node names the exports of CommonJS by reading the text; what that misses is added.
    if (!exports || Object.keys(exports).every(name => name in found)) return found;
    return Object.assign(Object.create(null) as Namespace, exports, { default: exports.default });
  }

  #local(specifier: string): Namespace | undefined {
    const provided = this.#builtin(specifier) ?? this.#fromSources(specifier, this.#folder);
    if (provided !== undefined) return withDefault(provided);
    if (/\.(json|node|cjs)$/.test(specifier)) return withDefault(this.require(specifier));
    return undefined;
  }

  async #package(specifier: string): Promise<Namespace> {
    try {
      return await this.#nativeImport(specifier);
    } catch (error) {
      // Paths that CommonJS completes (`pkg/dist/file` without extension, a folder) are not resolved by import().
      const code = (error as { code?: string }).code;
      if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_UNSUPPORTED_DIR_IMPORT') throw error;
      const path = this.#resolve(specifier);
      if (path === undefined) throw error;
      return this.#nativeImport(isAbsolute(path) ? pathToFileURL(path).href : path);
    }
  }

  #resolve(specifier: string): string | undefined {
    try {
      return this.require.resolve(specifier);
    } catch {
      return ownFile(specifier);
    }
  }

  #wrap(require: NodeJS.Require, folder: string): NodeJS.Require {
    return new Proxy(require, {
      apply: (_target, _this, [specifier]: [string]) => {
        return this.#builtin(specifier) ?? this.#fromSources(specifier, folder) ?? require(specifier);
      },
    });
  }

  #fromSources(specifier: string, folder: string): unknown {
    if (!/^\.{0,2}\//.test(specifier) && !isAbsolute(specifier)) return undefined;
    const wanted = resolve(folder, specifier);
    const stem = wanted.slice(0, wanted.length - extname(wanted).length);
    const path = [wanted, `${wanted}.js`, `${stem}.js`, join(wanted, 'index.js')].find(each => this.#sources.has(each));
    if (path === undefined) return undefined;
    const loaded = this.#loaded.get(path);
    if (loaded) return loaded.exports;
    const module = new (Module as unknown as new (id: string) => LoaderModule)(path);
    module.filename = path;
    module.paths = (Module as unknown as { _nodeModulePaths(from: string): string[] })._nodeModulePaths(dirname(path));
    module.require = this.#wrap(createRequire(path), dirname(path));
    // Registered first, so that files which import each other find what is there already.
    this.#loaded.set(path, module);
    try {
      module._compile(this.#sources.get(path)!, path);
    } catch (error) {
      this.#loaded.delete(path);
      throw error;
    }
    return module.exports;
  }
}

function withDefault(exports: unknown): Namespace {
  if ((exports as { __esModule?: boolean } | null)?.__esModule) return exports as Namespace;
  const own = typeof exports === 'object' || typeof exports === 'function' ? exports : {};
  return Object.assign(Object.create(null) as Namespace, own, { default: exports });
}

const require = createRequire(import.meta.url);

/**
 * The exports of a CommonJS module that came through import(), in the form `esModuleInterop` types promise; undefined for an
 * ES module.
 */
function commonJs(namespace: Namespace): Namespace | undefined {
  const exports = namespace.default;
  if (exports === null || (typeof exports !== 'object' && typeof exports !== 'function')) return undefined;
  const isCommonJs = 'module.exports' in namespace || Object.values(require.cache).some(module => module?.exports === exports);
  return isCommonJs ? withDefault(exports) : undefined;
}
