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

/** The components of a normalizer, pre-tokenizer or decoder in order, with sequences opened. */
export function flattenComponent(component: Component | null): Component[] {
  if (!component) return [];
  const inner = (component.normalizers ?? component.pretokenizers ?? component.decoders) as Component[] | undefined;
  return component.type === 'Sequence' && inner ? inner.flatMap(flattenComponent) : [component];
}
