import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import type ts from 'typescript';
import {
  type CellView,
  declarationAt,
  describeCandidates,
  describeInspection,
  inspectedPositions,
  isKnown,
  type TypedCompletion,
} from './assist.js';
import { type Compiler, loadCompiler } from './compiler.js';
import { type Declared, declaredNames, Names, referredNames } from './names.js';
import { objectLiteral } from './object-literal.js';
import { NotebookService } from './service.js';
import { type AwaitPlace, transformers, type Unit } from './transform.js';

/** A place in a cell's text; zero-based. */
export interface Position {
  line: number;
  character: number;
}

/** A message of the type checker. */
export interface Diagnostic {
  start: Position & { offset: number };
  end: Position & { offset: number };
  messageText: string;
  code: number;
  /** Set when the trouble lies in a local file that the cell imports: its path and text. */
  file?: { path: string; text: string };
}

/** From a place in a compiled text to the place in its source; undefined where there is none. */
export type Trace = (line: number, column: number) => Position | undefined;

/** A compiled text: the body of an async function (exports, require, helpers; see `CodeHelpers`). */
export interface CompiledText {
  /** What was compiled. */
  source: string;
  output: string;
  trace: Trace;
  /** Where each await of the text stands, by the number it passes to its helper. */
  places: (Position & { callee: string })[];
}

/** A cell that passed the type checker. {@link Language.commit} makes its names known to later cells. */
export interface CompiledCell extends CompiledText {
  path: string;
  declared: Map<string, Declared>;
  /** Declared names that exist at run time, once the cell got to them. */
  values: Set<string>;
}

