import { expect, test } from 'vitest';
import * as templates from '../../../src/prepare/templates/index.js';
import * as tokens from '../../../src/prepare/tokens/index.js';
import * as show from '../../../src/show/index.js';

// The snippet under "Add a template" in README.md.
test('a template of one’s own is a few strings, and is checked before it is used', () => {
  const specialTokens = ['<|endoftext|>', '<|user|>', '<|bot|>'];
  const tokenizer = tokens.trainBPE(['What is two and two? Four.'], { vocabSize: 300, specialTokens });
  const mine = templates.define({
    name: 'mine',
    system: 'fold',
    user: { before: '<|user|>', end: '\n' },
    assistant: { before: '<|bot|>', end: '{eos}' },
  });
  templates.register(mine);

  expect(templates.check('mine', { tokenizer }).ok).toBe(true);
  const row = {
    messages: [
      { role: 'user' as const, content: 'What is two and two?' },
      { role: 'assistant' as const, content: 'Four.' },
    ],
  };
  const { text } = show.tokens(tokens.encode(row, { tokenizer, template: 'mine' }));
  expect(text).toContain('[<|user|>](What is two and two?)[↵\n<|bot|>]«Four.<|endoftext|>»');
});
