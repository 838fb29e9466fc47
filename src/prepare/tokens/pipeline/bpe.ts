import { BadInput, quote } from '../../../base/core/index.js';
import type { TokenizerJson } from '../hf.js';
import { PairTable } from './pair-table.js';
import { need, type Word, type WordModel } from './word-model.js';

const MARKER = '\u2581';
const encoder = new TextEncoder();

/**
 * Byte-pair encoding (Sennrich et al. 2016): a word's characters are merged pair by pair, the earliest learned pair first,
 * the leftmost of equals first. With SentencePiece's byte fallback, unknown tokens, and the prefixes and suffixes of words.
 */
export class Bpe implements WordModel {
  readonly cut?: RegExp;
  /** Pair of ids → rank of its merge. */
  readonly #ranks: PairTable;
  /** What the merge of a rank makes. */
  readonly #made: Int32Array;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #unknown: string | undefined;
  readonly #fuse: boolean;
  /** Ids of `<0x00>` … `<0xFF>`, −1 where missing; undefined without byte fallback. */
  readonly #bytes: Int32Array | undefined;
  readonly #whole: boolean;

  constructor(
    model: TokenizerJson['model'],
    readonly vocab: ReadonlyMap<string, number>,
  ) {
    this.#prefix = (model.continuing_subword_prefix as string | null) ?? '';
    this.#suffix = (model.end_of_word_suffix as string | null) ?? '';
    this.#unknown = (model.unk_token as string | null) ?? undefined;
    this.#fuse = model.fuse_unk === true;
    this.#whole = model.ignore_merges === true;
    if (model.byte_fallback === true) {
      this.#bytes = Int32Array.from(
        { length: 256 },
        (_, b) => vocab.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1,
      );
    }
    const merges = (model.merges ?? []) as (string | [string, string])[];
    this.#ranks = new PairTable(merges.length);
    this.#made = new Int32Array(merges.length);
    let independent = this.#prefix === '' && this.#suffix === '' && !this.#whole && vocab.has(MARKER);
    for (const [rank, merge] of merges.entries()) {
      const space = typeof merge === 'string' ? merge.indexOf(' ') : 0;
      const [left, right] = typeof merge === 'string' ? [merge.slice(0, space), merge.slice(space + 1)] : merge;
      const a = vocab.get(left);
      const b = vocab.get(right);
      const made = vocab.get(left + right.slice(this.#prefix.length));
      if (a === undefined || b === undefined || made === undefined) {
        throw new BadInput({
          problem: `merge ${rank} uses a token that is not in the vocabulary`,
          expected: 'both halves and their union in the vocabulary',
          found: quote(`${left} ${right}`),
          fix: 'the file is damaged: get it again',
        });
      }
      this.#ranks.set(a, b, rank);
      this.#made[rank] = made;
      if (right.startsWith(MARKER) && !left.endsWith(MARKER)) independent = false;
    }
    // SentencePiece models see a whole text as one word. When no merge joins a marker to what stands before it, the text
    // falls apart there, and its words can be looked up one by one.
    if (independent) this.cut = /(?<!\u2581)(?=\u2581)/;
  }

  tokenise(word: string, hidden: ReadonlySet<number>): Word {
    if (this.#whole) {
      const id = this.vocab.get(word);
      if (id !== undefined && !hidden.has(id)) return { ids: [id], starts: [0], ends: [word.length], lost: false };
    }
    const symbols = this.#symbols(word);
    this.#merge(symbols);
    return symbols;
  }

  #symbols(word: string): Word {
    const out: Word = { ids: [], starts: [], ends: [], lost: false };
    const { ids, starts, ends } = out;
    // Start of a run of unknown characters that has no token yet.
    let pending = -1;
    const flush = (end: number) => {
      if (pending >= 0) {
        ids.push(need(this.vocab, this.#unknown!));
        starts.push(pending);
        ends.push(end);
      }
      pending = -1;
    };
    let next = 0;
    for (let at = 0; at < word.length; at = next) {
      const c = word.charCodeAt(at);
      const low = c >= 0xd800 && c < 0xdc00 ? word.charCodeAt(at + 1) : 0;
      next = at + (low >= 0xdc00 && low < 0xe000 ? 2 : 1);
      let symbol = word.slice(at, next);
      if (at > 0 && this.#prefix !== '') symbol = this.#prefix + symbol;
      if (next === word.length && this.#suffix !== '') symbol += this.#suffix;
      const id = this.vocab.get(symbol);
      if (id !== undefined) {
        flush(at);
        ids.push(id);
        starts.push(at);
        ends.push(next);
        continue;
      }
      if (this.#bytes) {
        const bytes = Array.from(encoder.encode(symbol), b => this.#bytes![b]!);
        if (!bytes.includes(-1)) {
          // Bytes of one character share its place. An unknown run before them keeps its turn, as in Hugging Face's.
          for (const byte of bytes) {
            ids.push(byte);
            starts.push(at);
            ends.push(next);
          }
          continue;
        }
      }
      if (this.#unknown === undefined) out.lost = true;
      else if (pending < 0 || !this.#fuse) {
        flush(at);
        pending = at;
      }
    }
    flush(word.length);
    return out;
  }

  #merge(word: Word): void {
    const { ids, starts, ends } = word;
    const n = ids.length;
    if (n < 2) return;
    // A linked list of symbols, and a heap of the merges that are possible: rank first, then place, in one number.
    const next = new Int32Array(n);
    const previous = new Int32Array(n);
    const heap: number[] = [];
    const offer = (left: number, right: number) => {
      const rank = this.#ranks.get(ids[left]!, ids[right]!);
      if (rank >= 0) push(heap, rank * PLACES + left);
    };
    for (let i = 0; i < n; i++) {
      next[i] = i + 1 < n ? i + 1 : -1;
      previous[i] = i - 1;
      if (i + 1 < n) offer(i, i + 1);
    }
    if (heap.length === 0) return;
    while (heap.length > 0) {
      const top = pop(heap);
      const left = top % PLACES;
      const rank = (top - left) / PLACES;
      const right = next[left]!;
      // Symbols merged since this was queued: gone, or now another pair.
      if (ids[left]! < 0 || right < 0 || this.#ranks.get(ids[left]!, ids[right]!) !== rank) continue;
      ids[left] = this.#made[rank]!;
      ids[right] = -1;
      ends[left] = Math.max(ends[left]!, ends[right]!);
      const after = next[right]!;
      next[left] = after;
      if (after >= 0) {
        previous[after] = left;
        offer(left, after);
      }
      const before = previous[left]!;
      if (before >= 0) offer(before, left);
    }
    let kept = 0;
    for (let i = 0; i >= 0; i = next[i]!) {
      ids[kept] = ids[i]!;
      starts[kept] = starts[i]!;
      ends[kept++] = ends[i]!;
    }
    ids.length = starts.length = ends.length = kept;
  }
}

/** Places of a text in a key of the heap; ranks stay below 2^21, so keys stay exact. */
const PLACES = 2 ** 32;

function push(heap: number[], key: number): void {
  let i = heap.length;
  heap.push(key);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = key;
}

function pop(heap: number[]): number {
  const top = heap[0]!;
  const last = heap.pop()!;
  const n = heap.length;
  if (n === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