/** Declarations of what every cell can call without an import. */
const GLOBALS: string = fileURLToPath(new URL('./globals.d.ts', import.meta.url));
/** "Import assignment cannot be used when targeting ECMAScript modules": here it can. */
const IMPORT_EQUALS_REQUIRE = 1202;
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
   * The cell that is checked, or being written. It always has this path: a program of the same files as the one before is
   * made in a third of the time. Declared cells are copied to paths of their own.
   */
  readonly #present: string;

  /** @param folder the notebook's */
  constructor(folder: string = process.cwd()) {
    this.ts = loadCompiler();
    this.#files = new NotebookService(this.ts, folder, [GLOBALS]);
    this.#present = this.#files.path('__cell__.ts');
  }

  /** Read the libraries that every cell needs, so that the first one need not wait for it. */
  warmUp(): void {
    this.compile('');
  }

  /** Type-check and compile a cell: diagnostics, or the compiled cell. */
  compile(code: string): { diagnostics: Diagnostic[]; cell?: CompiledCell } {
    const { unitText, prefix, declared, ambient, needs, augments } = this.#assemble(code);
    this.#files.write(this.#present, unitText);
    let augmenting = this.#augmenting;
    const check = () => {
      this.#files.roots = [...augmenting, this.#present];
      return this.#diagnostics(this.#present, prefix, code);
    };
    let diagnostics = check();
    // A cell that adds to declarations replaces what its earlier self added.
    for (let i = this.#augmenting.length - 1; augments && diagnostics.length > 0 && i >= 0; i--) {
      augmenting = this.#augmenting.filter((_, at) => at !== i);
      diagnostics = check();
    }
    if (diagnostics.length > 0) return { diagnostics };
    const file = this.#files.program.getSourceFile(this.#present)!;
    const { values, ...text } = this.#emit({ kind: 'cell', file, prefix, ambient }, code);
    const path = this.#files.path(`__cell${this.#count++}__.ts`);
    if (declared.size > 0 || augments) this.#files.write(path, unitText);
    this.#augmenting = augments ? [...augmenting, path] : augmenting;
    this.#depth.set(path, 1 + Math.max(0, ...[...needs].map(each => this.#depth.get(each) ?? 0)));
    return { diagnostics, cell: { ...text, path, declared, values } };
  }

  /**
   * A compiled cell has run.
   * @param reached names of variables that it got to declare: all of them, unless it failed
   */
  commit({ path, declared, values }: CompiledCell, reached: ReadonlySet<string>): void {
    const known = [...declared.values()].filter(({ name }) => reached.has(name) || !values.has(name));
    this.#names.commit(path, known);
    if (this.#depth.get(path)! > DEEPEST) this.#sumUp(path);
  }

  /** Number of files that the last cell was checked with: a measure of what checking costs. */
  get programSize(): number {
    return this.#files.program.getSourceFiles().length;
  }

  /** Type-check (with what it imports) and compile a local file. */
  compileFile(path: string): { diagnostics: Diagnostic[]; text?: CompiledText } {
    this.#files.roots = [...this.#augmenting, path];
    const file = this.#files.program.getSourceFile(path)!;
    const diagnostics = this.#localDiagnostics(file);
    if (diagnostics.length > 0) return { diagnostics };
    return { diagnostics, text: this.#emit({ kind: 'module', file, prefix: 0, ambient: new Set() }, file.text) };
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
    const word = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, position))![0];
    const view = this.#scratch(code);
    const info = this.#files.service.getCompletionsAtPosition(view.file.fileName, view.offset + position, undefined);
    const span = info?.entries[0]?.replacementSpan ?? info?.optionalReplacementSpan;
    const start = span ? Math.max(0, span.start - view.offset) : position - word.length;
    const typed = code.slice(start, position).toLowerCase();
    const found = (info?.entries ?? [])
      .filter(({ name, kind }) => name.toLowerCase().startsWith(typed) && kind !== 'warning')
      .sort((a, b) => compare(a.sortText, b.sortText) || compare(a.name, b.name));
    return { start, end: position, items: describeCandidates(this.ts, view, found, start, position) };
  }

  /** What stands at a position, as MIME type → text; undefined where nothing does. @param detail 0 or 1, see `describeInspection`. */
  inspect(code: string, position: number, detail: number): Record<string, string> | undefined {
    const view = this.#scratch(code);
    for (const at of inspectedPositions(this.ts, code, position)) {
      const info = this.#files.service.getQuickInfoAtPosition(view.file.fileName, view.offset + at);
      if (!info || !isKnown(info)) continue;
      const declaration = detail > 0 ? declarationAt(this.ts, view, at) : undefined;
      return describeInspection({ ...info, displayParts: withoutAlias(info.displayParts) }, detail, declaration);
    }
    return undefined;
  }

  #parse(code: string): ts.SourceFile {
    const { ScriptTarget, ScriptKind } = this.ts;
    return this.ts.createSourceFile('cell.ts', code, ScriptTarget.Latest, true, ScriptKind.TS);
  }

  /** The module that stands for a cell: what it refers to, its text, and everything it declares exported. */
  #assemble(code: string, more: Iterable<string> = []) {
    const literal = objectLiteral(this.ts, code);
    const file = this.#parse(literal === undefined ? code : `(${literal}\n)`);
    const declared = declaredNames(this.ts, file);
    const known = this.#names.all();
    const wanted = [...new Set([...more, ...referredNames(this.ts, file)])].filter(name => known.has(name));
    const { text, paths: needs, ambient } = this.#names.prefix(wanted, declared);
    const head = `${text}export {};${literal === undefined ? '' : '('}\n`;
    const already = ownExports(this.ts, file);
    const exported = [...declared.keys()].filter(name => !already.has(name));
    const tail = `${literal === undefined ? '' : '\n)'}\nexport {${exported.join()}};`;
    const augments = file.statements.some(each => this.ts.isModuleDeclaration(each) && augmentsOthers(this.ts, each));
    return { unitText: head + (literal ?? code) + tail, prefix: head.length, declared, ambient, needs, augments };
  }

  /** A cell in the making. It knows every name, so that its imports, and with them the program, stay the same from letter to letter. */
  #scratch(code: string): CellView {
    const path = this.#files.path(`__cell${this.#count}__.ts`);
    const { unitText, prefix } = this.#assemble(code, this.#names.all());
    this.#files.write(path, unitText);
    this.#files.roots = [...this.#augmenting, path];
    const { program } = this.#files;
    return { program, file: program.getSourceFile(path)!, offset: prefix };
  }

  #diagnostics(path: string, prefix: number, code: string): Diagnostic[] {
    const { service } = this.#files;
    const clamp = (offset: number) => Math.min(Math.max(offset - prefix, 0), code.length);
    const found = service.getSyntacticDiagnostics(path);
    const own = found.length > 0 ? found : service.getSemanticDiagnostics(path);
    const errors = own.filter(each => this.#isError(each));
    if (errors.length === 0) return this.#localDiagnostics(this.#files.program.getSourceFile(path)!);
    return errors.map(each => {
      const start = clamp(each.start ?? prefix);
      const end = clamp((each.start ?? prefix) + (each.length ?? 0));
      return this.#diagnostic(each, code, start, end);
    });
  }

  /** Errors of the local files that a file imports, and that those import. */
  #localDiagnostics(file: ts.SourceFile): Diagnostic[] {
    const locals = localFiles(this.ts, this.#files, file);
    const state = locals.map(({ fileName }) => `${fileName}@${this.#files.version(fileName)}`).join('\n');
    if (this.#clean.has(state)) return [];
    const { service } = this.#files;
    const found = locals.flatMap(({ fileName, text }) => {
      const syntactic = service.getSyntacticDiagnostics(fileName);
      return (syntactic.length > 0 ? syntactic : service.getSemanticDiagnostics(fileName))
        .filter(each => this.#isError(each))
        .map(each => ({
          ...this.#diagnostic(each, text, each.start ?? 0, (each.start ?? 0) + (each.length ?? 0)),
          file: { path: fileName, text },
        }));
    });
    if (found.length === 0) this.#clean.add(state);
    return found;
  }

  #isError({ category, code }: ts.Diagnostic): boolean {
    return category === this.ts.DiagnosticCategory.Error && code !== IMPORT_EQUALS_REQUIRE;
  }

  #diagnostic({ messageText, code: number }: ts.Diagnostic, text: string, start: number, end: number): Diagnostic {
    const at = (offset: number) => ({ offset, ...positionAt(text, offset) });
    return {
      start: at(start),
      end: at(end),
      messageText: this.ts
        .flattenDiagnosticMessageText(messageText, '\n')
        .replace(
          / Do you need to change your target library\?.*/,
          ` Node ${process.versions.node}, which runs the cells, has no such thing.`,
        ),
      code: number,
    };
  }

  #emit(unit: Unit, source: string): CompiledText & { values: Set<string> } {
    const { program } = this.#files;
    const { custom, notes } = transformers(this.ts, program.getTypeChecker(), unit);
    let text = '';
    let map = '';
    const write = (name: string, data: string) => {
      if (name.endsWith('.map')) map = data;
      else text = data;
    };
    program.emit(unit.file, write, undefined, false, custom);
    const output = text.replace(/\/\/# sourceMappingURL=.*\s*$/, '').replace(/^export \{\s*\};$/m, '');
    const lines = positionAt(unit.file.text, unit.prefix).line;
    const places = notes.places.map(({ offset, callee }: AwaitPlace) => {
      const { line, character } = unit.file.getLineAndCharacterOfPosition(offset);
      return { line: line - lines, character, callee };
    });
    return { source, output, trace: traceOf(map, lines), places, values: notes.values };
  }

  /** Put a cell's declarations in its place, so that checking what builds on it needs no cell below it. */
  #sumUp(path: string): void {
    this.#files.roots = [...this.#augmenting, path];
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

