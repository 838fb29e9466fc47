import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { Unavailable } from '../base/core/index.js';
import { run } from './code.js';
import type { CodeHelpers } from './code-helpers.js';
import type { Interrupts } from './interrupt.js';
import type { Language } from './language.js';
import { type Loaded, LocalFiles, type Namespace } from './local-files.js';
import { ownFile } from './own-package.js';
import { type CellSources, DoesNotCompile, diagnosticContent } from './traceback.js';

/** What the modules of a notebook need of the rest of the kernel. */
export interface ModulesOptions {
  /** The notebook's folder. */
  folder: string;
  language: Language;
  interrupts: Pick<Interrupts, 'await' | 'iterate' | 'guard'>;
  sources: CellSources;
  /** Modules that the kernel itself provides (`tslab`); undefined for all others. */
  builtin?: (specifier: string) => unknown;
}

/**
 * What the cells of a notebook import. Packages come through true `import()` from the importer's folder, so a cell gets the
 * very instance that tunebook itself imports, ESM-only packages work, and so do packages with top-level await. Files beside the
 * notebook: see {@link LocalFiles}.
 */
export class Modules {
  /** The notebook's folder. */
  readonly folder: string;
  readonly #options: Required<ModulesOptions>;
  readonly #files: LocalFiles;
  /** Packages that have not come to the end of their loading. */
  readonly #loading = new Map<string, 'loading' | 'cut'>();
  readonly #natives = new Map<string, (specifier: string) => Promise<Namespace>>();

