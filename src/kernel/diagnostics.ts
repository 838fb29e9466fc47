import type ts from 'typescript';
import { type Position, positionAt } from './compiled.js';
import type { Compiler } from './compiler.js';

/** A message of the type checker. */
export interface Diagnostic {
  start: Position & { offset: number };
  end: Position & { offset: number };
  messageText: string;
  code: number;
  /** Set when the trouble lies in a local file that the cell imports: its path and text. */
  file?: { path: string; text: string };
}

/** "Import assignment (export assignment) cannot be used when targeting ECMAScript modules": here they can. */
const ALLOWED: readonly number[] = [1202, 1203];

/** Errors of a file of a program: those of its syntax, or else those of its types. */
export function errorsOf(
  compiler: Compiler,
  program: ts.Program,
  file: ts.SourceFile,
  token: ts.CancellationToken,
): ts.Diagnostic[] {
  const syntactic = program.getSyntacticDiagnostics(file, token);
  const found = syntactic.length > 0 ? syntactic : program.getSemanticDiagnostics(file, token);
  return found.filter(({ category, code }) => category === compiler.DiagnosticCategory.Error && !ALLOWED.includes(code));
}

/** An error as the reader of `text` sees it. @param place maps an offset of the file to one of the text */
export function diagnosticOf(
  compiler: Compiler,
  { start = 0, length = 0, messageText, code }: ts.Diagnostic,
  text: string,
  place: (offset: number) => number = offset => offset,
): Diagnostic {
  const at = (offset: number) => ({ offset: place(offset), ...positionAt(text, place(offset)) });
  return {
    start: at(start),
    end: at(start + length),
    messageText: compiler
      .flattenDiagnosticMessageText(messageText, '\n')
      .replace(
        / Do you need to change your target library\?.*/,
        ` Node ${process.versions.node}, which runs the cells, has no such thing.`,
      ),
    code,
  };
}
