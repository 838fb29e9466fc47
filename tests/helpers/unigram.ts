import { Tokenizer } from '../../src/prepare/tokens/index.js';

/** A tokenizer of T5's kind: unigram pieces of which the first of a word begins with ▁, EOS (id 1) behind every text, padding 0. */
export function unigramTokenizer(pieces: readonly string[]): Tokenizer {
  const special = ['<pad>', '</s>', '<unk>'];
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  return Tokenizer.fromJSON(
    {
      version: '1.0',
      added_tokens: special.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: metaspace,
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
        pair: [],
        special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
      },
      decoder: metaspace,
      model: {
        type: 'Unigram',
        unk_id: 2,
        vocab: [...special, ...pieces].map((piece, i) => [piece, -i / 4]),
        byte_fallback: false,
      },
    },
    { eos_token: '</s>', pad_token: '<pad>' },
  );
}
