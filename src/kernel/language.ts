import { createRequire, SourceMap } from 'node:module';
import type ts from 'typescript';
import { ownTypes } from './own-package.js';
import type { Compiler } from './rewrite.js';
import { rewriteCell } from './rewrite.js';
import { annotateUnnameable } from './unnameable.js';

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
  /** Set when the trouble lies in a local file that the cell imports. */
  fileName?: string;
}

/** A compiled cell. With diagnostics there is nothing else. */
export interface Compiled {
  /** Body of an async function (exports, require, helpers); undefined for a cell that only declares types. */
  output?: string;
  /** Declarations of everything the notebook knows after this cell. */
  declOutput?: string;
  diagnostics: Diagnostic[];
  lastExpressionVar?: string;
  /** Local files compiled because the cell imports them (CommonJS). */
  sideOutputs?: { path: string; data: string }[];
}

/** From a place in a compiled text to the place in its source; undefined where there is none. */
export type Trace = (line: number, column: number) => Position | undefined;

interface Converter {
  convert(prevDecl: string, src: string): Compiled;
  inspect(prevDecl: string, src: string, position: number): QuickInfo | undefined;
  complete(prevDecl: string, src: string, position: number): { start: number; end: number; candidates: string[] };
  close(): void;
}

type QuickInfo = { displayParts?: { text: string }[]; documentation?: { text: string }[]; tags?: unknown };

/** Codes of "cannot find module": the answer may differ after an `npm install`, so the service starts afresh. */
const MODULE_NOT_FOUND = new Set([2307, 2792, 7016]);

/**
 * The language service of the notebook: tslab's converter (its own fork of TypeScript 5.0.4) with other settings. Standing on
 * its internals is why the tslab version is pinned.
 */
export class Language {
  readonly ts: Compiler;
  readonly #createConverter: () => Converter;
  readonly #printQuickInfo: (info: QuickInfo) => string;
  readonly #traces = new Map<string, Trace>();
  #converter: Converter;
  #stale = false;

