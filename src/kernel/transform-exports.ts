import type ts from 'typescript';
import { call, constant, defineStatement, memberOf } from './code-helpers.js';
import type { Compiler } from './compiler.js';
import { boundNames } from './names.js';
import type { Notes, Unit } from './transform.js';

/** After TypeScript compiled: what is left of the file's imports and exports. Types are gone by now. */
export function afterStage(
  compiler: Compiler,
  { kind }: Unit,
  imports: ReadonlyMap<ts.Node, string>,
  notes: Notes,
  { factory }: ts.TransformationContext,
  file: ts.SourceFile,
): ts.SourceFile {
  const head: ts.Statement[] = [];
  const body: ts.Statement[] = [];
  /** Top-level names that stand for a member of an import. */
  const members = new Map<string, ts.Expression>();
  const reexported = { count: 0 };
  const expose = (name: string, value: ts.Expression) => head.push(defineStatement(factory, name, value, true));
  const awaited = (name: string, how: 'import' | 'namespace', specifier: ts.Expression) =>
    constant(factory, name, factory.createAwaitExpression(call(factory, how, [specifier])));

  for (const statement of file.statements) {
    if (compiler.isImportDeclaration(statement)) {
      const module = imports.get(compiler.getOriginalNode(statement)) ?? `__import_${body.length}__`;
      const { importClause, moduleSpecifier } = statement;
      const bindings = importClause?.namedBindings;
      const named = bindings && compiler.isNamedImports(bindings) ? bindings.elements : [];
      const out: ts.Statement[] = [];
      if (importClause?.name || named.length > 0 || !bindings) out.push(awaited(module, 'import', moduleSpecifier));
      const local = [
        ...(importClause?.name ? [[importClause.name.text, 'default'] as const] : []),
        ...named.map(({ propertyName, name }) => [name.text, (propertyName ?? name).text] as const),
      ];
      for (const [name, property] of local) members.set(name, memberOf(factory, module, property));
      if (bindings && compiler.isNamespaceImport(bindings)) {
        out.push(awaited(bindings.name.text, 'namespace', moduleSpecifier));
        members.set(bindings.name.text, factory.createIdentifier(bindings.name.text));
      }
      compiler.setTextRange(out[0]!, statement);
      body.push(...out);
      if (kind === 'cell') {
        for (const [name, value] of members) {
          if (notes.values.has(name)) continue;
          notes.values.add(name);
          body.push(defineStatement(factory, name, value, true));
        }
      }
    } else if (compiler.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement;
      const module = `__export${reexported.count++}__`;
      if (!moduleSpecifier) {
        if (!exportClause || !compiler.isNamedExports(exportClause)) continue;
        for (const { propertyName, name } of exportClause.elements) {
          const local = (propertyName ?? name).text;
          expose(name.text, members.get(local) ?? factory.createIdentifier(local));
        }
      } else if (!exportClause) {
        body.push(awaited(module, 'namespace', moduleSpecifier));
        body.push(factory.createExpressionStatement(call(factory, 'star', [factory.createIdentifier(module)])));
      } else if (compiler.isNamedExports(exportClause)) {
        body.push(awaited(module, 'import', moduleSpecifier));
        for (const { propertyName, name } of exportClause.elements)
          expose(name.text, memberOf(factory, module, (propertyName ?? name).text));
      } else {
        body.push(awaited(module, 'namespace', moduleSpecifier));
        expose(exportClause.name.text, factory.createIdentifier(module));
      }
    } else if (compiler.isExportAssignment(statement)) {
      expose('default', factory.createIdentifier('__default__'));
      body.push(compiler.setTextRange(constant(factory, '__default__', statement.expression), statement));
    } else {
      body.push(kind === 'module' ? exposed(compiler, factory, statement, expose) : statement);
    }
  }
  return factory.updateSourceFile(file, compiler.setTextRange(factory.createNodeArray([...head, ...body]), file.statements));
}

/** A declaration of a local file without its `export`; what it exported is told. */
function exposed(
  compiler: Compiler,
  factory: ts.NodeFactory,
  statement: ts.Statement,
  expose: (name: string, value: ts.Expression) => void,
): ts.Statement {
  const modifiers = compiler.canHaveModifiers(statement) ? compiler.getModifiers(statement) : undefined;
  if (!modifiers?.some(({ kind }) => kind === compiler.SyntaxKind.ExportKeyword)) return statement;
  const isDefault = modifiers.some(({ kind }) => kind === compiler.SyntaxKind.DefaultKeyword);
  if (compiler.isVariableStatement(statement)) {
    for (const { name } of statement.declarationList.declarations)
      for (const each of boundNames(compiler, name)) expose(each, factory.createIdentifier(each));
  } else if (compiler.isFunctionDeclaration(statement) || compiler.isClassDeclaration(statement)) {
    const name = statement.name?.text ?? '__default__';
    expose(isDefault ? 'default' : name, factory.createIdentifier(name));
  }
  return withoutExport(compiler, factory, statement);
}

/** A statement without `export` and `default`. A default export becomes an expression, or a declaration with a name. */
export function withoutExport(compiler: Compiler, factory: ts.NodeFactory, statement: ts.Statement): ts.Statement {
  if (compiler.isExportAssignment(statement))
    return compiler.setTextRange(factory.createExpressionStatement(statement.expression), statement);
  if (!compiler.canHaveModifiers(statement)) return statement;
  const all = compiler.getModifiers(statement);
  const { ExportKeyword, DefaultKeyword } = compiler.SyntaxKind;
  const kept = all?.filter(({ kind }) => kind !== ExportKeyword && kind !== DefaultKeyword);
  if (!all || kept!.length === all.length) return statement;
  const decorators = compiler.canHaveDecorators(statement) ? (compiler.getDecorators(statement) ?? []) : [];
  const modifiers = [...decorators, ...kept!];
  if (compiler.isVariableStatement(statement)) return factory.updateVariableStatement(statement, kept, statement.declarationList);
  if (compiler.isFunctionDeclaration(statement)) {
    const { asteriskToken, name, typeParameters, parameters, type, body } = statement;
    const named = name ?? factory.createIdentifier('__default__');
    return factory.updateFunctionDeclaration(statement, kept, asteriskToken, named, typeParameters, parameters, type, body);
  }
  if (compiler.isClassDeclaration(statement)) {
    const { name, typeParameters, heritageClauses, members } = statement;
    const named = name ?? factory.createIdentifier('__default__');
    return factory.updateClassDeclaration(statement, modifiers, named, typeParameters, heritageClauses, members);
  }
  if (compiler.isEnumDeclaration(statement))
    return factory.updateEnumDeclaration(statement, kept, statement.name, statement.members);
  if (compiler.isModuleDeclaration(statement))
    return factory.updateModuleDeclaration(statement, kept, statement.name, statement.body);
  if (compiler.isImportEqualsDeclaration(statement))
    return factory.updateImportEqualsDeclaration(
      statement,
      kept,
      statement.isTypeOnly,
      statement.name,
      statement.moduleReference,
    );
  return statement;
}
