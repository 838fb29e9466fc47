import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import { logitsOf, type Model, type Predictors, predictors } from '../../learn/models/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { batchOf, encodePrompt, encodeSeq2SeqPrompt, stopsOf, type Tokenizer } from '../../prepare/tokens/index.js';
import { checkPair, onBase, type Pair } from './pair.js';
import type { TextRow } from './text-rows.js';

/** Logits held at once, in elements (32 MB a model): beyond it the positions are worked off in chunks. */
const CHUNK_ELEMENTS = 1 << 23;

/** Result of {@link klToBase}. */
export interface Divergence {
  /** Mean KL(base ‖ tuned) over the labelled tokens, in nats per token. */
  kl: number;
  /** Mean KL(tuned ‖ base) over the same tokens. */
  reverse: number;
  tokens: number;
  /** Mean KL(base ‖ tuned) of every row; NaN for one without labels. */
  rows: number[];
}

/** Options of {@link klToBase}. */
export interface KlOptions extends Pair {
  /** Encoded rows; what is labelled in them counts. Base text: {@link textRows}; new tasks: {@link baseSamples}. */
  rows: readonly { ids: readonly number[]; labels: readonly number[] }[];
  /** Rows of one pass; default 8. */
  batchSize?: number;
  signal?: AbortSignal;
  /** Shown beside the progress bar. */
  label?: string;
}

/**
 * How far the tuned model's predictions are from the base's on the labelled tokens of rows, teacher-forced: the KL divergence of the two
 * distributions over the whole vocabulary, exact, in nats per token. On what the base says to prompts of the new task it predicts how much
 * was forgotten (Shenfeld, Pari & Agrawal 2025).
 * @throws BadInput for models with different tokens, and rows without labels
 */
