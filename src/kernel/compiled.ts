import { SourceMap } from 'node:module';
import type ts from 'typescript';
import type { Compiler } from './compiler.js';
import type { Declared } from './names.js';
import { type AwaitPlace, transformers, type Unit } from './transform.js';

/** A place in a cell's text; zero-based. */
export interface Position {
  line: number;
  character: number;
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

/** A cell that passed the type checker. `Language.commit` makes its names known to later cells. */
export interface CompiledCell extends CompiledText {
  path: string;
  declared: Map<string, Declared>;
  /** Declared names that exist at run time, once the cell got to them. */
  values: Set<string>;
}

/** Line and character of an offset. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, Math.max(offset, 0));
  return { line: before.split('\n').length - 1, character: before.length - (before.lastIndexOf('\n') + 1) };
}

/** Compile a file of a program that has no errors. `source` is the text whose places are meant: a file's without its prefix. */
export function compileUnit(
  compiler: Compiler,
  program: ts.Program,
  unit: Unit,
  source: string,
): CompiledText & { values: Set<string> } {
  const { custom, notes } = transformers(compiler, program.getTypeChecker(), unit);
  let text = '';
  let map = '';
  const write = (name: string, data: string) => {
    if (name.endsWith('.map')) map = data;
    else text = data;
  };
  // The compiler would turn the imports of a `.cts` file into `require` before our transformers get to them.
  const { impliedNodeFormat } = unit.file;
  unit.file.impliedNodeFormat = undefined;
  try {
    program.emit(unit.file, write, undefined, false, custom);
  } finally {
    unit.file.impliedNodeFormat = impliedNodeFormat;
  }
  const output = text.replace(/\/\/# sourceMappingURL=.*\s*$/, '').replace(/^export \{\s*\};$/m, '');
  const lines = positionAt(unit.file.text, unit.prefix).line;
  const places = notes.places.map(({ offset, callee }: AwaitPlace) => {
    const { line, character } = unit.file.getLineAndCharacterOfPosition(offset);
    return { line: line - lines, character, callee };
  });
  return { source, output, trace: traceOf(map, lines), places, values: notes.values };
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
