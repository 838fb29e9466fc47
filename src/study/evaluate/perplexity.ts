import { BadInput, setView } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import { type LikelihoodOptions, type LikelihoodRequest, logLikelihoods } from './likelihood.js';

/** Options of {@link perplexity}. */
export interface PerplexityOptions extends LikelihoodOptions {
  tokenizer: Tokenizer;
  /** Documents of plain text. */
  texts: readonly string[];
  /**
   * Tokens the model reads at once: a longer document is cut into windows, each of which predicts what the ones before it did not.
   * Default: the model's context less one.
   */
  window?: number;
}

/** Result of {@link perplexity}. Perplexities of one text in different units can be compared across tokenizers by word and byte alone. */
export class Perplexity {
  /** −Σ log p of all documents, nats. */
  readonly nats: number;
  readonly tokens: number;
  /** Runs between white space, as lm-eval counts them. */
  readonly words: number;
  /** Of UTF-8. */
  readonly bytes: number;

  constructor(sums: { nats: number; tokens: number; words: number; bytes: number }) {
    this.nats = sums.nats;
    this.tokens = sums.tokens;
    this.words = sums.words;
    this.bytes = sums.bytes;
  }

  /** exp of the mean loss a token. */
  get token(): number {
    return Math.exp(this.nats / this.tokens);
  }

  /** lm-eval's `word_perplexity`. */
  get word(): number {
    return Math.exp(this.nats / this.words);
  }

  /** lm-eval's `byte_perplexity`. */
  get byte(): number {
    return Math.exp(this.nats / this.bytes);
  }

  /** lm-eval's `bits_per_byte`. */
  get bitsPerByte(): number {
    return this.nats / this.bytes / Math.LN2;
  }
}

setView(Perplexity, it => ({
  kind: 'table',
  data: [
    { unit: 'token', perplexity: it.token, count: it.tokens },
    { unit: 'word', perplexity: it.word, count: it.words },
    { unit: 'byte', perplexity: it.byte, count: it.bytes },
  ],
}));

/**
 * Perplexity of plain text by token, word and byte, as lm-eval's `loglikelihood_rolling` measures it: a document's first token is
 * predicted from BOS (EOS where there is none).
 */
export async function perplexity(options: PerplexityOptions): Promise<Perplexity> {
  const { texts, tokenizer, model } = options;
  const context = model.config?.maxPositionEmbeddings;
  const window = options.window ?? (context === undefined ? 1024 : context - 1);
  const longest = context === undefined ? Number.MAX_SAFE_INTEGER : context - 1;
  if (!(Number.isInteger(window) && window >= 1 && window <= longest))
    throw new BadInput({
      problem: 'this is no window',
      where: { key: 'window' },
      expected: `a whole number from 1${context === undefined ? '' : ` to ${longest}, the model's context less one`}`,
      found: `${window}`,
    });
  const prefix = tokenizer.bosId ?? tokenizer.eosId;
  const bad = Array.isArray(texts) ? texts.findIndex(text => typeof text !== 'string' || text === '') : -1;
  if (!Array.isArray(texts) || texts.length === 0 || bad >= 0)
    throw new BadInput({
      problem: bad >= 0 ? `text ${bad} is empty` : 'there are no texts to measure',
      where: { key: 'texts' },
      fix: 'give documents that say something',
    });
  if (prefix === undefined || model.startIds)
    throw new BadInput({
      problem: model.startIds
        ? 'the perplexity of plain text is asked of decoders, and this model has an encoder'
        : 'nothing predicts the first token of a text',
      expected: model.startIds ? 'a decoder' : 'a tokenizer with a BOS or EOS token',
      fix: model.startIds
        ? 'measure responses with evaluate.responseLoss'
        : "name it: Tokenizer.fromFile(dir, { eosToken: '</s>' })",
    });
  const requests = texts.flatMap(text => windows(tokenizer.encodeContent(text).ids, prefix, window));
  const likelihoods = await logLikelihoods(requests, { label: 'measuring perplexity', ...options });
  return new Perplexity({
    nats: -likelihoods.reduce((a, b) => a + b, 0),
    tokens: requests.reduce((sum, { continuation }) => sum + continuation.length, 0),
    words: texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0),
    bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
  });
}

/** The first window predicts all of its tokens; later ones read as much as fits and predict what is new. */
function windows(ids: readonly number[], prefix: number, window: number): LikelihoodRequest[] {
  const found: LikelihoodRequest[] = [];
  const all = [prefix, ...ids];
  for (let done = 0; done < ids.length; ) {
    const end = Math.min(done + window, ids.length);
    // `all` is one longer: it predicts ids[i] from all[i].
    const first = Math.max(0, end - window);
    found.push({ context: all.slice(first, done + 1), continuation: ids.slice(done, end) });
    done = end;
  }
  return found;
}
