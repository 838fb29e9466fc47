import { BadInput } from '../../base/core/index.js';

/**
 * Throw BadInput where a tokenizer has tokens that a model has no row for: their ids would lie outside the embedding. A model may
 * have more rows than its tokenizer has tokens, as many are padded to a round number. Call it wherever the two meet.
 */
export function checkTokenizer(
  model: { readonly config: { readonly vocabSize: number } },
  tokenizer: { readonly vocabSize: number },
): void {
  const rows = model.config.vocabSize;
  if (tokenizer.vocabSize <= rows) return;
  throw new BadInput({
    problem: 'The tokenizer has tokens that the model does not know',
    expected: `at most ${rows} tokens, as the model has rows (vocab_size)`,
    found: `a tokenizer with ${tokenizer.vocabSize}`,
    fix: "load the tokenizer from the model's own directory; for tokens you added: models.resizeVocabulary(model, tokenizer)",
  });
}
