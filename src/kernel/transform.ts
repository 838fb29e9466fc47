import type ts from 'typescript';
import { type CodeHelpers, call, constant, defineStatement, helperMember, memberOf, VARIABLES } from './code-helpers.js';
import type { Compiler } from './compiler.js';
import { boundNames, hasValues, hoistedNames, isAmbient, isConstant } from './names.js';
import { afterStage, withoutExport } from './transform-exports.js';

/** A place that compiled code waits at: zero-based offset in the text that was compiled, and the function around it. */
export interface AwaitPlace {
  offset: number;
  callee: string;
}

/** What the transformers of one file noted on the way. */
export interface Notes {
  places: AwaitPlace[];
  /** Names that exist at run time once the cell got to them. */
  values: Set<string>;
}

/** A file to compile: a cell, or a local file that a cell imports. */
export interface Unit {
  kind: 'cell' | 'module';
  file: ts.SourceFile;
  /** Characters before a cell's own text. */
  prefix: number;
  /** Names in the prefix that are globals. */
  ambient: ReadonlySet<string>;
}

/**
 * Turn a file into the body of an async function. Static imports become awaited true dynamic imports (so that ESM-only packages
 * and ones with top-level await load), every await becomes a checkpoint, and variables live where other cells reach them:
 * each is a plain local of its cell, as fast as any, with a getter and a setter among the notebook's variables.
 */
export function transformers(
  compiler: Compiler,
  checker: ts.TypeChecker,
  unit: Unit,
): { custom: ts.CustomTransformers; notes: Notes } {
  const notes: Notes = { places: [], values: new Set() };
  const { references, imports } = collectReferences(compiler, checker, unit);
  return {
    notes,
    custom: {
      before: [context => file => beforeStage(compiler, checker, unit, references, notes, context, file)],
      after: [context => file => afterStage(compiler, unit, imports, notes, context, file)],
    },
  };
}

/** How an identifier is written once compiled. */
type Reference = (factory: ts.NodeFactory) => ts.Expression;

/** The names of a file that are not its own: those of other cells and of imports. */
function collectReferences(compiler: Compiler, checker: ts.TypeChecker, { kind, file, prefix, ambient }: Unit) {
  const references = new Map<string, { symbol: ts.Symbol; reference: Reference }>();
  const imports = new Map<ts.Node, string>();
  const add = (name: ts.Identifier, reference: Reference) => {
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol) references.set(name.text, { symbol, reference });
  };
  for (const statement of file.statements) {
    const isPrefix = kind === 'cell' && statement.end <= prefix;
    if (isPrefix) {
      const names = compiler.isVariableStatement(statement)
        ? statement.declarationList.declarations.map(({ name }) => name as ts.Identifier)
        : compiler.isImportDeclaration(statement)
          ? (statement.importClause!.namedBindings as ts.NamedImports).elements.map(({ name }) => name)
          : [];
      for (const name of names)
        if (!ambient.has(name.text))
          add(name, factory => factory.createPropertyAccessExpression(factory.createIdentifier(VARIABLES), name.text));
    } else if (compiler.isImportDeclaration(statement)) {
      const module = `__import${imports.size}__`;
      imports.set(statement, module);
      const { importClause } = statement;
      const from =
        (property: string): Reference =>
        factory =>
          memberOf(factory, module, property);
      if (importClause?.name) add(importClause.name, from('default'));
      if (importClause?.namedBindings && compiler.isNamedImports(importClause.namedBindings))
        for (const { propertyName, name } of importClause.namedBindings.elements) add(name, from((propertyName ?? name).text));
    }
  }
  return { references, imports };
}

