import { fileURLToPath } from 'node:url';
import type ts from 'typescript';
import { type CellView, declarationAt, describeInspection, inspectedPositions, isKnown } from './assist.js';
import { makeCancellable } from './cancel.js';
import { Candidates, type TypedCompletion } from './candidates.js';
import { cellModule } from './cell-module.js';
import { type CompiledCell, type CompiledText, compileUnit } from './compiled.js';
import { type Compiler, loadCompiler } from './compiler.js';
import { type Diagnostic, diagnosticOf, errorsOf } from './diagnostics.js';
import { localFilesOf } from './local-imports.js';
import { Names } from './names.js';
import { type PathMap, projectPaths } from './project.js';
import { NotebookService } from './service.js';

/** Declarations of what every cell can call without an import. */
const GLOBALS: string = fileURLToPath(new URL('./globals.d.ts', import.meta.url));
/** Cells that build on each other this deeply are summed up by their declarations. */
const DEEPEST = 12;

/**
 * The language of the notebook: TypeScript's own language service, with one module per cell.
 *
 * Why not tslab's converter, on which this kernel stood before (tried with tslab 1.0.22, whose fork of TypeScript is 5.0.4):
 * - it cannot parse `using`, and knows no library newer than ES2023 (`Set.prototype.union`, `Object.groupBy`, `Array.fromAsync`);
 * - it carries types from cell to cell as declaration text, so a cell whose inferred types cannot be written as one fails or
 *   becomes `any`, JSDoc gets lost, and every cell checks the declarations of all cells before it;
 * - variables live twice, as a cell's local and as an export: what a later cell assigned, earlier functions did not see;
 * - local files become CommonJS, which cannot import packages with top-level await (vega 6);
 * - it builds two programs for a cell that declares anything. Compiling a trivial warm cell took 4.3 ms (best of 100) where this
 *   takes 2.5, a cell that uses a tensor 13 in both (same machine, same minutes, alternating).
 * The fork cannot be replaced inside the converter, which calls functions that only the fork has. tslab still provides its display
 * functions (`import * as tslab from 'tslab'`), and its own kernel.
 *
 * Here a cell is a module that imports the names it refers to from the cells that declared them. Types are therefore exact, only
 * the cells that the new one needs are part of its program, and the number of cells before it costs nothing.
 */
export class Language {
  readonly ts: Compiler;
  /** What stands for local files beside their own paths. */
  readonly paths: PathMap;
  readonly #token: ts.CancellationToken;
  readonly #files: NotebookService;
  readonly #names = new Names();
  /** Cells that add to global or package declarations: they belong to every program. */
  #augmenting: string[] = [];
  /** How many cells build on each other up to this one, by path. */
  readonly #depth = new Map<string, number>();
  /** Local files and their versions that had no errors when last checked. */
  readonly #clean = new Set<string>();
  #count = 0;
  /**
   * The cell that is checked, and the one that is being written. They always have these paths, and both belong to every program: one
   * of the same files as the one before is made in a third of the time. Declared cells are copied to paths of their own.
   */
  readonly #present: string;
  readonly #draft: string;
  /** Which of the two adds to declarations of others, and must not do so in the other's program. */
  readonly #augments = new Set<string>();
  /** What was last completed. */
  #candidates: Candidates | undefined;
  /** What was last compiled: a cell that runs again, and for which nothing has changed, is not compiled again. */
  #last: { program: ts.Program; file: ts.SourceFile; text: CompiledText & { values: Set<string> } } | undefined;

