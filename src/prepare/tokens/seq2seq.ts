import { BadInput, quote } from '../../base/core/index.js';
import type { Row } from '../data/index.js';
import { contentText, type Message } from '../data/index.js';
import { get } from '../templates/index.js';
import { type Conversation, encodePrompt, type WriteOptions } from './encode.js';
import type { EncodeRowsOptions, EncodeSummary } from './encode-rows.js';
import { CountingEncoder } from './encode-stream.js';

/** How a conversation becomes a row for an encoder–decoder. */
export interface Seq2SeqOptions extends WriteOptions {
  /** Longest row of the encoder, and of the target, in tokens. What is cut is the end; EOS stays. */
  maxLength?: number;
}

/** A row for an encoder–decoder: the encoder reads `ids`, the decoder is to say `labels`. Both end with EOS. */
export class Seq2SeqRow {
  /** Nothing is masked on account of where tokens begin and end: prompt and target are tokenised apart. */
  readonly straddling = 0;

  constructor(
    readonly ids: number[],
    readonly labels: number[],
    /** Loss weight of every label; absent when all weigh 1. */
    readonly weights: number[] | undefined,
    readonly truncated: boolean,
  ) {}

  /** Tokens of both sides. */
  get length(): number {
    return this.ids.length + this.labels.length;
  }

  /** Tokens that carry loss. */
  get trained(): number {
    return this.weights?.[0] === 0 ? 0 : this.labels.length;
  }

  /** There is nothing to let go of. Returns this. */
  compact(): this {
    return this;
  }
}

/**
 * Encode a conversation for an encoder–decoder (T5, FLAN-T5): all that comes before the last answer is the encoder's, that answer
 * is the target. Each is tokenised as a text of its own and ends with EOS, as transformers' tokenizers for T5 do it. A message's
 * `weight` becomes the weight of its labels.
 * @throws BadInput when the conversation does not end with an answer, the template cannot hold it, or the tokenizer has no EOS.
 */
export function encodeSeq2Seq(conversation: Conversation, options: Seq2SeqOptions): Seq2SeqRow {
  const { tokenizer, maxLength } = options;
  const row = 'messages' in conversation ? conversation : { messages: conversation };
  const target = row.messages.at(-1);
  if (target?.role !== 'assistant')
    throw new BadInput({
      problem: 'The conversation has no answer to train on',
      expected: 'a last message with the role assistant',
      found: quote(target?.role ?? 'no message'),
    });
  const eosId = needEos(options);
  checkLength(maxLength);
  const prompt = encodeSeq2SeqPrompt({ ...row, messages: row.messages.slice(0, -1) as Message[] }, options);
  const { ids: said } = tokenizer.encodeContent(contentText(target));
  const [ids, labels] = [prompt, [...said, eosId]].map(side => cut(side, maxLength, eosId)) as [number[], number[]];
  const { weight = 1 } = target;
  const truncated = ids.length < prompt.length || labels.length < said.length + 1;
  return new Seq2SeqRow(ids, labels, weight === 1 ? undefined : labels.map(() => weight), truncated);
}

/** Ids for the encoder that ask for the next answer, EOS last: what {@link encodeSeq2Seq} gives, and what `generate` takes. */
export function encodeSeq2SeqPrompt(conversation: Conversation, options: WriteOptions): number[] {
  const eosId = needEos(options);
  const ids = encodePrompt(conversation, options);
  return ids.at(-1) === eosId ? ids : [...ids, eosId];
}

/** Rows for an encoder–decoder, and what became of the set. */
export interface Seq2SeqRows {
  rows: Seq2SeqRow[];
  summary: EncodeSummary;
}

/**
 * {@link encodeSeq2Seq} for a data set: rows that cannot be encoded or train nothing are dropped, counted and listed.
 * @throws BadInput when more than `maxDropped` of the rows, or all of them, are dropped.
 */
export function encodeSeq2SeqRows(rows: readonly Row[], options: EncodeRowsOptions): Seq2SeqRows {
  const encoder = new CountingEncoder(options, encodeSeq2Seq, Number.POSITIVE_INFINITY);
  const encoded = rows.flatMap(row => encoder.encode(row) ?? []);
  encoder.judge();
  return { rows: encoded, summary: encoder.summary };
}

/** Encodes rows for an encoder–decoder one at a time. */
export function seq2SeqEncoder(options: EncodeRowsOptions): CountingEncoder<Seq2SeqRow> {
  return new CountingEncoder(options, encodeSeq2Seq);
}

function needEos({ template, tokenizer }: WriteOptions): number {
  if (tokenizer.eosId !== undefined) return tokenizer.eosId;
  throw new BadInput({
    problem: `rows of an encoder–decoder end with the EOS token, and this tokenizer names none (template ${typeof template === 'string' ? get(template).name : template.name})`,
    expected: '"eos_token" in tokenizer_config.json',
    fix: "name it: Tokenizer.fromFile(dir, {eosToken: '</s>'})",
  });
}

function checkLength(maxLength: number | undefined): void {
  if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 2))
    throw new BadInput({
      problem: 'maxLength is no length',
      expected: 'a whole number of at least 2',
      found: quote(maxLength),
      fix: 'leave it out for no limit',
    });
}

function cut(ids: number[], maxLength: number | undefined, eosId: number): number[] {
  return maxLength === undefined || ids.length <= maxLength ? ids : [...ids.slice(0, maxLength - 1), eosId];
}