/** Before TypeScript compiles: names of other cells and of imports, awaits, and what becomes of a cell's own declarations. */
function beforeStage(
  compiler: Compiler,
  checker: ts.TypeChecker,
  unit: Unit,
  references: ReturnType<typeof collectReferences>['references'],
  notes: Notes,
  context: ts.TransformationContext,
  file: ts.SourceFile,
): ts.SourceFile {
  const { factory } = context;
  const helper = (name: keyof CodeHelpers, ...values: ts.Expression[]) => call(factory, name, values);

  const referenceTo = (name: ts.Identifier, symbol: ts.Symbol | undefined): ts.Expression | undefined => {
    const known = references.get(name.text);
    if (!known || symbol !== known.symbol) return undefined;
    return compiler.setTextRange(known.reference(factory), name);
  };
  const place = (node: ts.Node): ts.Expression => {
    notes.places.push({ offset: node.getStart(file), callee: calleeAround(compiler, node) });
    return factory.createNumericLiteral(notes.places.length - 1);
  };
  /** `(0, x.f)`: called without `this`, as a name is. */
  const bare = (node: ts.Expression): ts.Expression => {
    const visited = visit(node) as ts.Expression;
    if (visited === node || !compiler.isIdentifier(node)) return visited;
    const bracketed = factory.createParenthesizedExpression(factory.createComma(factory.createNumericLiteral(0), visited));
    // Stacks give the place behind the bracket: it is to be where the name begins, as in any other call.
    const start = node.getStart(file);
    return compiler.setSourceMapRange(bracketed, { pos: start, end: start });
  };

  /** `import a = b.c` and `import a = require("b")` as constants; undefined for an alias of a type. */
  const aliasConstant = (node: ts.ImportEqualsDeclaration): ts.Statement | undefined => {
    const { moduleReference, name } = node;
    if (compiler.isExternalModuleReference(moduleReference)) {
      const value = factory.createAwaitExpression(helper('required', moduleReference.expression));
      return node.isTypeOnly ? undefined : compiler.setTextRange(constant(factory, name.text, value, node.modifiers), node);
    }
    const symbol = checker.getSymbolAtLocation(name);
    if (!symbol || !(checker.getAliasedSymbol(symbol).flags & compiler.SymbolFlags.Value)) return undefined;
    const written = (entity: ts.EntityName): ts.Expression =>
      compiler.isIdentifier(entity)
        ? (references.get(entity.text)?.reference(factory) ?? entity)
        : factory.createPropertyAccessExpression(written(entity.left), entity.right);
    return compiler.setTextRange(constant(factory, name.text, written(moduleReference), node.modifiers), node);
  };

  const visit = (node: ts.Node): ts.Node => {
    if (compiler.isTypeNode(node) && !compiler.isExpressionWithTypeArguments(node)) return node;
    if (compiler.isIdentifier(node))
      return (isReference(compiler, node) && referenceTo(node, checker.getSymbolAtLocation(node))) || node;
    if (compiler.isShorthandPropertyAssignment(node)) {
      const value = referenceTo(node.name, checker.getShorthandAssignmentValueSymbol(node));
      const fallback =
        node.objectAssignmentInitializer && (compiler.visitNode(node.objectAssignmentInitializer, visit) as ts.Expression);
      if (!value) return factory.updateShorthandPropertyAssignment(node, node.name, fallback);
      return factory.createPropertyAssignment(node.name.text, fallback ? factory.createAssignment(value, fallback) : value);
    }
    if (compiler.isExportSpecifier(node) || compiler.isImportDeclaration(node)) return node;
    if (compiler.isImportEqualsDeclaration(node)) return aliasConstant(node) ?? node;
    if (unit.kind === 'module' && compiler.isExportAssignment(node) && node.isExportEquals) {
      const all = helper('exportAll', compiler.visitNode(node.expression, visit) as ts.Expression);
      return compiler.setTextRange(factory.createExpressionStatement(all), node);
    }
    if (compiler.isAwaitExpression(node)) {
      const value = compiler.visitNode(node.expression, visit) as ts.Expression;
      return factory.updateAwaitExpression(node, compiler.setTextRange(helper('await', value, place(node)), node.expression));
    }
    if (compiler.isForOfStatement(node) && node.awaitModifier) {
      const visited = compiler.visitEachChild(node, visit, context);
      const source = helper('iterate', visited.expression, place(node));
      return factory.updateForOfStatement(visited, visited.awaitModifier, visited.initializer, source, visited.statement);
    }
    if (compiler.isCallExpression(node)) {
      if (node.expression.kind === compiler.SyntaxKind.ImportKeyword)
        return compiler.setTextRange(helper('dynamicImport', ...node.arguments.map(each => visit(each) as ts.Expression)), node);
      if (compiler.isIdentifier(node.expression)) {
        const callee = bare(node.expression);
        const values = node.arguments.map(each => visit(each) as ts.Expression);
        return factory.updateCallExpression(node, callee, node.typeArguments, values);
      }
    }
    if (compiler.isTaggedTemplateExpression(node) && compiler.isIdentifier(node.tag)) {
      const template = compiler.visitNode(node.template, visit) as ts.TemplateLiteral;
      return factory.updateTaggedTemplateExpression(node, bare(node.tag), node.typeArguments, template);
    }
    if (compiler.isMetaProperty(node) && node.keywordToken === compiler.SyntaxKind.ImportKeyword)
      return helperMember(factory, 'meta');
    return compiler.visitEachChild(node, visit, context);
  };

  if (unit.kind === 'module') return compiler.visitEachChild(file, visit, context);

  const define = (names: readonly string[], constant: boolean): ts.Statement[] =>
    names.map(name => {
      notes.values.add(name);
      return defineStatement(factory, name, factory.createIdentifier(name), constant);
    });
  const head: ts.Statement[] = [];
  const body: ts.Statement[] = [];
  const own = file.statements.filter(statement => statement.end > unit.prefix);
  const last = own.findLast(statement => !isSilent(compiler, statement));
  for (const statement of own) {
    if (compiler.isExportDeclaration(statement)) continue;
    const ambient = isAmbient(compiler, statement);
    const visited = withoutExport(compiler, factory, visit(statement) as ts.Statement);
    if (statement === last && compiler.isExpressionStatement(visited)) {
      body.push(factory.updateExpressionStatement(visited, helper('result', visited.expression)));
    } else if (ambient || compiler.isImportDeclaration(statement) || compiler.isImportEqualsDeclaration(visited)) {
      body.push(visited);
    } else if (compiler.isVariableStatement(visited)) {
      // One statement a variable: when the second fails, the first is there.
      const list = visited.declarationList;
      const constant = isConstant(compiler, list);
      list.declarations.forEach((declaration, i) => {
        const single = factory.createVariableDeclarationList([declaration], list.flags);
        const apart = factory.createVariableStatement(visited.modifiers, single);
        body.push(i === 0 ? compiler.setOriginalNode(compiler.setTextRange(apart, visited), statement) : apart);
        body.push(...define(boundNames(compiler, declaration.name), constant));
      });
    } else if (compiler.isFunctionDeclaration(visited)) {
      if (visited.body && visited.name) head.push(...define([visited.name.text], false));
      body.push(visited);
    } else if (compiler.isClassDeclaration(visited) || compiler.isEnumDeclaration(visited)) {
      body.push(visited, ...define([visited.name!.text], true));
    } else if (compiler.isModuleDeclaration(visited) && compiler.isIdentifier(visited.name)) {
      body.push(visited, ...(hasValues(compiler, visited) ? define([visited.name.text], true) : []));
    } else {
      body.push(...define([...new Set(hoistedNames(compiler, statement))], false), visited);
    }
  }
  return factory.updateSourceFile(file, compiler.setTextRange(factory.createNodeArray([...head, ...body]), file.statements));
}

