import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { trainBPE } from '../../../src/prepare/tokens/index.js';

// Made by fixtures/trained.py with Hugging Face's trainer on 400 lines of hard multilingual text.
interface Trained {
  settings: {
    vocab_size: number;
    min_frequency: number;
    special_tokens: string[];
    initial_alphabet: string[];
    limit_alphabet?: number;
  };
  vocab: string[];
  merges: [string, string][];
}
const { texts, trained } = JSON.parse(
  gunzipSync(readFileSync(new URL('./fixtures/trained.json.gz', import.meta.url))).toString('utf8'),
) as { texts: string[]; trained: Trained[] };

describe('trainBPE gives what Hugging Face’s trainer gives', () => {
  test.each(trained)(
    '$settings.vocab_size tokens, pairs seen $settings.min_frequency times, special $settings.special_tokens',
    ({ settings, vocab, merges }) => {
      const tokenizer = trainBPE(texts, {
        vocabSize: settings.vocab_size,
        minFrequency: settings.min_frequency,
        specialTokens: settings.special_tokens,
        initialAlphabet: settings.initial_alphabet,
        limitAlphabet: settings.limit_alphabet,
      });
      const { model } = tokenizer.toJSON() as { model: { vocab: Record<string, number>; merges: [string, string][] } };
      const ours = Object.keys(model.vocab).sort((a, b) => model.vocab[a]! - model.vocab[b]!);
      expect(ours).toEqual(vocab);
      expect(model.merges).toEqual(merges);
    },
  );

  test('text with a byte that has no token is refused, not lost', () => {
    const tokenizer = trainBPE(['abab'], { vocabSize: 4, specialTokens: ['<s>'], initialAlphabet: [], minFrequency: 1 });
    expect(tokenizer.encodeContent('abab').ids.length).toBeGreaterThan(0);
    expect(() => tokenizer.encodeContent('abc')).toThrow(/no token for a part of the text/);
  });
});
