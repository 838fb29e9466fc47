import { BadInput, progress } from '../../base/core/index.js';
import { BYTE_TO_CHAR, GPT2_PATTERN, toByteAlphabet } from './bytes.js';
import { Tokenizer } from './tokenizer.js';

export interface TrainBPEOptions {
  /** Size of the vocabulary, special tokens and the 256 bytes included. Fewer tokens come out when the texts hold no more pairs. */
  vocabSize: number;
  /** Pairs seen fewer times are not merged. Defaults to 2. */
  minFrequency?: number;
  /**
   * Bytes that get a token whether they occur or not, in GPT-2's byte alphabet (`Ġ` is a space). Defaults to all 256, so that
   * every text can be spelled; with fewer, text that holds another byte cannot be encoded.
   */
  initialAlphabet?: Iterable<string>;
  /** At most so many bytes get a token, the most frequent ones; those of `initialAlphabet` come first. Defaults to no limit. */
  limitAlphabet?: number;
  /** Given the first ids, in this order. Defaults to `<|endoftext|>`, `<|im_start|>`, `<|im_end|>`, which all built-in templates need. */
  specialTokens?: readonly string[];
  /** Defaults to the first special token. */
  eosToken?: string;
  /** Defaults to none. */
  bosToken?: string;
  /** Defaults to the EOS token; labels come from positions, so padding never hides a real EOS. */
  padToken?: string;
}

/**
 * Train a byte-level BPE tokenizer (Sennrich et al. 2016; bytes and pre-tokenizer as GPT-2's). The same texts and options
 * give the same merges as Hugging Face's `BpeTrainer(initial_alphabet=ByteLevel.alphabet())`: the most frequent pair
 * first, ties by the lower ids. Written to train some MB of text in seconds.
 */
export function trainBPE(texts: Iterable<string>, options: TrainBPEOptions): Tokenizer {
  const { vocabSize, minFrequency = 2, specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] } = options;
  const { eosToken = specialTokens[0], bosToken, padToken = eosToken } = options;
  const { initialAlphabet = BYTE_TO_CHAR, limitAlphabet = 256 } = options;
  const initial = new Set(initialAlphabet);
  const whole = initial.size === 256 && limitAlphabet >= 256;
  const least = (whole ? 256 : 1) + specialTokens.length;
  if (!Number.isInteger(vocabSize) || vocabSize < least) {
    throw new BadInput({
      problem: 'the vocabulary is too small',
      where: { key: 'vocabSize' },
      expected: `a whole number of at least ${least} (${whole ? '256 bytes' : 'a byte'} and ${specialTokens.length} special tokens)`,
      found: String(vocabSize),
      fix: `choose vocabSize ≥ ${least}`,
    });
  }
  for (const token of [eosToken, bosToken, padToken]) {
    if (token === undefined || specialTokens.includes(token)) continue;
    throw new BadInput({
      problem: `${JSON.stringify(token)} is not among the special tokens`,
      where: { key: 'specialTokens' },
      expected: 'bosToken, eosToken and padToken to be special tokens',
      fix: 'add it to specialTokens',
    });
  }

  const vocab = new Map<string, number>();
  for (const token of specialTokens) vocab.set(token, vocab.size);
  const words = countWords(texts);
  for (const char of alphabet(words, initial, limitAlphabet)) if (!vocab.has(char)) vocab.set(char, vocab.size);
  const merges = learnMerges(words, vocab, vocabSize, minFrequency);
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  };
  const config: Record<string, unknown> = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...(bosToken === undefined ? {} : { bos_token: bosToken }),
    eos_token: eosToken,
    pad_token: padToken,
  };
  return Tokenizer.fromJSON(json, config);
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  const bar = progress('counting words', { unit: 'texts' });
  let done = 0;
  for (const text of texts) {
    for (const word of text.match(GPT2_PATTERN) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    // Not for every one of many short texts: listeners may be slow.
    if (++done % 256 === 0) bar.update(done);
  }
  bar.finish();
  return counts;
}