/** Whether a statement does nothing at run time, so that the expression before it is still the last of the cell. */
function isSilent(compiler: Compiler, statement: ts.Statement): boolean {
  return (
    compiler.isExportDeclaration(statement) ||
    compiler.isEmptyStatement(statement) ||
    compiler.isInterfaceDeclaration(statement) ||
    compiler.isTypeAliasDeclaration(statement) ||
    isAmbient(compiler, statement)
  );
}

/** Whether an identifier is used as an expression, and does not name a member or declare something. */
function isReference(compiler: Compiler, node: ts.Identifier): boolean {
  const { parent } = node;
  if (!parent) return false;
  if (compiler.isPropertyAccessExpression(parent)) return parent.name !== node;
  if (compiler.isBindingElement(parent)) return parent.initializer === node;
  if (compiler.isBreakOrContinueStatement(parent) || compiler.isLabeledStatement(parent)) return false;
  if (compiler.isJsxAttribute(parent) || compiler.isMetaProperty(parent) || compiler.isQualifiedName(parent)) return false;
  return (parent as Partial<ts.NamedDeclaration>).name !== node;
}

/** Name of the function around a node, as a stack shows it; empty at the top. */
function calleeAround(compiler: Compiler, node: ts.Node): string {
  for (let at = node.parent; at; at = at.parent) {
    if (!compiler.isFunctionLike(at)) continue;
    const named =
      at.name ??
      (compiler.isVariableDeclaration(at.parent) || compiler.isPropertyAssignment(at.parent) ? at.parent.name : undefined);
    return named && compiler.isIdentifier(named) ? named.text : '<anonymous>';
  }
  return '';
}