/** The names that a cell's own text exports, as that of a module pasted into a cell does. */
function ownExports(compiler: Compiler, file: ts.SourceFile): Set<string> {
  const found = new Set<string>();
  for (const statement of file.statements) {
    if (compiler.isExportDeclaration(statement) && statement.exportClause && compiler.isNamedExports(statement.exportClause)) {
      for (const { name } of statement.exportClause.elements) found.add(name.text);
      continue;
    }
    const modifiers = compiler.canHaveModifiers(statement) ? compiler.getModifiers(statement) : undefined;
    const has = (kind: ts.SyntaxKind) => modifiers?.some(each => each.kind === kind) ?? false;
    if (!has(compiler.SyntaxKind.ExportKeyword) || has(compiler.SyntaxKind.DefaultKeyword)) continue;
    const single = compiler.factory.updateSourceFile(file, [statement]);
    for (const name of declaredNames(compiler, single).keys()) found.add(name);
  }
  return found;
}

/** `declare global`, `declare module "x"`. */
function augmentsOthers(compiler: Compiler, node: ts.ModuleDeclaration): boolean {
  return compiler.isStringLiteral(node.name) || (node.flags & compiler.NodeFlags.GlobalAugmentation) !== 0;
}

/** The local files a file imports, and those they import, each once. */
function localFiles(compiler: Compiler, files: NotebookService, file: ts.SourceFile): ts.SourceFile[] {
  const checker = files.program.getTypeChecker();
  const found = new Set<ts.SourceFile>();
  const enter = (specifier: ts.Expression | undefined) => {
    if (!specifier || !compiler.isStringLiteralLike(specifier)) return;
    const target = checker.getSymbolAtLocation(specifier)?.declarations?.[0]?.getSourceFile();
    if (!target || found.has(target) || !files.isLocal(target.fileName)) return;
    found.add(target);
    walk(target);
  };
  const walk = (from: ts.SourceFile) => {
    const isDynamic = /\bimport\s*\(/.test(from.text);
    const visit = (node: ts.Node): void => {
      if (compiler.isCallExpression(node) && node.expression.kind === compiler.SyntaxKind.ImportKeyword) enter(node.arguments[0]);
      compiler.forEachChild(node, visit);
    };
    for (const statement of from.statements) {
      if (compiler.isImportDeclaration(statement) || compiler.isExportDeclaration(statement)) enter(statement.moduleSpecifier);
      else if (isDynamic) visit(statement);
    }
  };
  if (files.isLocal(file.fileName)) found.add(file);
  walk(file);
  return [...found];
}

function traceOf(map: string, prefixLines: number): Trace {
  if (map === '') return () => undefined;
  let source: SourceMap | undefined;
  return (line, column) => {
    source ??= new SourceMap(JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0]);
    const entry = source.findEntry(line, column) as { originalLine?: number; originalColumn?: number };
    if (entry.originalLine === undefined || entry.originalLine < prefixLines) return undefined;
    return { line: entry.originalLine - prefixLines, character: entry.originalColumn! };
  };
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, Math.max(offset, 0));
  return { line: before.split('\n').length - 1, character: before.length - (before.lastIndexOf('\n') + 1) };
}

/** What the service shows of a name, without its remarks on how the cell came by it. */
function withoutAlias(parts: readonly ts.SymbolDisplayPart[] = []): ts.SymbolDisplayPart[] {
  const text = parts.map(each => each.text).join('');
  const plain = text.replace(/^\(alias\) /, '').replace(/\n(?:import|export) [^\n]*$/, '');
  return plain === '' || plain === text ? [...parts] : [{ text: plain, kind: 'text' }];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
