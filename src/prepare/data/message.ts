import type { Message } from './types.js';

/** The text of a message, its parts joined. */
export function contentText({ content }: Pick<Message, 'content'>): string {
  return typeof content === 'string' ? content : content.map(part => part.text).join('');
}