/** The bytes that get a token, in the byte alphabet and in its order. */
function alphabet(words: Map<string, number>, initial: ReadonlySet<string>, limit: number): string[] {
  if (initial.size === 256 && limit >= 256) return [...initial].sort();
  const counts = new Map<string, number>();
  for (const [word, count] of words) for (const char of toByteAlphabet(word)) counts.set(char, (counts.get(char) ?? 0) + count);
  for (const char of initial) counts.set(char, Number.POSITIVE_INFINITY);
  const byCount = [...counts].sort(([a, m], [b, n]) => (m === n ? (a < b ? -1 : 1) : n - m));
  return byCount
    .slice(0, limit)
    .map(([char]) => char)
    .sort();
}

/** A pair waiting to be merged: its count when it was queued and the words that held it. */
interface Candidate {
  left: number;
  right: number;
  count: number;
  words: number[];
}

// Pairs of ids as one key: both below 2^26, so the key is a safe integer.
const BASE = 2 ** 26;

/**
 * The merges, and `vocab` filled. This follows Hugging Face's trainer entry for entry, also in what looks odd: a count
 * that went stale in the queue is corrected when it surfaces, and an entry merges only in the words it was queued for.
 */
function learnMerges(
  words: Map<string, number>,
  vocab: Map<string, number>,
  vocabSize: number,
  minFrequency: number,
): [string, string][] {
  const tokens = [...vocab.keys()];
  const symbols: number[][] = [];
  const counts: number[] = [];
  for (const [word, count] of words) {
    symbols.push(Array.from(toByteAlphabet(word), c => vocab.get(c)).filter(id => id !== undefined));
    counts.push(count);
  }

  const pairs = new Map<number, number>();
  let touched = new Map<number, number[]>();
  const see = (left: number, right: number, change: number, word: number) => {
    const key = left * BASE + right;
    pairs.set(key, (pairs.get(key) ?? 0) + change * counts[word]!);
    if (change < 0) return;
    const list = touched.get(key);
    if (!list) touched.set(key, [word]);
    else if (list.at(-1) !== word) list.push(word);
  };
  const queue = new Queue();
  const enqueueTouched = () => {
    for (const [key, list] of touched) {
      const count = pairs.get(key)!;
      if (count > 0) queue.push({ left: Math.floor(key / BASE), right: key % BASE, count, words: list });
    }
    touched = new Map();
  };
  for (const [w, word] of symbols.entries()) for (let i = 0; i + 1 < word.length; i++) see(word[i]!, word[i + 1]!, 1, w);
  enqueueTouched();

  const ranked = new Map<number, [string, string]>();
  const bar = progress('learning merges', { total: vocabSize, unit: 'tokens' });
  while (vocab.size < vocabSize) {
    const top = queue.pop();
    if (!top) break;
    const now = pairs.get(top.left * BASE + top.right)!;
    if (top.count !== now) {
      top.count = now;
      queue.push(top);
      continue;
    }
    if (top.count < 1 || top.count < minFrequency) break;
    const text = tokens[top.left]! + tokens[top.right]!;
    let id = vocab.get(text);
    if (id === undefined) {
      id = tokens.length;
      tokens.push(text);
      vocab.set(text, id);
      if (vocab.size % 64 === 0) bar.update(vocab.size);
    }
    const key = top.left * BASE + top.right;
    // A pair merged twice keeps its later rank.
    ranked.delete(key);
    ranked.set(key, [tokens[top.left]!, tokens[top.right]!]);
    for (const w of top.words) {
      const word = symbols[w]!;
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] !== top.left || word[i + 1] !== top.right) continue;
        if (i > 0) {
          see(word[i - 1]!, top.left, -1, w);
          see(word[i - 1]!, id, 1, w);
        }
        word.splice(i, 2, id);
        if (i + 1 < word.length) {
          see(top.right, word[i + 1]!, -1, w);
          see(id, word[i + 1]!, 1, w);
        }
      }
    }
    enqueueTouched();
  }
  bar.finish();
  return [...ranked.values()];
}

/** A binary heap: the highest count first, then the lower left id, then the lower right id. */
class Queue {
  readonly #heap: Candidate[] = [];

  push(item: Candidate): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(item, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = item;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}
