import type ts from 'typescript';
import { shorthandValue } from './shorthand.js';

/** The TypeScript that parses and compiles cells. */
export type Compiler = typeof ts;

/** Name of the object that compiled cells find their helpers in (see `CellHelpers`). */
export const HELPERS = '__tunebook__';

/** What a compiled cell calls. */
export interface CellHelpers {
  /** Namespace of a static import: `import … from`. */
  import(specifier: string): Promise<object>;
  /** `import * as name from`. */
  namespace(specifier: string): Promise<object>;
  /** `import()`. */
  dynamicImport(specifier: string): Promise<object>;
  /** Every `await x` is `await helpers.await(x)`: the place where an interrupt takes hold. */
  await<T>(value: T): T | Promise<Awaited<T>>;
  /** Every `for await (… of x)`. */
  iterate<T>(source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>): AsyncIterable<T>;
  /** `import.meta`. */
  meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string };
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

/**
 * Rewrite a cell that TypeScript has compiled to an ES module: static imports become awaited true dynamic imports (so that
 * ESM-only packages and ones with top-level await load), and every await becomes a checkpoint. Lines keep their numbers.
 */
export function rewriteCell(ts: Compiler, js: string): string {
  const file = ts.createSourceFile('cell.mjs', js, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const edits: Edit[] = [];
  const insert = (at: number, text: string) => edits.push({ start: at, end: at, text });
  const replace = (node: ts.Node, text: string) => edits.push({ start: node.getStart(file), end: node.end, text });
  const wrap = (node: ts.Node, helper: string) => {
    insert(node.getStart(file), ` ${HELPERS}.${helper}(`);
    insert(node.end, ')');
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const lines = js.slice(node.getStart(file), node.end).split('\n').length - 1;
      replace(node, importStatement(ts, node) + '\n'.repeat(lines));
      return;
    }
    if (ts.isAwaitExpression(node)) wrap(node.expression, 'await');
    else if (ts.isForOfStatement(node) && node.awaitModifier) wrap(node.expression, 'iterate');
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      replace(node.expression, `${HELPERS}.dynamicImport`);
    else if (ts.isShorthandPropertyAssignment(node)) insert(node.name.end, shorthandValue(ts, node) ?? '');
    else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) replace(node, `${HELPERS}.meta`);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(file, visit);
  return apply(js, edits);
}

/** `import D, { a as b } from 'm'` → `const { default: D, a: b } = await …import('m');`. */
function importStatement(ts: Compiler, node: ts.ImportDeclaration): string {
  const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
  const call = (helper: string) => `await ${HELPERS}.${helper}(${JSON.stringify(specifier)});`;
  const clause = node.importClause;
  if (!clause) return call('import');
  const names: string[] = [];
  if (clause.name) names.push(`default: ${clause.name.text}`);
  let namespace = '';
  if (clause.namedBindings) {
    if (ts.isNamespaceImport(clause.namedBindings)) namespace = `const ${clause.namedBindings.name.text} = ${call('namespace')}`;
    else
      for (const { propertyName, name } of clause.namedBindings.elements)
        names.push(propertyName ? `${propertyName.text}: ${name.text}` : name.text);
  }
  const named = names.length > 0 ? `const { ${names.join(', ')} } = ${call('import')}` : '';
  return [named, namespace].filter(Boolean).join(' ') || call('import');
}

function apply(text: string, edits: Edit[]): string {
  // Nested awaits insert several closing brackets at one place: their order does not matter, but it must be stable.
  edits.sort((a, b) => a.start - b.start || a.end - b.end);
  let out = '';
  let at = 0;
  for (const { start, end, text: replacement } of edits) {
    out += text.slice(at, start) + replacement;
    at = end;
  }
  return out + text.slice(at);
}
