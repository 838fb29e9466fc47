import { BadInput, quote } from '../../../base/core/index.js';
import { checkMask } from '../batch.js';
import type { T5Config } from './config.js';

/** Rows for the two sides of a T5. */
export interface T5Input {
  /** Token ids of the encoder, rectangular with a mask or ragged without one. */
  ids: number[][];
  /** 1 real, 0 padding. */
  attentionMask?: number[][];
  /** Token ids of the decoder, the start token first. Rows may differ in length. */
  decoderIds: number[][];
}

/** Rows to train on. */
export interface T5TrainBatch {
  /** Token ids of the encoder, ragged, without padding. */
  ids: number[][];
  /** What the decoder is to say to each, of lengths of their own: `labels[t]` is what it predicts at step t; −100 where nothing is trained. */
  labels: number[][];
  /** Factor of every label's loss; 1 where absent. As long as the labels. */
  weights?: number[][];
}

/** Rows of the encoder from their first to their last real token. */
export interface EncoderRows {
  rows: number[][];
  /** By row, padding between real tokens; undefined where there is none. */
  hidden?: boolean[][];
}

/** Take padding at the ends of the encoder's rows away. Throws BadInput for a mask that does not fit and for empty rows. */
export function encoderRows({ ids, attentionMask: mask }: Pick<T5Input, 'ids' | 'attentionMask'>, config: T5Config): EncoderRows {
  needRows(ids, 'ids');
  if (mask !== undefined) checkMask(mask, ids.length);
  let gaps = false;
  const hidden: boolean[][] = [];
  const rows = ids.map((row, b) => {
    const real = mask?.[b];
    if (mask && real?.length !== row.length)
      throw new BadInput({
        problem: `Row ${b} of the attention mask is not as long as its row of ids`,
        where: { key: 'attentionMask' },
        expected: `${row.length}`,
        found: `${real?.length ?? 'no row'}`,
      });
    const from = real ? real.findIndex(on => on !== 0) : 0;
    const to = real ? real.findLastIndex(on => on !== 0) + 1 : row.length;
    if (from < 0 || to <= from)
      throw new BadInput({
        problem: `Row ${b} has no tokens`,
        where: { key: 'ids' },
        expected: 'at least one token that is not padding',
        fix: 'end an empty input with the eos token',
      });
    const gone = Array.from({ length: to - from }, (_, t) => real?.[from + t] === 0);
    gaps ||= gone.includes(true);
    hidden.push(gone);
    return row.slice(from, to);
  });
  checkIds(rows, 'ids', config);
  return gaps ? { rows, hidden } : { rows };
}

/** Throws BadInput for rows of the decoder that do not fit. */
export function checkDecoderRows(decoderIds: number[][] | undefined, rows: number, config: T5Config): number[][] {
  if (decoderIds === undefined)
    throw new BadInput({
      problem: 'The decoder of a T5 needs rows of its own',
      where: { key: 'decoderIds' },
      expected: 'one row of token ids for every row of ids, beginning with the start token',
      fix: `pass decoderIds: [[${config.decoderStartTokenId}, …], …], or use generate`,
    });
  needRows(decoderIds, 'decoderIds');
  needAsMany(decoderIds, rows, 'decoderIds');
  const empty = decoderIds.findIndex(row => row.length === 0);
  if (empty >= 0)
    throw new BadInput({
      problem: `Row ${empty} of the decoder has no tokens`,
      where: { key: 'decoderIds' },
      expected: 'at least the start token',
      fix: `begin it with ${config.decoderStartTokenId}`,
    });
  checkIds(decoderIds, 'decoderIds', config);
  return decoderIds;
}

/** A batch as the two stacks take it. Rows without a label are left out. */
export interface T5Targets {
  encoder: number[][];
  /** The labels shifted to the right behind the start token, cut after the last that counts. */
  decoder: number[][];
  /** Which rows of the batch they are. */
  rows: number[];
  /** Decoder positions that predict a label, among the tokens of all rows. */
  keep: Int32Array;
  labels: Int32Array;
  weights: Float32Array;
  /** Sum of the weights. */
  denominator: number;
}

/** The decoder's inputs and what they are to predict, as transformers makes them of labels: start token first, −100 → padding. */
export function t5Targets({ ids, labels, weights }: T5TrainBatch, config: T5Config): T5Targets {
  const { rows: inputs } = encoderRows({ ids }, config);
  needRows(labels, 'labels');
  needAsMany(labels, ids.length, 'labels');
  if (weights) needAsMany(weights, ids.length, 'weights');
  const out = { encoder: [] as number[][], decoder: [] as number[][], rows: [] as number[] };
  const keep: number[] = [];
  const wanted: number[] = [];
  const factors: number[] = [];
  let denominator = 0;
  let start = 0;
  labels.forEach((label, b) => {
    const factor = weights?.[b];
    if (weights && factor?.length !== label.length)
      throw new BadInput({
        problem: `Row ${b} has not one weight a label`,
        where: { key: 'weights' },
        expected: `${label.length}`,
        found: `${factor?.length ?? 'no row'}`,
      });
    const length = label.findLastIndex(id => id !== -100) + 1;
    if (length === 0) return;
    label.forEach((id, t) => {
      if (id === -100) return;
      if (!isToken(id, config))
        throw new BadInput({
          problem: `Row ${b} has a label that is no token, at position ${t}`,
          where: { key: 'labels' },
          expected: `-100 or an integer from 0 to ${config.vocabSize - 1}`,
          found: quote(id),
        });
      keep.push(start + t);
      wanted.push(id);
      const weight = factor?.[t] ?? 1;
      factors.push(weight);
      denominator += weight;
    });
    out.rows.push(b);
    out.encoder.push(inputs[b]!);
    const before = label.slice(0, length - 1).map(id => (id === -100 ? config.padTokenId : id));
    out.decoder.push([config.decoderStartTokenId, ...before]);
    start += length;
  });
  return {
    ...out,
    keep: Int32Array.from(keep),
    labels: Int32Array.from(wanted),
    weights: Float32Array.from(factors),
    denominator,
  };
}

function needRows(rows: number[][], key: string): void {
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(row => Array.isArray(row)))
    throw new BadInput({
      problem: 'The batch has no rows',
      where: { key },
      expected: 'at least one row of token ids: number[][]',
      found: quote(rows ?? null, 60),
    });
}

function needAsMany(rows: readonly unknown[], count: number, key: string): void {
  if (rows.length !== count)
    throw new BadInput({
      problem: `There is not one row of ${key} for every row of ids`,
      where: { key },
      expected: `${count}`,
      found: `${rows.length}`,
    });
}

function isToken(id: number | undefined, { vocabSize }: T5Config): boolean {
  return Number.isInteger(id) && id! >= 0 && id! < vocabSize;
}

function checkIds(rows: readonly (readonly number[])[], key: string, config: T5Config): void {
  rows.forEach((row, b) => {
    const wrong = row.findIndex(id => !isToken(id, config));
    if (wrong >= 0)
      throw new BadInput({
        problem: `Row ${b} has a token the model does not know, at position ${wrong}`,
        where: { key },
        expected: `an integer from 0 to ${config.vocabSize - 1}`,
        found: quote(row[wrong]),
        fix: "encode with the tokenizer that belongs to the model, or give the model the tokenizer's vocabSize",
      });
  });
}