  constructor(options: ModulesOptions) {
    this.folder = options.folder;
    this.#options = { builtin: () => undefined, ...options };
    const { language, interrupts } = options;
    this.#files = new LocalFiles({
      compile: path => {
        const { diagnostics, text } = interrupts.guard(() => language.compileFile(path));
        if (!text) throw new DoesNotCompile(diagnosticContent(diagnostics, options.sources));
        options.sources.set(path, text);
        return text;
      },
      importsOf: path => language.importsOf(path),
      nativeImport: path => this.#native(dirname(path))(pathToFileURL(path).href),
      execute: (text, loaded) => this.#execute(text.output, loaded),
      commonJs: withDefault,
      paths: language.paths,
    });
  }

  /**
   * The helpers that compiled code imports and waits through.
   * @param filename the file the code belongs to, under which its stack frames are found
   * @param folder where its imports start from
   */
  helpers(filename: string, folder: string, importer?: Loaded): Omit<CodeHelpers, 'define' | 'star' | 'exportAll' | 'result'> {
    const { interrupts, sources } = this.#options;
    const note = (error: unknown, place: number) => sources.noteAwait(error, filename, place);
    const require = this.require(folder);
    return {
      import: specifier => this.#import(specifier, folder, importer, true),
      namespace: specifier => this.#import(specifier, folder, importer, false),
      required: specifier => this.#required(specifier, folder, importer),
      dynamicImport: async specifier => this.#import(String(specifier), folder, undefined, false),
      await: (value, place) => {
        const waiting = interrupts.await(value);
        // The reaction of the awaiting function comes later, so that it sees what is noted here.
        if (waiting instanceof Promise) waiting.then(undefined, error => note(error, place));
        return waiting;
      },
      iterate: (source, place) => {
        const steps = interrupts.iterate(source)[Symbol.asyncIterator]();
        const noted = async <T>(step: Promise<T>): Promise<T> => {
          step.catch(error => note(error, place));
          return step;
        };
        return {
          [Symbol.asyncIterator]: () => ({ next: () => noted(steps.next()), return: async value => steps.return!(value) }),
        };
      },
      meta: {
        url: pathToFileURL(importer?.path ?? join(folder, '__notebook__.mjs')).href,
        filename: importer?.path ?? join(folder, '__notebook__.mjs'),
        dirname: folder,
        resolve: (specifier: string) => pathToFileURL(require.resolve(specifier)).href,
      },
    };
  }

  /** `require` for code in a folder. */
  require(folder: string): NodeJS.Require {
    return new Proxy(createRequire(join(folder, '__notebook__.mjs')), {
      apply: (require, _this, [specifier]: [string]) => {
        const provided = this.#options.builtin(specifier);
        if (provided !== undefined) return provided;
        const path = typeof specifier === 'string' ? this.#files.resolve(specifier, folder) : undefined;
        if (path === undefined || !/\.[cm]?tsx?$/.test(path)) return require(specifier);
        const loaded = this.#files.exportsOf(path);
        if (loaded) return wholeOf(loaded);
        const problem = `require() cannot load TypeScript (${specifier})`;
        throw new Unavailable({
          problem,
          fix: `import it: const x = await import(${JSON.stringify(specifier)})`,
        });
      },
    });
  }

  async #import(specifier: string, folder: string, importer: Loaded | undefined, interop: boolean): Promise<Namespace> {
    const provided = this.#options.builtin(specifier);
    if (provided !== undefined) return withDefault(provided);
    const path = this.#files.resolve(specifier, folder);
    if (path !== undefined) return this.#files.load(path, importer);
    if (/\.(json|node)$/.test(specifier)) return withDefault(this.require(folder)(specifier));
    const found = await this.#package(specifier, folder);
    const exports = commonJs(found);
    if (!exports) return found;
    // Node names the exports of CommonJS by reading the text; what that misses is added.
    const isWhole = Object.keys(exports).every(name => name in found);
    if (interop || !isWhole) return exports;
    return found;
  }

  /** What `require` gives, also of what only an import can load. */
  async #required(specifier: string, folder: string, importer: Loaded | undefined): Promise<unknown> {
    const path = this.#files.resolve(specifier, folder);
    // Loaded anew where it has changed.
    const loaded = path === undefined ? undefined : await this.#files.load(path, importer);
    if (loaded && path?.endsWith('.json')) return loaded.default;
    if (loaded && /\.[cm]?tsx?$/.test(path!)) return wholeOf(loaded);
    try {
      return this.require(folder)(path ?? specifier);
    } catch (error) {
      if (!/^ERR_REQUIRE_(ESM|ASYNC_MODULE)$/.test(String((error as { code?: unknown }).code))) throw error;
      return loaded ?? this.#import(specifier, folder, importer, false);
    }
  }

  /** Code was stopped by force, and maybe with it a module that was being loaded. */
  cut(): void {
    this.#files.cut();
    for (const key of this.#loading.keys()) this.#loading.set(key, 'cut');
  }

  async #package(specifier: string, folder: string): Promise<Namespace> {
    const key = `${folder}\n${specifier}`;
    if (this.#loading.get(key) === 'cut') {
      throw new Unavailable({
        problem: 'this package was stopped while it loaded, and Node keeps the half of it',
        found: specifier,
        fix: 'restart the kernel; saved checkpoints are kept',
      });
    }
    this.#loading.set(key, 'loading');
    try {
      const namespace = await this.#load(specifier, folder);
      this.#loading.delete(key);
      return namespace;
    } catch (error) {
      this.#loading.delete(key);
      throw error;
    }
  }

  async #load(specifier: string, folder: string): Promise<Namespace> {
    try {
      return await this.#native(folder)(specifier);
    } catch (error) {
      // Paths that CommonJS completes (`pkg/dist/file` without extension, a folder) are not resolved by import().
      const code = (error as { code?: string }).code;
      if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_UNSUPPORTED_DIR_IMPORT') throw error;
      const path = this.#resolve(specifier, folder);
      if (path === undefined) throw error;
      return this.#native(folder)(isAbsolute(path) ? pathToFileURL(path).href : path);
    }
  }

  #resolve(specifier: string, folder: string): string | undefined {
    try {
      return this.require(folder).resolve(specifier);
    } catch {
      return ownFile(specifier);
    }
  }

  /** Node's import() as a module in this folder would call it. */
  #native(folder: string): (specifier: string) => Promise<Namespace> {
    const known = this.#natives.get(folder);
    if (known) return known;
    const made = vm.runInThisContext('specifier => import(specifier)', {
      filename: join(folder, '__notebook__.mjs'),
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as (specifier: string) => Promise<Namespace>;
    this.#natives.set(folder, made);
    return made;
  }

  async #execute(output: string, loaded: Loaded): Promise<void> {
    const { path } = loaded;
    const folder = dirname(path);
    // `namespace` may be asked for while the file still runs: by one that it imports.
    const { namespace } = loaded;
    const define = (name: string, get: () => unknown) =>
      void Object.defineProperty(namespace, name, { get, enumerable: true, configurable: true });
    const star = (other: object) => {
      for (const name of Object.keys(other))
        if (name !== 'default' && !(name in namespace)) define(name, () => (other as Namespace)[name]);
    };
    const exportAll = (value: unknown) => {
      define('default', () => value);
      if (value !== null && (typeof value === 'object' || typeof value === 'function')) star(value);
      Object.defineProperty(namespace, WHOLE, { value });
    };
    await run(output, {
      exports: namespace,
      require: this.require(folder),
      filename: path,
      dirname: folder,
      helpers: { ...this.helpers(path, folder, loaded), define, star, exportAll, result() {} },
      variables: namespace,
    });
  }
}

/** Under which a namespace keeps what its file exported with `export =`. */
const WHOLE = Symbol('exports');

function wholeOf(namespace: Namespace): unknown {
  return WHOLE in namespace ? (namespace as Record<symbol, unknown>)[WHOLE] : namespace;
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
