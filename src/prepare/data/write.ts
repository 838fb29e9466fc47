import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';
import type { Message, Row } from './types.js';

export interface WriteOptions {
  /** `jsonl` (one row a line) or `json` (an array). Defaults to what the file's ending says, else `jsonl`. */
  format?: 'json' | 'jsonl';
  /** `alpaca` where every row is one instruction and one answer, else `messages` (the default `auto` decides over all rows). */
  layout?: 'auto' | 'alpaca' | 'messages';
}

/** Write rows so that readRows reads the same conversations back. The file is replaced as a whole or not at all. */
export async function writeRows(path: string, rows: readonly Row[], options: WriteOptions = {}): Promise<void> {
  const { format = /\.json$/i.test(path) ? 'json' : 'jsonl', layout = 'auto' } = options;
  const flat = layout === 'auto' ? rows.every(row => isAlpaca(row.messages)) : layout === 'alpaca';
  const line = (row: Row, i: number): string => {
    if (flat && !isAlpaca(row.messages)) {
      throw new BadInput({
        problem: `row ${i} does not fit the Alpaca layout`,
        where: { file: path },
        expected: 'one optional system message, one user message, one assistant message, no weights',
        found: quote(row.messages.map(m => m.role).join(', ')),
        fix: "write with {layout: 'messages'}",
      });
    }
    return JSON.stringify(flat ? toAlpaca(row) : { messages: row.messages, ...extras(row) });
  };
  const encoder = new TextEncoder();
  function* chunks(): Generator<Uint8Array> {
    // Rows are encoded some at a time: the whole text is never held.
    const [open, between, close] =
      format === 'json' ? ['[\n', ',\n', rows.length ? '\n]\n' : ']\n'] : ['', '\n', rows.length ? '\n' : ''];
    let text = open!;
    for (const [i, row] of rows.entries()) {
      text += (i > 0 ? between : '') + line(row, i);
      if (text.length > 1 << 16) {
        yield encoder.encode(text);
        text = '';
      }
    }
    yield encoder.encode(text + close);
  }
  await writeFileAtomic(path, chunks());
}

function isAlpaca(messages: readonly Message[]): boolean {
  const turn = messages[0]?.role === 'system' ? messages.slice(1) : messages;
  return (
    turn.length === 2 &&
    turn[0]!.role === 'user' &&
    turn[1]!.role === 'assistant' &&
    messages.every(m => m.weight === undefined) &&
    !turn[1]!.input
  );
}

function toAlpaca(row: Row): object {
  const system = row.messages[0]!.role === 'system' ? { system: row.messages[0]!.content } : {};
  const [user, assistant] = row.messages.slice(-2) as [Message, Message];
  return { ...system, instruction: user.content, input: user.input ?? '', output: assistant.content, ...extras(row) };
}

function extras({ task, meta }: Row): object {
  return { ...(task === undefined ? {} : { task }), ...meta };
}
