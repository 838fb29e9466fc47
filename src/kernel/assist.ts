import type ts from 'typescript';
import type { Compiler } from './compiler.js';

/** A cell as the type checker sees it. */
export interface CellView {
  program: ts.Program;
  file: ts.SourceFile;
  /** Where the cell's text begins in the file. */
  offset: number;
  /** In which file and line (from 1) a file's text at an offset was written. */
  writtenAt(file: ts.SourceFile, offset: number): { path: string; line: number };
}

/** Lines of a declaration that an inspection in detail shows. */
const DECLARATION_LINES = 60;

/** Whether the compiler knows the name at all: of one it does not know it says that it may be anything. */
export function isKnown({ displayParts, documentation }: QuickInfo): boolean {
  return textOf(displayParts) !== 'any' || (documentation ?? []).length > 0;
}

/** What hovering over a name shows, from the compiler. */
export interface QuickInfo {
  displayParts?: readonly ts.SymbolDisplayPart[];
  documentation?: readonly ts.SymbolDisplayPart[];
  tags?: readonly ts.JSDocTagInfo[];
}

/** The positions at which an inspection looks for a name, best first: the cursor, the name it ends, the function whose arguments it is in. */
export function inspectedPositions(ts: Compiler, code: string, position: number): number[] {
  const file = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const found = [position];
  if (position > 0 && /[\p{ID_Continue}$]/u.test(code[position - 1]!)) found.unshift(position - 1);
  // In `f(a, |)` the argument has no node yet; the last character before the cursor has one.
  const before = code.slice(0, position).trimEnd().length - 1;
  for (let up: ts.Node | undefined = deepest(ts, file, Math.max(0, before)); up; up = up.parent) {
    const callee = ts.isCallExpression(up) || ts.isNewExpression(up) ? up.expression : undefined;
    if (callee && callee.end <= position)
      found.push((ts.isPropertyAccessExpression(callee) ? callee.name : callee).getStart(file));
  }
  return found;
}

/**
 * An inspection as text/plain and text/markdown. Level 0: signature and documentation. Level 1: also the tags (parameters,
 * examples) and the declaration with its place.
 */
export function describeInspection(info: QuickInfo, level: number, declaration?: Declaration): Record<string, string> {
  const signature = textOf(info.displayParts);
  const documentation = textOf(info.documentation);
  const tags = (info.tags ?? [])
    .filter(({ name }) => level > 0 || name === 'param' || name === 'returns' || name === 'deprecated')
    .map(({ name, text }) => ({ name, text: textOf(text) }));
  const declared = level > 0 ? declaration : undefined;
  const plain = [
    signature,
    documentation,
    tags.map(({ name, text }) => `@${name} ${text}`.trimEnd()).join('\n'),
    declared && `${declared.place}\n${declared.text}`,
  ];
  const fence = (text: string) => {
    // A fence longer than any in the text: documentation may hold code of its own.
    const ticks = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)));
    return `${ticks}typescript\n${text}\n${ticks}`;
  };
  const markdown = [
    signature && fence(signature),
    documentation,
    tags
      .map(({ name, text }) => (name === 'example' ? `\n**@example**\n\n${asExample(text, fence)}` : `- **@${name}** ${text}`))
      .join('\n'),
    declared && `${declared.place}\n\n${fence(declared.text)}`,
  ];
  const joined = (parts: (string | undefined)[]) => parts.filter(Boolean).join('\n\n');
  return { 'text/plain': joined(plain), 'text/markdown': joined(markdown) };
}

function asExample(text: string, fence: (text: string) => string): string {
  return text.includes('```') ? text : fence(text);
}

/** Where and how something is declared. */
export interface Declaration {
  /** `file:line`. */
  place: string;
  text: string;
}

/** The first declaration of what stands at `position` of the cell; undefined for keywords and the like. */
export function declarationAt(
  ts: Compiler,
  { program, file, offset, writtenAt }: CellView,
  position: number,
): Declaration | undefined {
  const checker = program.getTypeChecker();
  const node = deepest(ts, file, position + offset);
  const found = checker.getSymbolAtLocation(node);
  const symbol = found && found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  const nearest = symbol?.declarations?.[0];
  if (!nearest) return undefined;
  // A variable of another cell is declared once more in this one: as `typeof import("…").name`.
  const type =
    ts.isVariableDeclaration(nearest) && nearest.getSourceFile() === file && nearest.end < offset ? nearest.type : undefined;
  const exported = type && ts.isImportTypeNode(type) && type.qualifier ? checker.getSymbolAtLocation(type.qualifier) : undefined;
  const origin = exported && exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const declared = origin?.declarations?.[0] ?? nearest;
  // `x` of `const x = 1` is a part of the statement worth showing.
  const whole = ts.isVariableDeclaration(declared) ? declared.parent.parent : declared;
  const source = whole.getSourceFile();
  const start = whole.getStart(source);
  const lines = source.text.slice(start, whole.end).split('\n');
  const text = [...lines.slice(0, DECLARATION_LINES), ...(lines.length > DECLARATION_LINES ? ['…'] : [])].join('\n');
  // Cells have no file of their own here, and their lines moved when they became declarations.
  const isCell = /\/__cell\w*__\.ts$/.test(source.fileName);
  const { path, line } = writtenAt(source, start);
  return { place: isCell ? 'declared in this notebook' : `${path}:${line}`, text };
}

/** The innermost node that holds the character at `position`. */
export function deepest(ts: Compiler, file: ts.SourceFile, position: number): ts.Node {
  let node: ts.Node = file;
  for (let next: ts.Node | undefined = file; next; ) {
    node = next;
    next = ts.forEachChild(node, child => (child.pos <= position && position < child.end ? child : undefined));
  }
  return node;
}

/** The text, with `{@link name|label}` as its label or name. */
export function textOf(parts: readonly ts.SymbolDisplayPart[] = []): string {
  const isLabelled = (i: number) => parts[i]!.kind === 'linkName' && parts[i + 1]?.kind === 'linkText';
  return parts
    .filter(({ kind }, i) => kind !== 'link' && !isLabelled(i))
    .map(({ text }) => text)
    .join('');
}