export async function klToBase(options: KlOptions): Promise<Divergence> {
  const { rows, batchSize = 8, signal, label = 'KL to the base' } = options;
  checkPair(options);
  const bar = progress(label, { total: rows.length, unit: 'rows' });
  const sums: { kl: number; reverse: number; tokens: number }[] = [];
  try {
    for (let start = 0; start < rows.length; start += batchSize) {
      if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${start} of ${rows.length} rows` });
      sums.push(...(await batchKl(options, rows.slice(start, start + batchSize))));
      bar.update(Math.min(rows.length, start + batchSize));
      // Interrupts and displays need their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  } finally {
    bar.finish();
  }
  const total = (key: 'kl' | 'reverse' | 'tokens') => sums.reduce((sum, row) => sum + row[key], 0);
  const tokens = total('tokens');
  if (tokens === 0)
    throw new BadInput({
      problem: 'There is no token on which the models could be compared',
      where: { key: 'rows' },
      expected: 'encoded rows with labels',
      found: `${rows.length} rows without one`,
      fix: 'forgetting.textRows({ tokenizer, texts }) makes rows of base text, forgetting.baseSamples({ … }) of prompts',
    });
  if (!Number.isFinite(total('kl')))
    throw new BadInput({
      problem: 'The predictions of one of the models are not finite',
      found: `a divergence of ${total('kl')}`,
      fix: 'look for weights that are not finite; training may have gone too far',
    });
  return {
    kl: total('kl') / tokens,
    reverse: total('reverse') / tokens,
    tokens,
    rows: sums.map(({ kl, tokens }) => kl / tokens),
  };
}

async function batchKl(pair: Pair, rows: KlOptions['rows']): Promise<{ kl: number; reverse: number; tokens: number }[]> {
  const batch = batchOf(rows.map(({ ids, labels }) => ({ ids, labels })));
  // Nothing stands before the first token of a decoder's row; an encoder–decoder predicts its first label too.
  const first = (pair.tuned as { startIds?: unknown }).startIds === undefined ? 1 : 0;
  const counts = rows.map(({ labels }) => labels.slice(first).filter(label => label !== -100).length);
  const held: Predictors[] = [];
  try {
    for (const work of [() => onBase(pair, base => predictors(base, batch)), () => predictors(pair.tuned, batch)]) {
      const found = await work();
      if (found) held.push(found);
    }
    const [before, after] = held;
    const [kl, reverse] = before && after ? tokenKl(before, after) : [new Float32Array(0), new Float32Array(0)];
    let at = 0;
    return counts.map(tokens => {
      const sum = (values: Float32Array) => values.subarray(at, at + tokens).reduce((a, b) => a + b, 0);
      const row = { kl: sum(kl), reverse: sum(reverse), tokens };
      at += tokens;
      return row;
    });
  } finally {
    for (const { hidden, head } of held) tf.dispose([hidden, head]);
  }
}

/** KL(q ‖ p) and KL(p ‖ q) of every position, q being what is given first. */
function tokenKl(q: Predictors, p: Predictors): [Float32Array, Float32Array] {
  const [count, vocabulary] = [q.hidden.shape[0], q.head.shape[0]];
  const size = Math.max(1, Math.floor(CHUNK_ELEMENTS / vocabulary));
  const found: [Float32Array, Float32Array] = [new Float32Array(count), new Float32Array(count)];
  for (let start = 0; start < count; start += size) {
    const n = Math.min(size, count - start);
    const both = tf.tidy(() => {
      const logp = (from: Predictors) =>
        tf.logSoftmax(logitsOf({ ...from, hidden: tf.slice(from.hidden, [start, 0], [n, from.hidden.shape[1]]) }));
      const [logQ, logP] = [logp(q), logp(p)];
      const gap = tf.sub(logQ, logP);
      return tf.stack([tf.sum(tf.mul(tf.exp(logQ), gap), 1), tf.neg(tf.sum(tf.mul(tf.exp(logP), gap), 1))]);
    });
    const values = both.dataSync() as Float32Array;
    both.dispose();
    found[0].set(values.subarray(0, n), start);
    found[1].set(values.subarray(n), start);
  }
  return found;
}

/** Options of {@link baseSamples}. */
export interface BaseSamplesOptions extends Partial<Pick<Pair, 'tuned'>> {
  base: Model;
  tokenizer: Tokenizer;
  template: Template;
  /** Conversations of the new task; the answer they end with is not looked at. */
  rows: readonly Row[];
  /** Longest answer in tokens; default 32. */
  maxNewTokens?: number;
  /** Of sampling; default 0. */
  seed?: number;
  /** Prompts of one pass; default 50. */
  batchSize?: number;
  signal?: AbortSignal;
}

/**
 * What the base says to prompts of new tasks, sampled at temperature 1, as encoded rows whose labels are what it said: the rows on which
 * {@link klToBase} estimates E_x KL(base(· | x) ‖ tuned(· | x)).
 * @param options.tuned given where the base is that very model without its adapters
 */
export async function baseSamples(options: BaseSamplesOptions): Promise<TextRow[]> {
  const { base, tuned = base, tokenizer, template, rows, maxNewTokens = 32, seed = 0, batchSize = 50, signal } = options;
  const seq2seq = (base as { startIds?: unknown }).startIds !== undefined;
  const encode = seq2seq ? encodeSeq2SeqPrompt : encodePrompt;
  const prompts = rows.map(({ messages }) =>
    encode(messages.at(-1)?.role === 'assistant' ? messages.slice(0, -1) : messages, { tokenizer, template }),
  );
  const ends = stopsOf(template, tokenizer);
  const ended = ends.texts.length > 0 ? { stopStrings: ends.texts, tokenizer } : {};
  const made: TextRow[] = [];
  const bar = progress('what the base says', { total: rows.length, unit: 'prompts' });
  try {
    for (let start = 0; start < prompts.length; start += batchSize) {
      if (signal?.aborted) throw new Interrupted({ problem: `sampling was stopped after ${start} of ${rows.length} prompts` });
      const part = prompts.slice(start, start + batchSize);
      const how = {
        maxNewTokens,
        temperature: 1,
        seed: seed + start,
        stopIds: ends.ids,
        ...ended,
        signal,
      };
      const { ids } = await onBase({ base, tuned }, model => model.generate(part, how));
      ids.forEach((row, i) => {
        const prompt = part[i]!;
        made.push(
          seq2seq ? { ids: prompt, labels: row } : { ids: row, labels: row.map((id, t) => (t < prompt.length ? -100 : id)) },
        );
      });
      bar.update(start + part.length);
    }
  } finally {
    bar.finish();
  }
  return made;
}
