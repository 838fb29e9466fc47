import { describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { init } from '../../../../src/learn/models/index.js';
import { sft } from '../../../../src/learn/train/index.js';
import type { Row } from '../../../../src/prepare/data/index.js';
import { get } from '../../../../src/prepare/templates/index.js';
import { complete, exactMatch, responseLoss } from '../../../../src/study/evaluate/index.js';
import { usable } from '../../../helpers/backends.js';
import { unigramTokenizer } from '../../../helpers/unigram.js';

const WORDS = ['red', 'blue', 'green', 'sun', 'sky', 'grass', 'colour', 'of', 'the'];
const tokenizer = unigramTokenizer(['▁', ':', ...WORDS.map(word => `▁${word}`)]);
const FACTS = [
  ['sun', 'red'],
  ['sky', 'blue'],
  ['grass', 'green'],
] as const;
const rows: Row[] = FACTS.map(([thing, colour], i) => ({
  messages: [
    { role: 'user', content: `colour of the ${thing}` },
    { role: 'assistant', content: colour },
  ],
  line: i + 1,
}));

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`conversations and a T5 on ${backend}`, () => {
    it.each(['rows', 'a stream'])('are learnt from %s and scored', async form => {
      await use(backend);
      const template = get('t5');
      const model = init('nano', {
        modelType: 't5',
        vocabSize: tokenizer.vocabSize,
        numHiddenLayers: 1,
        numDecoderLayers: 1,
        seed: 1,
      });
      const options = { model, tokenizer, template, rows };
      const before = await responseLoss(options);
      expect(before.tokens).toBe(6);
      const given = form === 'rows' ? rows : () => rows;
      const run = sft({ ...options, rows: given, batchSize: 3, steps: 40, learningRate: 5e-3 });
      await run.finish();
      // Each row has four words and EOS on one side, one word and EOS on the other.
      expect(run.history.labelTokens[0]).toBe(6);
      expect(run.history.tokens[0]).toBe(3 * (5 + 2));
      expect((await responseLoss(options)).loss).toBeLessThan(before.loss / 10);
      expect((await exactMatch({ ...options, maxNewTokens: 4 })).score).toBe(1);
      const [said] = await complete({ model, tokenizer, prompts: ['colour of the sky'], maxNewTokens: 4 });
      expect(said!.continuation.trim()).toBe('blue');
      model.dispose();
    });
  });
