import type { GeneratedText, TextGenerator, TextOptions } from '../../../base/core/index.js';
import type { Template } from '../../../prepare/templates/index.js';
import { stopsOf, type Tokenizer } from '../../../prepare/tokens/index.js';
import { checkTokenizer } from '../check-tokenizer.js';
import { continuous } from '../generation/continuous.js';
import type { Model } from '../model.js';
import { templateOf, tokenizerOf } from './companions.js';
import { promptOf, rowOf } from './prompt.js';

/** Options of {@link textGenerator}. */
export interface TextGeneratorOptions {
  /** The one in the model's directory unless told. */
  tokenizer?: Tokenizer;
  /**
   * How a prompt, as a message of the user, is written: a template or its name, or `'auto'` for the chat template in the model's
   * directory. Without it the model continues the bare text, after its BOS where the tokenizer has one.
   */
  template?: Template | string;
  /** Prompts generated at the same time; 16 unless told. */
  slots?: number;
  /** Shown beside the progress bar; no bar without it. */
  label?: string;
}

/** The model as a `TextGenerator`: text in, text out, many prompts at once. Results come in the order of the prompts. */
export function textGenerator(model: Model, options: TextGeneratorOptions = {}): TextGenerator {
  return {
    async generate(prompts: readonly string[], asked: TextOptions = {}): Promise<GeneratedText[]> {
      const { maxNewTokens = 64, temperature = 0, topP, stop = [], seed = 0, signal } = asked;
      const tokenizer = await tokenizerOf(model, options.tokenizer);
      checkTokenizer(model, tokenizer);
      const template =
        options.template === undefined
          ? undefined
          : await templateOf(model, options.template === 'auto' ? undefined : options.template);
      const bos = tokenizer.bosId === undefined ? [] : [tokenizer.bosId];
      const encoded = prompts.map(prompt =>
        template ? promptOf(model, rowOf(prompt), { tokenizer, template }) : [...bos, ...tokenizer.encodeContent(prompt).ids],
      );
      const ends = template ? stopsOf(template, tokenizer) : { ids: tokenizer.stopIds, texts: [] };
      const results = new Array<GeneratedText>(prompts.length);
      const generating = continuous(model, encoded, {
        maxNewTokens,
        temperature,
        ...(topP === undefined ? {} : { topP }),
        seed,
        stopStrings: [...ends.texts, ...stop],
        stopIds: [...new Set([...ends.ids, ...model.stopIds])],
        tokenizer,
        ...(signal ? { signal } : {}),
        ...(options.slots === undefined ? {} : { slots: options.slots }),
        ...(options.label === undefined ? {} : { label: options.label }),
      });
      for await (const { index, text = '', tokens, finish } of generating)
        results[index] = { text, finish, tokens: tokens.length };
      return results;
    },
  };
}
