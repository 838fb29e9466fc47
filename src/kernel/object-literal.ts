import type ts from 'typescript';
import type { Compiler } from './compiler.js';

/** A cell that is an object literal, which TypeScript would read as a block: the text that goes between brackets. */
export function objectLiteral(compiler: Compiler, code: string): string | undefined {
  if (!/^\s*(?:\{|\/[/*])/.test(code)) return undefined;
  for (const text of [code, code.replace(/;(\s*)$/, ' $1')]) {
    const file = compiler.createSourceFile('cell.ts', `(${text}\n)`, compiler.ScriptTarget.Latest, false, compiler.ScriptKind.TS);
    const [only, more] = file.statements;
    if (problemsOf(file).length > 0 || more || !only || !compiler.isExpressionStatement(only)) continue;
    const inner = (only.expression as ts.ParenthesizedExpression).expression;
    if (compiler.isObjectLiteralExpression(inner)) return text;
  }
  return undefined;
}

/** What the parser had to say about a file. */
export function problemsOf(file: ts.SourceFile): { start: number; code: number }[] {
  return (file as unknown as { parseDiagnostics: { start: number; code: number }[] }).parseDiagnostics;
}
