import type ts from 'typescript';
import type { Diagnostic } from './language.js';
import type { Compiler } from './rewrite.js';

/**
 * Whether a diagnostic is about writing a declaration file only: "has or is using private name", "inferred type cannot be named
 * without a reference to …", "exceeds the maximum length". The kernel carries types from cell to cell as declarations, but
 * code with such a type is correct.
 */
function isUnnameable(code: number): boolean {
  return (code >= 4000 && code < 4111) || [2527, 2742, 2883, 5088, 7056].includes(code);
}

/**
 * Give the values whose inferred types cannot be written down the type `any`, so that the cell runs all the same. Undefined
 * when another error is among the diagnostics, or the place cannot be annotated. Lines keep their numbers.
 */
export function annotateUnnameable(compiler: Compiler, code: string, diagnostics: readonly Diagnostic[]): string | undefined {
  if (diagnostics.length === 0 || !diagnostics.every(({ code, fileName }) => isUnnameable(code) && !fileName)) return undefined;
  const file = compiler.createSourceFile('cell.ts', code, compiler.ScriptTarget.Latest, true, compiler.ScriptKind.TS);
  const places = new Set<number>();
  for (const { start } of diagnostics) {
    const place = annotationPlace(compiler, file, start.offset);
    if (place === undefined) return undefined;
    places.add(place);
  }
  let out = code;
  for (const place of [...places].sort((a, b) => b - a)) out = `${out.slice(0, place)}: any${out.slice(place)}`;
  return out;
}

/** Where `: any` goes for the declaration around an offset. */
function annotationPlace(compiler: Compiler, file: ts.SourceFile, offset: number): number | undefined {
  let place: number | undefined;
  const visit = (node: ts.Node): void => {
    if (offset < node.getStart(file) || offset >= node.end) return;
    const name = (node as ts.NamedDeclaration).name;
    const named = name !== undefined && offset >= name.getStart(file) && offset < name.end;
    const untyped = (node as { type?: ts.TypeNode }).type === undefined;
    if (named && untyped) {
      if (compiler.isVariableDeclaration(node) || compiler.isPropertyDeclaration(node) || compiler.isParameter(node))
        place = name.end;
      else if (compiler.isFunctionDeclaration(node) || compiler.isMethodDeclaration(node) || compiler.isGetAccessor(node)) {
        place = file.text.lastIndexOf(')', node.body?.getStart(file) ?? node.end) + 1;
      }
    }
    compiler.forEachChild(node, visit);
  };
  visit(file);
  return place;
}
