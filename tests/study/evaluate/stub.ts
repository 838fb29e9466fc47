import type { Row } from '../../../src/prepare/data/index.js';
import { get, type Template } from '../../../src/prepare/templates/index.js';
import { type Tokenizer, trainBPE } from '../../../src/prepare/tokens/index.js';
import type { AnsweringModel } from '../../../src/study/evaluate/index.js';

export const tokenizer: Tokenizer = trainBPE(['user assistant copy these words : cat dog pen bread'], { vocabSize: 300 });
export const template: Template = get('chatml');

export const row = (question: string, answer: string, more: object = {}): Row => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
  ...more,
});

/** What the last user message of a chatml prompt asks. */
export const asked = (prompt: string): string => /user\n([^<]*)<[^<]*<[^<]*$/.exec(prompt)?.[1] ?? prompt;

/** A model that answers what `reply` says to the text of the prompt, then a stop token, then rubbish. */
export function stub(reply: (prompt: string) => string, seen: number[][] = []): AnsweringModel {
  const tokens = (prompt: number[], stopIds: number[], most: number) =>
    [
      ...tokenizer.encodeContent(reply(tokenizer.decode(prompt))).ids,
      ...stopIds.slice(0, 1),
      ...tokenizer.encodeContent('cat cat').ids,
    ].slice(0, most);
  return {
    generate: () => Promise.reject(new Error('there is a faster way')),
    async *continuous(prompts, { maxNewTokens, stopIds }) {
      seen.push(...prompts);
      // Not in order, as rows of different lengths end.
      for (const index of prompts.map((_, i) => i).reverse())
        yield { index, tokens: tokens(prompts[index]!, stopIds, maxNewTokens) };
    },
  };
}
