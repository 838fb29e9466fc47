import type ts from 'typescript';
import type { Compiler } from './compiler.js';

/** A name that a cell declares at its top. */
export interface Declared {
  name: string;
  /** Whether it names a value: something that exists at run time. */
  value: boolean;
  /** Whether it names a type or a namespace. Imports count as both. */
  type: boolean;
  /** How a variable was declared; undefined for everything else. */
  variable?: 'let' | 'const';
  /** The JSDoc comment of a variable, as written. */
  comment?: string;
  /** `declare …`: the value is a global that something else provides. */
  ambient: boolean;
}

/** All names that the top level of a cell declares. */
export function declaredNames(compiler: Compiler, file: ts.SourceFile): Map<string, Declared> {
  const found = new Map<string, Declared>();
  const add = (name: string, parts: Partial<Declared>) => {
    const known = found.get(name);
    found.set(name, {
      name,
      value: (known?.value ?? false) || (parts.value ?? false),
      type: (known?.type ?? false) || (parts.type ?? false),
      variable: parts.variable ?? known?.variable,
      comment: parts.comment ?? known?.comment,
      ambient: (known?.ambient ?? true) && (parts.ambient ?? false),
    });
  };
  for (const statement of file.statements) {
    const ambient = isAmbient(compiler, statement);
    if (compiler.isVariableStatement(statement)) {
      const variable = isConstant(compiler, statement.declarationList) ? 'const' : 'let';
      const comment = compiler.getJSDocCommentsAndTags(statement).find(compiler.isJSDoc)?.getText(file);
      for (const { name } of statement.declarationList.declarations)
        for (const each of boundNames(compiler, name)) add(each, { value: true, variable, ambient, comment });
    } else if (compiler.isFunctionDeclaration(statement)) {
      if (statement.name) add(statement.name.text, { value: true, ambient });
    } else if (compiler.isClassDeclaration(statement) || compiler.isEnumDeclaration(statement)) {
      if (statement.name) add(statement.name.text, { value: true, type: true, ambient });
    } else if (compiler.isModuleDeclaration(statement)) {
      // `declare module "x"` and `declare global` declare no name of the cell.
      const named = compiler.isIdentifier(statement.name) && (statement.flags & compiler.NodeFlags.GlobalAugmentation) === 0;
      if (named) add(statement.name.text, { value: hasValues(compiler, statement), type: true, ambient });
    } else if (compiler.isInterfaceDeclaration(statement) || compiler.isTypeAliasDeclaration(statement)) {
      add(statement.name.text, { type: true });
    } else if (compiler.isImportEqualsDeclaration(statement)) {
      add(statement.name.text, { value: true, type: true });
    } else if (compiler.isImportDeclaration(statement)) {
      for (const name of importedNames(compiler, statement)) add(name, { value: true, type: true });
    } else {
      for (const name of hoistedNames(compiler, statement)) add(name, { value: true, variable: 'let' });
    }
  }
  return found;
}

/** The names a binding introduces: one, or those of a pattern. */
export function boundNames(compiler: Compiler, binding: ts.BindingName): string[] {
  if (compiler.isIdentifier(binding)) return binding.text ? [binding.text] : [];
  return binding.elements.flatMap(element => (compiler.isOmittedExpression(element) ? [] : boundNames(compiler, element.name)));
}

/** Names of `var`s inside a statement that reach out of it. */
export function hoistedNames(compiler: Compiler, statement: ts.Node): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (compiler.isFunctionLike(node) || compiler.isClassLike(node) || compiler.isModuleDeclaration(node)) return;
    if (compiler.isVariableDeclarationList(node) && (node.flags & compiler.NodeFlags.BlockScoped) === 0)
      for (const { name } of node.declarations) found.push(...boundNames(compiler, name));
    compiler.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

/** Names that an import declares in its file. */
export function importedNames(compiler: Compiler, { importClause }: ts.ImportDeclaration): string[] {
  const named = importClause?.namedBindings;
  const rest = !named ? [] : compiler.isNamespaceImport(named) ? [named.name.text] : named.elements.map(each => each.name.text);
  return importClause?.name ? [importClause.name.text, ...rest] : rest;
}

/** Whether a list declares with `const`, `using` or `await using`. */
export function isConstant(compiler: Compiler, list: ts.VariableDeclarationList): boolean {
  // None of the bits is `var`, the lowest alone is `let`.
  return (list.flags & compiler.NodeFlags.BlockScoped) > compiler.NodeFlags.Let;
}

