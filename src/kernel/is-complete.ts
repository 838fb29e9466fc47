import type ts from 'typescript';
import type { Compiler } from './compiler.js';
import { objectLiteral } from './object-literal.js';

/** Content of an `is_complete_reply`. */
export type Completeness = { status: 'complete' | 'invalid' } | { status: 'incomplete'; indent: string };

/** The code is parsed as a module, where `await` is no name. */
const PREFIX = 'export {};';
const STEP = '  ';
/** A string ends with its line. */
const UNTERMINATED_STRING = 1002;
/** Unterminated template literal, unterminated comment: found where they begin, but more text can end them. */
const UNTERMINATED_TEMPLATE = 1160;
const UNTERMINATED_COMMENT = 1010;

/** Whether code can run as it is, wants more lines (and how far the next is indented), or is wrong whatever follows. */
export function isComplete(ts: Compiler, code: string): Completeness {
  const file = ts.createSourceFile('cell.ts', PREFIX + code, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const problems = (file as unknown as { parseDiagnostics: { start: number; code: number }[] }).parseDiagnostics;
  const first = problems[0];
  if (!first || objectLiteral(ts, code) !== undefined) return { status: 'complete' };
  if (first.code === UNTERMINATED_TEMPLATE) return { status: 'incomplete', indent: '' };
  if (first.code === UNTERMINATED_COMMENT) return { status: 'incomplete', indent: indentOf(lastLine(code)) };
  if (first.code === UNTERMINATED_STRING && !code.endsWith('\\')) return { status: 'invalid' };
  // The parser wanted more where the text ends.
  if (first.start < PREFIX.length + code.trimEnd().length) return { status: 'invalid' };
  return { status: 'incomplete', indent: nextIndent(ts, code) };
}

/** One step deeper than the line of the innermost open bracket; without one, than a line that ends in the middle of something. */
function nextIndent(ts: Compiler, code: string): string {
  const open: number[] = [];
  const templates: number[] = [];
  const { SyntaxKind } = ts;
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, code);
  for (let token = scanner.scan(); token !== SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    // The `}` of a `${…}` goes on with the template's text.
    if (token === SyntaxKind.CloseBraceToken && templates.at(-1) === open.length) {
      token = scanner.reScanTemplateToken(false);
      if (token === SyntaxKind.TemplateTail) {
        templates.pop();
        open.pop();
      }
    } else if (token === SyntaxKind.TemplateHead) {
      open.push(scanner.getTokenStart());
      templates.push(open.length);
    } else if (isOneOf(token, [SyntaxKind.OpenBraceToken, SyntaxKind.OpenParenToken, SyntaxKind.OpenBracketToken]))
      open.push(scanner.getTokenStart());
    else if (isOneOf(token, [SyntaxKind.CloseBraceToken, SyntaxKind.CloseParenToken, SyntaxKind.CloseBracketToken])) open.pop();
  }
  const at = open.at(-1) ?? code.trimEnd().length;
  return indentOf(lastLine(code.slice(0, at))) + STEP;
}

function isOneOf(token: ts.SyntaxKind, kinds: ts.SyntaxKind[]): boolean {
  return kinds.includes(token);
}

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n') + 1);
}

function indentOf(line: string): string {
  return /^[ \t]*/.exec(line)![0];
}
