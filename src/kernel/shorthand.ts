import type ts from 'typescript';
import type { Compiler } from './rewrite.js';

/**
 * What to write after the name of a shorthand property, or undefined where it is right as it is. tslab turns a variable of
 * an earlier cell into `exports.name`, but not in `{ name }`, which would look for a global: it becomes `{ name: … }`.
 */
export function shorthandValue(ts: Compiler, node: ts.ShorthandPropertyAssignment): string | undefined {
  const name = node.name.text;
  for (let scope: ts.Node | undefined = node.parent; scope; scope = scope.parent)
    if (isScope(ts, scope) && declares(ts, scope, name)) return undefined;
  if (isTarget(ts, node)) return `: exports.${name}`;
  // What no cell has declared is a global.
  return `: ("${name}" in exports ? exports.${name} : ${name})`;
}

function isScope(ts: Compiler, node: ts.Node): boolean {
  return (
    ts.isFunctionLike(node) ||
    ts.isBlock(node) ||
    ts.isCaseBlock(node) ||
    ts.isForStatement(node) ||
    ts.isForInStatement(node) ||
    ts.isForOfStatement(node) ||
    ts.isCatchClause(node) ||
    ts.isClassLike(node) ||
    ts.isSourceFile(node)
  );
}

/** Whether the scope itself binds the name. Bindings of blocks inside it count only for `var`; functions inside it hide theirs. */
function declares(ts: Compiler, scope: ts.Node, name: string): boolean {
  if ((ts.isFunctionExpression(scope) || ts.isClassLike(scope)) && scope.name?.text === name) return true;
  const binds = (binding: ts.BindingName): boolean =>
    ts.isIdentifier(binding)
      ? binding.text === name
      : binding.elements.some(element => !ts.isOmittedExpression(element) && binds(element.name));
  const search = (node: ts.Node, inner: boolean): boolean => {
    if (ts.isVariableDeclaration(node)) {
      const list = node.parent;
      const isVar = ts.isVariableDeclarationList(list) && (list.flags & ts.NodeFlags.BlockScoped) === 0;
      if ((!inner || isVar) && binds(node.name)) return true;
    } else if (ts.isParameter(node)) {
      if (binds(node.name)) return true;
    } else if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) {
      return !inner && node.name?.text === name;
    } else if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      if (clause?.name?.text === name) return true;
      if (named && ts.isNamespaceImport(named)) return named.name.text === name;
      return named?.elements.some(element => element.name.text === name) ?? false;
    }
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false;
    const deeper = inner || isScope(ts, node);
    return ts.forEachChild(node, child => search(child, deeper)) ?? false;
  };
  // A function's body block is one scope with its parameters as far as names go; the block is asked on its own.
  return ts.forEachChild(scope, child => search(child, ts.isFunctionLike(scope) && ts.isBlock(child))) ?? false;
}

/** Whether the property stands in a pattern that is assigned to: `({ name } = …)`. */
function isTarget(ts: Compiler, node: ts.ShorthandPropertyAssignment): boolean {
  let pattern: ts.Node = node.parent;
  while (
    ts.isPropertyAssignment(pattern.parent) ||
    ts.isObjectLiteralExpression(pattern.parent) ||
    ts.isArrayLiteralExpression(pattern.parent)
  )
    pattern = pattern.parent;
  const { parent } = pattern;
  if (ts.isBinaryExpression(parent)) return parent.operatorToken.kind === ts.SyntaxKind.EqualsToken && parent.left === pattern;
  return ts.isForOfStatement(parent) && parent.initializer === pattern;
}
