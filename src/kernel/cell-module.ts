import type ts from 'typescript';
import type { Compiler } from './compiler.js';
import { type Declared, declaredNames, type Names, referredNames } from './names.js';
import { objectLiteral } from './object-literal.js';

/** The module that stands for a cell. */
export interface CellModule {
  /** Imports of what the cell refers to, its text, and everything it declares exported. */
  text: string;
  /** Characters before the cell's own text. */
  prefix: number;
  declared: Map<string, Declared>;
  /** Names in the prefix that are globals. */
  ambient: Set<string>;
  /** Paths of the cells it imports from. */
  needs: Set<string>;
  /** Whether it adds to global declarations or to a package's. */
  augments: boolean;
}

/** Make a module of a cell's code. @param more names to import though the cell does not refer to them */
export function cellModule(compiler: Compiler, names: Names, code: string, more: Iterable<string> = []): CellModule {
  const literal = objectLiteral(compiler, code);
  const { ScriptTarget, ScriptKind } = compiler;
  const parsed = literal === undefined ? code : `(${literal}\n)`;
  const file = compiler.createSourceFile('cell.ts', parsed, ScriptTarget.Latest, true, ScriptKind.TS);
  const declared = declaredNames(compiler, file);
  const known = names.all();
  const wanted = [...new Set([...more, ...referredNames(compiler, file)])].filter(name => known.has(name));
  const { text, paths: needs, ambient } = names.prefix(wanted, declared);
  const head = `${text}export {};${literal === undefined ? '' : '('}\n`;
  const already = ownExports(compiler, file);
  const exported = [...declared.keys()].filter(name => !already.has(name));
  const tail = `${literal === undefined ? '' : '\n)'}\nexport {${exported.join()}};`;
  const augments = file.statements.some(each => compiler.isModuleDeclaration(each) && augmentsOthers(compiler, each));
  return { text: head + (literal ?? code) + tail, prefix: head.length, declared, ambient, needs, augments };
}

/** The names that a cell's own text exports, as that of a module pasted into a cell does. */
function ownExports(compiler: Compiler, file: ts.SourceFile): Set<string> {
  const found = new Set<string>();
  for (const statement of file.statements) {
    if (compiler.isExportDeclaration(statement) && statement.exportClause && compiler.isNamedExports(statement.exportClause)) {
      for (const { name } of statement.exportClause.elements) found.add(name.text);
      continue;
    }
    const modifiers = compiler.canHaveModifiers(statement) ? compiler.getModifiers(statement) : undefined;
    const has = (kind: ts.SyntaxKind) => modifiers?.some(each => each.kind === kind) ?? false;
    if (!has(compiler.SyntaxKind.ExportKeyword) || has(compiler.SyntaxKind.DefaultKeyword)) continue;
    const single = compiler.factory.updateSourceFile(file, [statement]);
    for (const name of declaredNames(compiler, single).keys()) found.add(name);
  }
  return found;
}

/** `declare global`, `declare module "x"`. */
function augmentsOthers(compiler: Compiler, node: ts.ModuleDeclaration): boolean {
  return compiler.isStringLiteral(node.name) || (node.flags & compiler.NodeFlags.GlobalAugmentation) !== 0;
}
