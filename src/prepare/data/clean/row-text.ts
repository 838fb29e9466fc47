import { BadInput, quote } from '../../../base/core/index.js';
import { contentText } from '../message.js';
import type { Message } from '../types.js';

/**
 * Which text of a row is looked at: all of it, what is asked (everything before the first assistant message), what the
 * assistant says, or what a function of yours makes of the row.
 */
export type TextOf<T> = 'conversation' | 'prompt' | 'response' | ((row: T, index: number) => string);

interface RowLike {
  messages?: unknown;
  prompt?: unknown;
  chosen?: unknown;
  rejected?: unknown;
  completion?: unknown;
  tools?: unknown;
  documents?: unknown;
  text?: unknown;
}

/** One piece of a row's text and who says it. */
interface Piece {
  role: string;
  text: string;
}

/** Makes the function that takes the chosen text from a row: a string, a Row, a preference or unary row, or `{text}`. */
export function textReader<T>(on: TextOf<T> = 'conversation'): (row: T, index: number) => string {
  if (typeof on === 'function') return on;
  checkPart(on);
  return (row, index) =>
    piecesOf(row, on, index)
      .map(piece => piece.text)
      .join('\n');
}

/** Makes the function that gives a key equal for rows with the same text said by the same roles. */
export function keyReader<T>(on: TextOf<T>, fold: (text: string) => string): (row: T, index: number) => string {
  if (typeof on === 'function') return (row, index) => fold(on(row, index));
  checkPart(on);
  return (row, index) => JSON.stringify(piecesOf(row, on, index).map(({ role, text }) => [role, fold(text)]));
}

function checkPart(on: unknown): void {
  if (on === 'conversation' || on === 'prompt' || on === 'response') return;
  throw new BadInput({
    problem: 'unknown part of a row',
    where: { key: 'on' },
    expected: "'conversation', 'prompt', 'response' or a function that gives the text of a row",
    found: quote(on),
    fix: "leave it out: 'conversation' is the default",
  });
}

function piecesOf(row: unknown, on: 'conversation' | 'prompt' | 'response', index: number): Piece[] {
  const pieces = allPieces(row, index);
  // A text without any turn is what a base model reads: prompt and response alike.
  if (on === 'conversation' || pieces.every(piece => piece.role === 'text')) return pieces;
  if (on === 'response') return pieces.filter(piece => piece.role === 'assistant');
  const first = pieces.findIndex(piece => piece.role === 'assistant');
  return first < 0 ? pieces : pieces.slice(0, first);
}

function allPieces(row: unknown, index: number): Piece[] {
  if (typeof row === 'string') return [{ role: 'text', text: row }];
  const { messages, prompt, chosen, rejected, completion, tools, documents, text } = (row ?? {}) as RowLike;
  const lists = [messages, prompt, chosen, rejected, completion].filter(Array.isArray) as Message[][];
  if (lists.length > 0) {
    const given = [tools, documents].filter(list => Array.isArray(list) && list.length > 0);
    return [...given.map(list => ({ role: 'given', text: JSON.stringify(list) })), ...lists.flat().flatMap(messagePieces)];
  }
  if (typeof text === 'string') return [{ role: 'text', text }];
  throw new BadInput({
    problem: `row ${index} has no text`,
    expected: 'a row with messages (as readRows gives them), a string, or {text}',
    found: quote(row),
    fix: 'read the rows with data.readRows, or say where the text is: {on: row => row.body}',
  });
}

function messagePieces(message: Message): Piece[] {
  const { role, thinking, input, toolCalls } = message;
  const texts = [thinking, contentText(message), input, toolCalls && JSON.stringify(toolCalls)];
  return texts.filter((text): text is string => !!text).map(text => ({ role, text }));
}
