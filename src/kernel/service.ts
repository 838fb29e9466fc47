import { statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type ts from 'typescript';
import { Bundles } from './bundle.js';
import type { Compiler } from './compiler.js';
import { libraries, syntaxTarget, WEB_ASSEMBLY, webAssembly } from './libs.js';
import { ownTypes } from './own-package.js';
import type { PathMap } from './project.js';

/** A JSON file larger than this (bytes) is `any`: the type of a data set is worth no second of checking. */
const LARGEST_JSON = 1 << 20;
const ANY_JSON = '__large__.d.json.ts';

/**
 * TypeScript's language service over a notebook's folder: files of the disk, and files that exist in memory only (cells).
 * It keeps every source file it has parsed, so that a package imported by one cell costs nothing in the next.
 */
export class NotebookService {
  readonly service: ts.LanguageService;
  readonly #compiler: Compiler;
  readonly #folder: string;
  readonly #virtual = new Map<string, { version: number; text: string; snapshot: ts.IScriptSnapshot }>();
  readonly #snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
  readonly #resolutions = new Map<string, ts.ResolvedModuleWithFailedLookupLocations>();
  /** Cells and local files with an import that led nowhere: it may lead somewhere the next time. */
  readonly #unresolved = new Set<string>();
  readonly #always: readonly string[];
  readonly #paths: PathMap;
  readonly #bundles: Bundles;
  readonly #local = new Map<string, boolean>();
  #roots: string[] = [];
  #versions = 0;
  /** Goes up with every change of what a program is made from. */
  #changes = 0;
  /** Some file lies on the disk where the user works on it: it may change without notice. */
  #hasLocal = false;

  /**
   * @param folder the notebook's: relative imports and node_modules are found from there
   * @param always files that belong to every program
   * @param paths what stands for files beside their own paths
   */
  constructor(compiler: Compiler, folder: string, always: readonly string[] = [], paths: PathMap = {}) {
    this.#paths = paths;
    this.#always = always;
    this.#compiler = compiler;
    this.#folder = folder.replaceAll('\\', '/');
    this.#bundles = new Bundles(path =>
      path.endsWith(WEB_ASSEMBLY.file)
        ? webAssembly(compiler.sys.readFile(path.replace(WEB_ASSEMBLY.file, WEB_ASSEMBLY.from)) ?? '')
        : compiler.sys.readFile(path),
    );
    this.service = compiler.createLanguageService(this.#host(), this.#registry());
  }

  /** Path of a file of this name beside the notebook. */
  path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  /** Put a text into a file in memory. */
  write(path: string, text: string): void {
    if (this.#virtual.get(path)?.text === text) return;
    this.#changes++;
    // Its imports are looked up anew in any case.
    this.#unresolved.delete(path);
    this.#virtual.set(path, { version: ++this.#versions, text, snapshot: this.#compiler.ScriptSnapshot.fromString(text) });
  }

  /** The files the program begins with; what they import follows. */
  set roots(paths: readonly string[]) {
    const roots = [...this.#always, ...paths];
    if (roots.length === this.#roots.length && roots.every((each, i) => each === this.#roots[i])) return;
    this.#changes++;
    this.#roots = roots;
  }

  /** The program for the present roots and texts. */
  get program(): ts.Program {
    return this.service.getProgram()!;
  }

  /** Whether the next program is another one in any case: an import led nowhere, and may lead somewhere now. */
  get unsettled(): boolean {
    return this.#unresolved.size > 0;
  }

  /** Make the next program and its type checker from nothing but the parsed files. */
  forget(): void {
    this.#changes++;
    this.service.cleanupSemanticCache();
  }

  /** Whether a file is one the user works on, not a package's. */
  isLocal(path: string): boolean {
    const known = this.#local.get(path);
    if (known !== undefined) return known && !this.#virtual.has(path);
    const found = !path.includes('/node_modules/') && !/\.d\.([^/]+\.)?[cm]?ts$/.test(path);
    this.#local.set(path, found);
    return found && !this.#virtual.has(path);
  }

  /** What changes when a local file does; undefined when it is gone. */
  version(path: string): string | undefined {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() ? `${stat.mtimeMs}:${stat.size}` : undefined;
  }

  /** In which file and line (from 1) a file's text at an offset was written. */
  writtenAt(file: ts.SourceFile, offset: number): { path: string; line: number } {
    const line = file.getLineAndCharacterOfPosition(offset).line + 1;
    return this.#bundles.origin(file.fileName, offset) ?? { path: file.fileName, line };
  }

  #options(): ts.CompilerOptions {
    const { ModuleKind, ModuleResolutionKind, JsxEmit } = this.#compiler;
    return {
      module: ModuleKind.ESNext,
      // As bundlers do: `exports` maps, and no file extensions asked for.
      moduleResolution: ModuleResolutionKind.Bundler,
      customConditions: ['node'],
      allowImportingTsExtensions: true,
      noEmit: false,
      target: syntaxTarget(this.#compiler),
      lib: this.#libraries(),
      types: ['node'],
      typeRoots: typeRoots(this.#folder),
      paths: { ...ownTypes(this.#folder), ...this.#paths },
      // Cells may leave types out, as in tslab: a notebook is where ideas begin.
      strict: false,
      skipLibCheck: true,
      allowJs: true,
      checkJs: false,
      esModuleInterop: true,
      resolveJsonModule: true,
      preserveConstEnums: true,
      allowUnreachableCode: true,
      allowUnusedLabels: true,
      jsx: JsxEmit.React,
      sourceMap: true,
      newLine: this.#compiler.NewLineKind.LineFeed,
      // Nothing is written; a path different from the sources' keeps JavaScript files from "overwriting" themselves.
      outDir: `${this.#folder}/__out__`,
    };
  }

  /** The library files, in one where they can be. */
  #libraries(): string[] {
    const folder = dirname(this.#compiler.getDefaultLibFilePath({})).replaceAll('\\', '/');
    const path = (name: string) => `${folder}/${name}`;
    const [first, ...more] = libraries();
    this.#bundles.add(path(first!), folder, [...more, WEB_ASSEMBLY.file].map(path));
    return [first!, ...more.filter(name => !this.#bundles.has(path(name)))];
  }

  #host(): ts.LanguageServiceHost {
    const { sys } = this.#compiler;
    const options = this.#options();
    const packages = this.#compiler.createModuleResolutionCache(this.#folder, path => path, options);
    const readFile = (path: string) => this.#virtual.get(path)?.text ?? sys.readFile(path);
    const fileExists = (path: string) => this.#virtual.has(path) || sys.fileExists(path);
    const resolutionHost: ts.ModuleResolutionHost = {
      fileExists,
      readFile,
      directoryExists: sys.directoryExists,
      getDirectories: sys.getDirectories,
      realpath: sys.realpath,
      useCaseSensitiveFileNames: true,
      getCurrentDirectory: () => this.#folder,
    };
    const node = this.#compiler.resolveTypeReferenceDirective('node', this.path('_.ts'), options, resolutionHost);
    const types = node.resolvedTypeReferenceDirective?.resolvedFileName;
    if (types) this.#bundles.add(types);
    return {
      getCompilationSettings: () => options,
      // As long as this stays the same the service looks at no file. Those of the disk, and ways that led nowhere, are to be looked at.
      getProjectVersion: () => String(this.#hasLocal || this.unsettled ? ++this.#changes : this.#changes),
      getScriptFileNames: () => this.#roots,
      getScriptVersion: path => {
        const virtual = this.#virtual.get(path);
        if (virtual) return String(virtual.version);
        if (!this.isLocal(path)) return '1';
        this.#hasLocal = true;
        return String(this.version(path));
      },
      getScriptSnapshot: path => this.#snapshot(path),
      getCurrentDirectory: () => this.#folder,
      getDefaultLibFileName: settings => this.#compiler.getDefaultLibFilePath(settings),
      resolveModuleNameLiterals: (literals, from, redirect, settings, file) =>
        literals.map(literal => this.#resolve(literal, from, redirect, settings, file, resolutionHost)),
      fileExists,
      readFile,
      directoryExists: sys.directoryExists,
      getDirectories: sys.getDirectories,
      readDirectory: sys.readDirectory,
      realpath: sys.realpath,
      useCaseSensitiveFileNames: () => true,
      ...{
        hasInvalidatedResolutions: (path: string) => this.#unresolved.has(path),
        // For the package.json files above every source file, which would be read again for every program.
        getModuleResolutionCache: () => packages,
      },
    };
  }

  #snapshot(path: string): ts.IScriptSnapshot | undefined {
    const virtual = this.#virtual.get(path);
    if (virtual) return virtual.snapshot;
    if (path.endsWith(ANY_JSON))
      return this.#compiler.ScriptSnapshot.fromString('declare const value: any; export default value;');
    const version = this.isLocal(path) ? String(this.version(path)) : '1';
    const known = this.#snapshots.get(path);
    if (known?.version === version) return known.snapshot;
    const text = this.#bundles.text(path) ?? this.#compiler.sys.readFile(path);
    const snapshot = text === undefined ? undefined : this.#compiler.ScriptSnapshot.fromString(text);
    // What cannot be read now (no permission, no descriptor left) may be readable the next time.
    if (snapshot) this.#snapshots.set(path, { version, snapshot });
    else this.#hasLocal = true;
    return snapshot;
  }

  #resolve(
    literal: ts.StringLiteralLike,
    from: string,
    redirect: ts.ResolvedProjectReference | undefined,
    options: ts.CompilerOptions,
    file: ts.SourceFile,
    host: ts.ModuleResolutionHost,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const name = literal.text;
    const mode = this.#compiler.getModeForUsageLocation(file, literal, options);
    const key = `${dirname(from)}\n${mode}\n${name}`;
    const known = this.#resolutions.get(key);
    if (known) return known;
    let found = this.#compiler.resolveModuleName(name, from, options, host, undefined, redirect, mode);
    const { resolvedModule } = found;
    const path = resolvedModule?.resolvedFileName;
    if (path?.endsWith('.json') && statSync(path).size > LARGEST_JSON)
      found = {
        ...found,
        resolvedModule: { ...resolvedModule!, resolvedFileName: join(dirname(path), ANY_JSON), extension: '.d.ts' },
      };
    // `tslab`, whose display functions any notebook may use, lies among this package's own dependencies.
    else if (!resolvedModule && name === 'tslab')
      found = this.#compiler.resolveModuleName(name, fileURLToPath(import.meta.url), options, host, undefined, redirect, mode);
    // What an installed package imports stays; where nothing was found, an installation may change that.
    const fromPackage = !this.isLocal(from) && !this.#virtual.has(from);
    if (fromPackage || (path?.includes('/node_modules/') && !name.startsWith('.'))) this.#resolutions.set(key, found);
    // Node's own modules are declared by its types and have no file.
    else if (!path && !isBuiltin(name)) this.#unresolved.add(from);
    return found;
  }

  /** The usual registry, but files that no cell needs at the moment stay parsed. */
  #registry(): ts.DocumentRegistry {
    const registry = this.#compiler.createDocumentRegistry(true, this.#folder);
    const keep = { releaseDocument() {}, releaseDocumentWithKey() {} };
    return Object.assign(Object.create(registry) as ts.DocumentRegistry, keep);
  }
}

/** Node's types: those of the notebook's project, or the ones that came with this kernel. */
function typeRoots(folder: string): string[] {
  for (const from of [
    join(folder, '_.js'),
    fileURLToPath(import.meta.url),
    createRequire(import.meta.url).resolve('tslab/package.json'),
  ]) {
    try {
      return [dirname(dirname(createRequire(from).resolve('@types/node/package.json')))];
    } catch {}
  }
  return [];
}
