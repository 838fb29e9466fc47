import { BadInput } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { checkAbilities, checkOrder } from './turns.js';
import type { RenderOptions } from './types.js';

/** The messages of a conversation of one question and at most one answer, each with its index. */
export interface SingleTurn {
  system?: Message;
  user: Message;
  userIndex: number;
  assistant?: Message;
  assistantIndex: number;
}

/** Take a conversation as [system?] user [assistant]. @throws BadInput for any other. */
export function singleTurn(messages: readonly Message[], template: string, options: RenderOptions): SingleTurn {
  checkOrder(messages, template, options);
  checkAbilities(messages, template, options, {});
  const at = messages[0]!.role === 'system' ? 1 : 0;
  const [user, assistant, ...more] = messages.slice(at);
  if (user?.role !== 'user' || (assistant && assistant.role !== 'assistant') || more.length > 0) {
    throw new BadInput({
      problem: `template ${template} holds one instruction and one response`,
      expected: '[system] user [assistant]',
      found: messages.map(m => m.role).join(', '),
      fix: 'use a chat template such as chatml for conversations of several turns',
    });
  }
  const turn: SingleTurn = { user, userIndex: at, assistantIndex: at + 1 };
  if (at === 1) turn.system = messages[0]!;
  if (assistant) turn.assistant = assistant;
  return turn;
}