/** Whether a statement begins with `declare`. */
export function isAmbient(compiler: Compiler, node: ts.Node): boolean {
  const modifiers = compiler.canHaveModifiers(node) ? compiler.getModifiers(node) : undefined;
  return modifiers?.some(({ kind }) => kind === compiler.SyntaxKind.DeclareKeyword) ?? false;
}

/** Whether a namespace holds more than types. */
export function hasValues(compiler: Compiler, node: ts.ModuleDeclaration): boolean {
  const { body } = node;
  if (!body) return false;
  if (compiler.isModuleDeclaration(body)) return hasValues(compiler, body);
  if (!compiler.isModuleBlock(body)) return true;
  return body.statements.some(statement => {
    if (compiler.isInterfaceDeclaration(statement) || compiler.isTypeAliasDeclaration(statement)) return false;
    return compiler.isModuleDeclaration(statement) ? hasValues(compiler, statement) : true;
  });
}

/** Texts of the identifiers that may refer to something: all but names of properties. */
export function referredNames(compiler: Compiler, file: ts.SourceFile): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (compiler.isIdentifier(node)) {
      const { parent } = node;
      const isProperty =
        (compiler.isPropertyAccessExpression(parent) && parent.name === node) ||
        (compiler.isPropertyAssignment(parent) && parent.name === node);
      if (!isProperty) found.add(node.text);
    }
    compiler.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Where a name was declared. */
export interface Origin {
  /** Path of the cell's file. */
  path: string;
  declared: Declared;
}

/**
 * The names of a notebook: which cell declared each one last. A value and a type may share a name and come from two cells, as
 * they may in one.
 */
export class Names {
  readonly #values = new Map<string, Origin>();
  readonly #types = new Map<string, Origin>();

  /** All names known. */
  all(): Set<string> {
    return new Set([...this.#values.keys(), ...this.#types.keys()]);
  }

  /** Paths of cells that still have a name of their own. */
  paths(): Set<string> {
    return new Set([...this.#values.values(), ...this.#types.values()].map(({ path }) => path));
  }

  /** Take what a cell declared: it hides what earlier cells called so. */
  commit(path: string, names: Iterable<Declared>): void {
    for (const declared of names) {
      const { name } = declared;
      const origin = { path, declared };
      if (declared.value) this.#values.set(name, origin);
      if (declared.type) this.#types.set(name, origin);
      // A class whose value was replaced is no type any more either: half of it would surprise.
      if (declared.value && this.#types.get(name)?.declared.value && this.#types.get(name) !== origin) this.#types.delete(name);
    }
  }

  /**
   * The statements by which a cell sees what it refers to, and the paths of the cells they name.
   * Variables come as declarations, so that they can be assigned to; all else as imports, which carry every meaning.
   */
  prefix(
    wanted: Iterable<string>,
    own: ReadonlyMap<string, Declared>,
  ): { text: string; paths: Set<string>; ambient: Set<string> } {
    const imports = new Map<string, string[]>();
    const paths = new Set<string>();
    const ambient = new Set<string>();
    let text = '';
    const importFrom = (path: string, name: string) => imports.set(path, [...(imports.get(path) ?? []), name]);
    for (const name of wanted) {
      const hidden = own.get(name);
      let value = hidden?.value ? undefined : this.#values.get(name);
      let type = hidden?.type ? undefined : this.#types.get(name);
      // What is value and type in one cannot be half hidden.
      if (hidden && value?.declared.type) value = undefined;
      if (hidden && type?.declared.value) type = undefined;
      if (value?.declared.ambient) ambient.add(name);
      for (const origin of [value, type]) if (origin) paths.add(origin.path);
      if (value && value === type) importFrom(value.path, name);
      else {
        const { variable, comment = '' } = value?.declared ?? {};
        if (value && (variable || type))
          text += `${comment && `\n${comment}\n`}declare ${variable ?? 'const'} ${name}: typeof import(${JSON.stringify(moduleName(value.path))}).${name};`;
        else if (value) importFrom(value.path, name);
        if (type) importFrom(type.path, name);
      }
    }
    for (const [path, names] of imports) text += `import {${names.join()}} from ${JSON.stringify(moduleName(path))};`;
    return { text, paths, ambient };
  }
}

function moduleName(path: string): string {
  return `./${path.slice(path.lastIndexOf('/') + 1).replace(/\.ts$/, '')}`;
}
