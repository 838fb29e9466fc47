import type ts from 'typescript';
import type { Compiler } from './compiler.js';

/** The local files a file of a program imports, and those they import, each once; a local file itself comes first. */
export function localFilesOf(
  compiler: Compiler,
  program: ts.Program,
  file: ts.SourceFile,
  isLocal: (path: string) => boolean,
): ts.SourceFile[] {
  const checker = program.getTypeChecker();
  const found = new Set<ts.SourceFile>();
  const enter = (specifier: ts.Expression | undefined) => {
    if (!specifier || !compiler.isStringLiteralLike(specifier)) return;
    const target = checker.getSymbolAtLocation(specifier)?.declarations?.[0]?.getSourceFile();
    if (!target || found.has(target) || !isLocal(target.fileName)) return;
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
  if (isLocal(file.fileName)) found.add(file);
  walk(file);
  return [...found];
}