  constructor() {
    const require = createRequire(import.meta.url);
    const fromTslab = createRequire(require.resolve('tslab/package.json'));
    const path = fromTslab.resolve('@tslab/typescript-for-tslab');
    const original = fromTslab(path) as Compiler;
    this.ts = original;
    // The fork's exports cannot be assigned to, so tslab gets a copy in which three functions are ours.
    const cached = fromTslab.cache[path]!;
    cached.exports = { ...original, ...this.#overrides(original) };
    const { createConverter } = fromTslab('./dist/converter.js') as { createConverter(options: object): Converter };
    const { printQuickInfo } = fromTslab('./dist/inspect.js') as { printQuickInfo(info: QuickInfo): string };
    this.#createConverter = () => createConverter({ isJS: false, isBrowser: false });
    this.#printQuickInfo = printQuickInfo;
    this.#converter = this.#createConverter();
  }

  /** Type-check and compile a cell, given the declarations of the cells before it. */
  compile(declarations: string, code: string): Compiled & { trace?: Trace } {
    if (this.#stale) this.#renew();
    this.#traces.clear();
    let compiled = this.#converter.convert(declarations, code);
    let annotated: string | undefined = code;
    for (let round = 0; round < 3 && annotated !== undefined && compiled.diagnostics.length > 0; round++) {
      annotated = annotateUnnameable(this.ts, annotated, compiled.diagnostics);
      if (annotated !== undefined) compiled = this.#converter.convert(declarations, annotated);
    }
    this.#stale = compiled.diagnostics.some(({ code }) => MODULE_NOT_FOUND.has(code));
    // The cell and tslab's marker of it are one line further down in the file that was compiled.
    const inner = compiled.output === undefined ? undefined : this.#traces.get(compiled.output);
    const trace: Trace | undefined = inner && ((line, column) => shift(inner(line, column)));
    return { ...compiled, trace };
  }

  /** Signature and documentation at a position, as text. */
  inspect(declarations: string, code: string, position: number): string | undefined {
    const info = this.#converter.inspect(declarations, code, position);
    return info && this.#printQuickInfo(info);
  }

  complete(declarations: string, code: string, position: number): { start: number; end: number; candidates: string[] } {
    return this.#converter.complete(declarations, code, position);
  }

  /** Whether the code can run as it is, wants more lines, or is wrong. */
  isComplete(code: string): { status: 'complete' | 'invalid' } | { status: 'incomplete'; indent: string } {
    const file = this.ts.createSourceFile('cell.ts', code, this.ts.ScriptTarget.Latest, false, this.ts.ScriptKind.TS);
    const problems = (file as unknown as { parseDiagnostics: { start: number; length: number; code: number }[] })
      .parseDiagnostics;
    const first = problems[0];
    if (!first) return { status: 'complete' };
    // Unterminated template literal, comment: they begin early but more text can end them.
    const open = first.code === 1160 || first.code === 1010 || first.start >= code.trimEnd().length;
    if (!open) return { status: 'invalid' };
    const line = code.slice(code.lastIndexOf('\n') + 1);
    return { status: 'incomplete', indent: /^\s*/.exec(line)![0] + (/[{[(]\s*$/.test(line) ? '  ' : '') };
  }

  #renew(): void {
    this.#converter.close();
    this.#converter = this.#createConverter();
  }

  #overrides(ts: Compiler): Partial<Compiler> {
    const sys = ts.sys as { -readonly [K in keyof typeof ts.sys]: (typeof ts.sys)[K] };
    const watchFile = ts.sys.watchFile!;
    const idle = { close() {} };
    // Only local sources are worth watching: a watch per file and folder of node_modules costs seconds and inotify handles.
    sys.watchFile = (path, ...rest) => (/\/node_modules\/|\.d\.[mc]?ts$/.test(path) ? idle : watchFile(path, ...rest));
    sys.watchDirectory = () => idle;

    const transpileModule: Compiler['transpileModule'] = (js, options) => {
      const inline = takeInlineMap(js);
      const isCell = inline.map?.sources.some(source => source.endsWith('__tslab__.ts')) ?? false;
      const text = isCell ? rewriteCell(ts, inline.text) : inline.text;
      const compilerOptions = { ...options.compilerOptions, sourceMap: true, target: ts.ScriptTarget.ES2022 };
      const out = ts.transpileModule(text, { ...options, compilerOptions });
      // Unset exports at the top would wipe what an earlier run of this cell left, should this one fail before it gets there.
      const outputText = out.outputText
        .replace(/\/\/# sourceMappingURL=.*\s*$/, '')
        .replace(/^(?:exports\.[\p{ID_Continue}$]+ = )+void 0;$/mu, '');
      if (out.sourceMapText && inline.map)
        this.#traces.set(outputText, composed(new SourceMap(JSON.parse(out.sourceMapText)), inline.map));
      return { ...out, outputText };
    };

    const createWatchCompilerHost = ((files: string[], options: ts.CompilerOptions, ...rest: unknown[]) =>
      (ts.createWatchCompilerHost as (...args: unknown[]) => unknown)(
        files,
        {
          ...options,
          // As bundlers do: `exports` maps, and no file extensions asked for.
          moduleResolution: ts.ModuleResolutionKind.Bundler,
          customConditions: ['node'],
          lib: ['lib.esnext.d.ts'],
          inlineSourceMap: true,
          paths: ownTypes(process.cwd()),
          inlineSources: false,
        },
        ...rest,
      )) as Compiler['createWatchCompilerHost'];

    return { transpileModule, createWatchCompilerHost };
  }
}

type RawMap = ConstructorParameters<typeof SourceMap>[0] & { sources: string[] };

function takeInlineMap(js: string): { text: string; map?: RawMap } {
  const match = /\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/.exec(js);
  if (!match) return { text: js };
  return { text: js.slice(0, match.index), map: JSON.parse(Buffer.from(match[1]!, 'base64').toString('utf8')) as RawMap };
}

function composed(second: SourceMap, first: RawMap): Trace {
  const firstMap = new SourceMap(first);
  return (line, column) => {
    const between = original(second, line, column);
    return between && original(firstMap, between.line, between.character);
  };
}

function original(map: SourceMap, line: number, column: number): Position | undefined {
  const entry = map.findEntry(line, column) as { originalLine?: number; originalColumn?: number };
  return entry.originalLine === undefined ? undefined : { line: entry.originalLine, character: entry.originalColumn! };
}

function shift(position: Position | undefined): Position | undefined {
  return position && position.line > 0 ? { line: position.line - 1, character: position.character } : undefined;
}
