import { BadInput, quote } from '../../../base/core/index.js';
import type { Message, Row } from '../../../prepare/data/index.js';
import { encodePrompt, type WriteOptions } from '../../../prepare/tokens/index.js';
import { checkTokenizer } from '../check-tokenizer.js';
import type { Model } from '../model.js';

/** What a model can be asked: messages, a row with its tools and documents, or a text, which is one message of the user. */
export type Asked = string | readonly Message[] | Pick<Row, 'messages' | 'tools' | 'documents'>;

/** The conversation as a row. Throws BadInput for one that asks for no reply. */
export function rowOf(asked: Asked): Pick<Row, 'messages' | 'tools' | 'documents'> {
  if (typeof asked === 'string') return { messages: [{ role: 'user', content: asked }] };
  const row = (Array.isArray(asked) ? { messages: asked } : asked) as Partial<Row> | null | undefined;
  const last = Array.isArray(row?.messages) ? row.messages.at(-1) : undefined;
  if (!last)
    throw new BadInput({
      problem: 'There is nothing to reply to',
      expected: 'a text, or messages with role and content',
      found: quote(asked),
      fix: "for example model.chat('Hello'), or model.chat([{ role: 'user', content: 'Hello' }])",
    });
  if (last.role === 'assistant')
    throw new BadInput({
      problem: 'The last message is the assistant’s already',
      expected: 'a message of the user (or a tool) at the end',
      fix: "add one: [...conversation, { role: 'user', content: '…' }]",
    });
  row!.messages!.forEach(checkMessage);
  return { ...row, messages: [...row!.messages!] };
}

/** A question without words would be asked all the same, as `undefined` or nothing. Only an assistant that calls tools may say nothing. */
function checkMessage(message: Partial<Message> | null, index: number): void {
  const { role, content } = message ?? {};
  const said = typeof content === 'string' || Array.isArray(content) || (role === 'assistant' && (content ?? null) === null);
  if (typeof role === 'string' && said) return;
  throw new BadInput({
    problem: `Message ${index} cannot be asked`,
    expected: 'a role and content, both texts',
    found: quote(message),
    fix: "for example { role: 'user', content: 'Hello' }",
  });
}

/**
 * Tokens of the prompt that asks for the reply. Throws BadInput for a conversation longer than the context, and for a
 * tokenizer that is not the model's.
 */
export function promptOf(model: Model, asked: Pick<Row, 'messages' | 'tools' | 'documents'>, options: WriteOptions): number[] {
  checkTokenizer(model, options.tokenizer);
  const ids = encodePrompt(asked, options);
  const reserved = model.inUse.reduce((sum, name) => sum + model.adapters.get(name)!.virtualTokens, 0);
  const room = model.config.maxPositionEmbeddings - reserved;
  if (ids.length > room)
    throw new BadInput({
      problem: 'The conversation is longer than the model’s context',
      expected: `at most ${room} tokens${reserved > 0 ? ` (${reserved} places are the soft prompt’s)` : ''}`,
      found: `${ids.length}`,
      fix: 'leave out its first messages, or shorten them',
    });
  return ids;
}
