import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';

/** One entry of `added_tokens` in a tokenizer.json. */
export interface AddedToken {
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
}

/** A component of a tokenizer.json: its `type` and settings. */
export interface Component {
  type?: string;
  [key: string]: unknown;
}

/** A Hugging Face tokenizer.json. */
export interface TokenizerJson {
  version?: string;
  added_tokens: AddedToken[];
  normalizer: Component | null;
  pre_tokenizer: Component | null;
  post_processor: Component | null;
  decoder: Component | null;
  model: Component & { vocab: Record<string, number> | [string, number][] };
  [key: string]: unknown;
}

/** The stages of the library's tokenizer that we drive one by one, because it reports no offsets itself. */
export interface Stages {
  normalizer: ((text: string) => string) | null;
  pre_tokenizer: ((text: string, options?: { section_index?: number }) => string[]) | null;
  model: {
    (words: string[]): string[];
    tokens_to_ids: Map<string, number>;
    vocab: string[];
    unk_token?: string;
    unk_token_id?: number;
    end_of_word_suffix?: string;
  };
  post_processor: { post_process(tokens: string[], pair: null, addSpecial: boolean): { tokens: string[] } } | null;
  decode(ids: number[], options: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
}

/** Build the library's tokenizer. Its own errors (an unknown component, say) pass through. */
export function stages(json: TokenizerJson, config: Record<string, unknown>): Stages {
  return new HfTokenizer(json, config) as unknown as Stages;
}

/** The components of a normalizer or pre-tokenizer in order, with sequences opened. */
export function flattenComponent(component: Component | null): Component[] {
  if (!component) return [];
  const inner = (component.normalizers ?? component.pretokenizers) as Component[] | undefined;
  return component.type === 'Sequence' && inner ? inner.flatMap(flattenComponent) : [component];
}

/**
 * The file as it is to be used on text from data: without added tokens, so that text which looks like a special token
 * stays text. Models that look whole words up (Unigram, WordPiece, BPE with `ignore_merges`) would still find them in the
 * vocabulary, so there the entries are renamed to what no text can contain.
 */
export function contentJson(json: TokenizerJson, inside: boolean): TokenizerJson {
  const hidden = new Set(json.added_tokens.filter(t => t.special || /^<.*>$/.test(t.content)).map(t => t.content));
  const { model } = json;
  const rename = (token: string, id: number) => (hidden.has(token) ? `\ufdd0${id}\ufdd0` : token);
  let vocab = model.vocab;
  if (hidden.size > 0 && Array.isArray(vocab)) {
    const unk = model.unk_id as number | undefined;
    vocab = vocab.map(([token, score], id): [string, number] => (id === unk ? [token, score] : [rename(token, id), score]));
  } else if (hidden.size > 0 && (model.type !== 'BPE' || model.ignore_merges === true)) {
    vocab = Object.fromEntries(
      Object.entries(vocab as Record<string, number>).map(([token, id]) => [
        token === model.unk_token ? token : rename(token, id),
        id,
      ]),
    );
  }
  return {
    ...json,
    added_tokens: [],
    normalizer: inside ? withoutPrefix(json.normalizer) : json.normalizer,
    pre_tokenizer: inside ? withoutPrefix(json.pre_tokenizer) : json.pre_tokenizer,
    post_processor: null,
    model: { ...model, vocab },
  };
}

/** A component that puts nothing in front of the text: for text that continues text already tokenised. */
function withoutPrefix(component: Component | null): Component | null {
  if (!component) return null;
  if (component.type === 'Prepend') return null;
  if (component.type === 'Metaspace') return { ...component, prepend_scheme: 'never', add_prefix_space: false };
  if (component.type === 'ByteLevel') return { ...component, add_prefix_space: false };
  if (component.type !== 'Sequence') return component;
  const key = component.normalizers ? 'normalizers' : 'pretokenizers';
  const inner = (component[key] as Component[]).map(withoutPrefix).filter(c => c !== null);
  return { ...component, [key]: inner };
}
