import type ts from 'typescript';
import { type CellView, deepest, textOf } from './assist.js';
import type { Compiler } from './compiler.js';

/** An item of `_jupyter_types_experimental`, which JupyterLab shows beside the name. Offsets in UTF-16 units. */
export interface TypedCompletion extends Description {
  text: string;
  type: string;
  start: number;
  end: number;
}

interface Description {
  signature: string;
  /** First paragraph of the documentation. */
  documentation: string;
}

/** Signatures and documentation are looked up for this many candidates, best first: each costs about a millisecond. */
const DESCRIBED = 5;
const LONGEST_SIGNATURE = 200;
const UNDESCRIBED: Description = { signature: '', documentation: '' };

// JupyterLab colours these words; the rest it shows as they are.
const TYPES: Record<string, string> = {
  method: 'function',
  'local function': 'function',
  constructor: 'function',
  'local class': 'class',
  'external module name': 'module',
  var: 'instance',
  'local var': 'instance',
  let: 'instance',
  const: 'instance',
  getter: 'property',
  setter: 'property',
  'primitive type': 'type',
  parameter: 'param',
};

/** The letters of a name that end a text. */
const LETTERS = /[\p{ID_Continue}$]*$/u;

/**
 * What the compiler offers at a place of a cell. As editors do, it is asked once for a name: while the name grows, what it offered is
 * searched, since neither the place nor what is known there changes.
 */
export class Candidates {
  readonly view: CellView;
  readonly #ts: Compiler;
  /** Of the cell: what comes before the name, the name as far as it was written, what follows it. */
  readonly #before: string;
  readonly #word: string;
  readonly #after: string;
  readonly #start: number;
  /** Whether a longer name finds the same place, and nothing but the program decides on what is offered. */
  readonly #grows: boolean;
  /** Best first. */
  readonly #entries: readonly ts.CompletionEntry[];
  readonly #lookUp: (name: string) => ts.Symbol | undefined;
  readonly #place: Place;
  readonly #descriptions = new Map<string, Description>();

  /** @param info what the compiler says of the position */
  constructor(compiler: Compiler, view: CellView, info: ts.CompletionInfo | undefined, code: string, position: number) {
    this.#ts = compiler;
    this.view = view;
    this.#word = LETTERS.exec(code.slice(0, position))![0];
    this.#before = code.slice(0, position - this.#word.length);
    this.#after = code.slice(position);
    const span = info?.entries[0]?.replacementSpan ?? info?.optionalReplacementSpan;
    this.#start = span ? Math.max(0, span.start - view.offset) : this.#before.length;
    this.#entries = starting(info?.entries ?? [], code.slice(this.#start, position))
      .filter(({ kind }) => kind !== 'warning')
      .sort((a, b) => compare(a.sortText, b.sortText) || compare(a.name, b.name));
    this.#place = placeOf(compiler, view.file, this.#start + view.offset);
    this.#grows = info !== undefined && !info.isIncomplete && this.#isAtName(position);
    this.#lookUp = symbolsAt(compiler, view.program.getTypeChecker(), this.#place);
  }

