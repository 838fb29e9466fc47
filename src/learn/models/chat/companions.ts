import { join } from 'node:path';
import { BadInput } from '../../../base/core/index.js';
import { fromTokenizerConfig, get, type Template } from '../../../prepare/templates/index.js';
import { Tokenizer } from '../../../prepare/tokens/index.js';
import { exists } from '../files/json.js';
import type { Model } from '../model.js';

/** What makes text of a model's tokens and a prompt of a conversation. */
export interface Companions {
  tokenizer: Tokenizer;
  template: Template;
}

const tokenizers = new WeakMap<Model, Promise<Tokenizer>>();
const templates = new WeakMap<Model, Promise<Template>>();

/** The tokenizer given, else the one in the directory the model was loaded from, which is read once. Throws BadInput where there is none. */
export function tokenizerOf(model: Model, given?: Tokenizer): Promise<Tokenizer> {
  if (given) return Promise.resolve(given);
  return once(tokenizers, model, async () => {
    const { directory } = model;
    if (directory !== undefined && (await exists(join(directory, 'tokenizer.json')))) return Tokenizer.fromFile(directory);
    throw new BadInput({
      problem: 'The model came without a tokenizer',
      ...(directory === undefined ? {} : { where: { file: directory } }),
      expected: 'tokenizer.json in the directory it was loaded from',
      fix: 'give one: { tokenizer: await tokens.Tokenizer.fromFile(dir) }',
    });
  });
}

/** The template given (or its name), else the chat template in the model's directory. Throws BadInput where there is none. */
export function templateOf(model: Model, given?: Template | string): Promise<Template> {
  if (given !== undefined) return Promise.resolve(typeof given === 'string' ? get(given) : given);
  return once(templates, model, async () => {
    const { directory } = model;
    const files = ['chat_template.jinja', 'chat_template.json', 'tokenizer_config.json'];
    const there = directory !== undefined && (await Promise.all(files.map(file => exists(join(directory, file))))).some(Boolean);
    // Where the configuration has no template, the error names the file.
    if (there) return fromTokenizerConfig(directory, { name: 'the chat template of the model' });
    throw new BadInput({
      problem: 'The model came without a chat template',
      ...(directory === undefined ? {} : { where: { file: directory } }),
      expected: `one of ${files.join(', ')} in the directory it was loaded from`,
      fix: "name one: { template: 'chatml' }; templates.names() lists those there are",
    });
  });
}

/** What `make` gives, made once for every model; a failure is not kept. */
function once<T>(kept: WeakMap<Model, Promise<T>>, model: Model, make: () => Promise<T>): Promise<T> {
  const found = kept.get(model);
  if (found) return found;
  const made = make();
  kept.set(model, made);
  made.catch(() => kept.delete(model));
  return made;
}