  /**
   * @param folder the notebook's
   * @param cancelled whether to give up what is being checked; then `compile` and `compileFile` throw, the others find nothing
   */
  constructor(folder: string = process.cwd(), cancelled: () => boolean = () => false) {
    this.ts = loadCompiler();
    this.#token = makeCancellable(this.ts, cancelled);
    this.paths = projectPaths(this.ts, folder);
    this.#files = new NotebookService(this.ts, folder, [GLOBALS], this.paths);
    this.#present = this.#files.path('__cell__.ts');
    this.#draft = this.#files.path('__cell_draft__.ts');
    for (const path of [this.#present, this.#draft]) this.#files.write(path, 'export {};');
  }

  /** Read the libraries that every cell needs, so that the first one need not wait for it. */
  warmUp(): void {
    this.#unlessCancelled(() => this.compile(''));
  }

  /** Go once through what the first completion would otherwise load. */
  rehearse(): void {
    const code = 'Math.max';
    this.complete(code, code.length);
  }

  /** Type-check and compile a cell: diagnostics, or the compiled cell. */
  compile(code: string): { diagnostics: Diagnostic[]; cell?: CompiledCell } {
    const { text: unitText, prefix, declared, ambient, needs, augments } = cellModule(this.ts, this.#names, code);
    this.#write(this.#present, unitText, augments);
    let augmenting = this.#augmenting;
    const check = () => {
      this.#begin(this.#present, augmenting);
      return this.#diagnostics(prefix, code);
    };
    return this.#whole(() => {
      let diagnostics = check();
      // A cell that adds to declarations replaces what its earlier self added.
      for (let i = this.#augmenting.length - 1; augments && diagnostics.length > 0 && i >= 0; i--) {
        augmenting = this.#augmenting.filter((_, at) => at !== i);
        diagnostics = check();
      }
      if (diagnostics.length > 0) return { diagnostics };
      const { program } = this.#files;
      const file = program.getSourceFile(this.#present)!;
      const known = this.#last?.program === program && this.#last.file === file ? this.#last.text : undefined;
      const compiled = known ?? compileUnit(this.ts, program, { kind: 'cell', file, prefix, ambient }, code);
      this.#last = { program, file, text: compiled };
      const path = this.#files.path(`__cell${this.#count++}__.ts`);
      if (declared.size > 0 || augments) this.#files.write(path, unitText);
      this.#augmenting = augments ? [...augmenting, path] : augmenting;
      this.#depth.set(path, 1 + Math.max(0, ...[...needs].map(each => this.#depth.get(each) ?? 0)));
      return { diagnostics, cell: { ...compiled, path, declared } };
    });
  }

  /**
   * A compiled cell has run.
   * @param reached names of variables that it got to declare: all of them, unless it failed
   */
  commit({ path, declared, values }: CompiledCell, reached: ReadonlySet<string>): void {
    const known = [...declared.values()].filter(({ name }) => reached.has(name) || !values.has(name));
    this.#names.commit(path, known);
    this.#candidates = undefined;
    if (this.#depth.get(path)! > DEEPEST) this.#unlessCancelled(() => this.#sumUp(path));
  }

  /** Number of files that the last cell was checked with: a measure of what checking costs. */
  get programSize(): number {
    return this.#files.program.getSourceFiles().length;
  }

  /** Type-check (with what it imports) and compile a local file. */
  compileFile(path: string): { diagnostics: Diagnostic[]; text?: CompiledText } {
    return this.#whole(() => {
      this.#begin(path);
      const { program } = this.#files;
      const file = program.getSourceFile(path)!;
      const diagnostics = this.#localDiagnostics(file);
      if (diagnostics.length > 0) return { diagnostics };
      const unit = { kind: 'module', file, prefix: 0, ambient: new Set<string>() } as const;
      return { diagnostics, text: compileUnit(this.ts, program, unit, file.text) };
    });
  }

  /** The names a file imports; undefined when it is no module: it neither imports nor exports. */
  importsOf(path: string): string[] | undefined {
    const text = this.ts.sys.readFile(path) ?? '';
    const file = this.ts.createSourceFile(path, text, this.ts.ScriptTarget.Latest);
    if (!this.ts.isExternalModule(file)) return undefined;
    return this.ts.preProcessFile(text, true, false).importedFiles.map(({ fileName }) => fileName);
  }

  /** Candidates at a position, best first, and the range that each would replace. Offsets are UTF-16. */
  complete(code: string, position: number): { start: number; end: number; items: TypedCompletion[] } {
    const nothing = { start: position, end: position, items: [] };
    return this.#unlessCancelled(() => this.#candidatesAt(code, position).at(code, position)) ?? nothing;
  }

  #candidatesAt(code: string, position: number): Candidates {
    const known = this.#candidates;
    this.#candidates = undefined;
    if (known?.fit(code, position) && !this.#files.unsettled) {
      this.#begin(this.#draft);
      if (this.#files.program === known.view.program) this.#candidates = known;
    }
    if (!this.#candidates) {
      const view = this.#view(code);
      const info = this.#files.service.getCompletionsAtPosition(view.file.fileName, view.offset + position, undefined);
      this.#candidates = new Candidates(this.ts, view, info, code, position);
    }
    return this.#candidates;
  }

  /** What stands at a position, as MIME type → text; undefined where nothing does. @param detail 0 or 1, see `describeInspection`. */
  inspect(code: string, position: number, detail: number): Record<string, string> | undefined {
    return this.#unlessCancelled(() => {
      const view = this.#view(code);
      for (const at of inspectedPositions(this.ts, code, position)) {
        const info = this.#files.service.getQuickInfoAtPosition(view.file.fileName, view.offset + at);
        if (!info || !isKnown(info)) continue;
        const declaration = detail > 0 ? declarationAt(this.ts, view, at) : undefined;
        return describeInspection({ ...info, displayParts: withoutAlias(info.displayParts) }, detail, declaration);
      }
      return undefined;
    });
  }

  /** A cell in the making. It knows every name, so that its imports, and with them the program, stay the same from letter to letter. */
  #view(code: string): CellView {
    const { text, prefix, augments } = cellModule(this.ts, this.#names, code, this.#names.all());
    this.#write(this.#draft, text, augments);
    this.#begin(this.#draft);
    const { program } = this.#files;
    const writtenAt: CellView['writtenAt'] = (each, at) => this.#files.writtenAt(each, at);
    return { program, file: program.getSourceFile(this.#draft)!, offset: prefix, writtenAt };
  }

  #write(path: string, text: string, augments: boolean): void {
    this.#files.write(path, text);
    if (augments) this.#augments.add(path);
    else this.#augments.delete(path);
  }

  /** The next program is for this file. */
  #begin(path: string, augmenting: readonly string[] = this.#augmenting): void {
    const both = [this.#present, this.#draft].filter(each => each === path || !this.#augments.has(each));
    this.#files.roots = [...augmenting, ...both, ...(both.includes(path) ? [] : [path])];
  }

  /** What is thrown half-way leaves a type checker behind that knows half of something. */
  #whole<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#last = undefined;
      this.#candidates = undefined;
      this.#files.forget();
      throw error;
    }
  }

  #unlessCancelled<T>(work: () => T): T | undefined {
    try {
      return this.#whole(work);
    } catch (error) {
      if (error instanceof this.ts.OperationCanceledException) return undefined;
      throw error;
    }
  }

  #diagnostics(prefix: number, code: string): Diagnostic[] {
    const { program } = this.#files;
    const file = program.getSourceFile(this.#present)!;
    const errors = errorsOf(this.ts, program, file, this.#token);
    if (errors.length === 0) return this.#localDiagnostics(file);
    const clamp = (offset: number) => Math.min(Math.max(offset - prefix, 0), code.length);
    return errors.map(each => diagnosticOf(this.ts, each, code, clamp));
  }

  /** Errors of the local files that a file imports, and that those import. */
  #localDiagnostics(file: ts.SourceFile): Diagnostic[] {
    const { program } = this.#files;
    const locals = localFilesOf(this.ts, program, file, path => this.#files.isLocal(path));
    const state = locals.map(({ fileName }) => `${fileName}@${this.#files.version(fileName)}`).join('\n');
    if (this.#clean.has(state)) return [];
    const found = locals.flatMap(local => {
      const { fileName: path, text } = local;
      return errorsOf(this.ts, program, local, this.#token).map(each => ({
        ...diagnosticOf(this.ts, each, text),
        file: { path, text },
      }));
    });
    if (found.length === 0) this.#clean.add(state);
    return found;
  }

  /** Put a cell's declarations in its place, so that checking what builds on it needs no cell below it. */
  #sumUp(path: string): void {
    this.#begin(path);
    const { service, program } = this.#files;
    const file = program.getSourceFile(path);
    if (!file || program.getDeclarationDiagnostics(file).length > 0) return;
    const [declarations] = service.getEmitOutput(path, true, true).outputFiles;
    if (!declarations?.name.endsWith('.d.ts')) return;
    this.#files.write(path, declarations.text);
    const needs = [...declarations.text.matchAll(/["']\.\/(__cell\d+__)["']/g)].map(([, name]) => this.#files.path(`${name}.ts`));
    this.#depth.set(path, 1 + Math.max(0, ...needs.map(each => this.#depth.get(each) ?? 0)));
  }
}

/** What the service shows of a name, without its remarks on how the cell came by it. */
function withoutAlias(parts: readonly ts.SymbolDisplayPart[] = []): ts.SymbolDisplayPart[] {
  const text = parts.map(each => each.text).join('');
  const plain = text.replace(/^\(alias\) /, '').replace(/\n(?:import|export) [^\n]*$/, '');
  return plain === '' || plain === text ? [...parts] : [{ text: plain, kind: 'text' }];
}