  /** Whether these are the candidates at a position, too, as long as the program is the same. */
  fit(code: string, position: number): boolean {
    const length = this.#before.length;
    if (!this.#grows || position < length || !code.startsWith(this.#before) || code.slice(position) !== this.#after) return false;
    const word = code.slice(length, position);
    if (word === this.#word) return true;
    return word.startsWith(this.#word) && LETTERS.exec(word)![0] === word && this.#isName(word);
  }

  /** The candidates that begin with what stands before a position, and the range that each would replace. Offsets are UTF-16. */
  at(code: string, position: number): { start: number; end: number; items: TypedCompletion[] } {
    const start = this.#start;
    const found = starting(this.#entries, code.slice(start, position));
    const items = found.map(({ name, kind }, i) => {
      const symbol = kind === 'keyword' ? undefined : this.#symbol(name);
      const type = kind === 'alias' ? importedType(this.#ts, symbol) : (TYPES[kind] ?? kind);
      const { signature, documentation } = symbol && i < DESCRIBED ? this.#describe(name, symbol) : UNDESCRIBED;
      return { text: name, type, signature, documentation, start, end: position };
    });
    return { start, end: position, items };
  }

  /** Whether a name stands at a position of the cell, or could after a dot; not so in a text or a comment. */
  #isAtName(position: number): boolean {
    const { file, offset } = this.view;
    const { node, object } = this.#place;
    if (this.#word === '') return object !== undefined && node === object.parent && this.#before.endsWith('.');
    const last = deepest(this.#ts, file, offset + position - 1);
    return this.#ts.isIdentifier(last) && last.getStart(file) < offset + position && this.#isName(this.#word);
  }

  /** A keyword may be the beginning of something else. */
  #isName(word: string): boolean {
    const { ScriptTarget, LanguageVariant, SyntaxKind } = this.#ts;
    const letters = word + /^[\p{ID_Continue}$]*/u.exec(this.#after)![0];
    const scanner = this.#ts.createScanner(ScriptTarget.Latest, true, LanguageVariant.Standard, letters);
    return scanner.scan() === SyntaxKind.Identifier;
  }

  #symbol(name: string): ts.Symbol | undefined {
    const found = this.#lookUp(name);
    return found && found.flags & this.#ts.SymbolFlags.Alias ? this.view.program.getTypeChecker().getAliasedSymbol(found) : found;
  }

  #describe(name: string, symbol: ts.Symbol): Description {
    const known = this.#descriptions.get(name);
    if (known) return known;
    const checker = this.view.program.getTypeChecker();
    const signature = typeText(this.#ts, checker, symbol, this.#place.node);
    const documentation = textOf(symbol.getDocumentationComment(checker)).split('\n\n')[0]!;
    this.#descriptions.set(name, { signature, documentation });
    return { signature, documentation };
  }
}

function starting(entries: readonly ts.CompletionEntry[], typed: string): ts.CompletionEntry[] {
  const wanted = typed.toLowerCase();
  return entries.filter(({ name }) => name.toLowerCase().startsWith(wanted));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What an imported name, or one of another cell, stands for. */
function importedType(ts: Compiler, symbol: ts.Symbol | undefined): string {
  const { Function: functions, Class, Variable, Enum, Interface, TypeAlias } = ts.SymbolFlags;
  const kinds: [ts.SymbolFlags, string][] = [
    [functions, 'function'],
    [Class, 'class'],
    [Variable, 'instance'],
    [Enum, 'enum'],
    [Interface, 'interface'],
    [TypeAlias, 'type'],
  ];
  return kinds.find(([flag]) => symbol && symbol.flags & flag)?.[1] ?? 'module';
}

interface Place {
  node: ts.Node;
  /** The object of `object.|`. */
  object?: ts.Expression;
}

function placeOf(ts: Compiler, file: ts.SourceFile, position: number): Place {
  // The character before: after `object.` there is nothing yet.
  const node = deepest(ts, file, position - 1);
  for (let up: ts.Node | undefined = node; up && up !== file; up = up.parent) {
    if (ts.isPropertyAccessExpression(up) && position > up.expression.end) return { node, object: up.expression };
  }
  return { node };
}

function symbolsAt(ts: Compiler, checker: ts.TypeChecker, { node, object }: Place): (name: string) => ts.Symbol | undefined {
  if (object) {
    const type = checker.getApparentType(checker.getTypeAtLocation(object));
    return name => checker.getPropertyOfType(type, name);
  }
  const any = ts.SymbolFlags.Value | ts.SymbolFlags.Type | ts.SymbolFlags.Namespace | ts.SymbolFlags.Alias;
  const inScope = new Map(checker.getSymbolsInScope(node, any).map(symbol => [symbol.name, symbol]));
  return name => inScope.get(name);
}

function typeText(ts: Compiler, checker: ts.TypeChecker, symbol: ts.Symbol, node: ts.Node): string {
  if (!(symbol.flags & ts.SymbolFlags.Value)) return '';
  const type = checker.getTypeOfSymbolAtLocation(symbol, node);
  const calls = type.getCallSignatures();
  // Whether each type's name can be reached from here would take most of the time to find out.
  const anywhere = ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;
  const text =
    calls.length > 0
      ? checker.signatureToString(calls[0]!, undefined, anywhere)
      : checker.typeToString(type, undefined, anywhere);
  const more = calls.length > 1 ? ` (+${calls.length - 1} more)` : '';
  return (text.length > LONGEST_SIGNATURE ? `${text.slice(0, LONGEST_SIGNATURE)}…` : text) + more;
}
