import { BadInput, quote } from '../../base/core/index.js';
import type { ModelConfig } from './config/index.js';

/** Rows as a model takes them: rectangular with a mask (1 real, 0 padding), or ragged without one. */
export interface ModelInput {
  ids: number[][];
  attentionMask?: number[][];
  /**
   * For packed rows, the segment every token belongs to: a number that changes where the next segment begins. A token sees
   * the earlier ones of its own segment alone, and positions count from 0 in each, so that a segment gets what it would get
   * as a row of its own.
   */
  segmentIds?: number[][];
}

/** Rows to train on, ragged, without padding. */
export interface TrainBatch {
  ids: number[][];
  /** As long as `ids` and unshifted: `labels[t]` is what position t − 1 must predict; −100 where nothing is trained. */
  labels: number[][];
  /** Factor of every token's loss; 1 where absent. */
  weights?: number[][];
  /** For packed rows, as in {@link ModelInput}. Nothing predicts the first token of a segment: its label does not count. */
  segmentIds?: number[][];
}

/** The positions of a batch that predict a labelled token, in order. */
export interface Targets {
  /** Where each stands among the tokens of all rows. */
  keep: Int32Array;
  labels: Int32Array;
  weights: Float32Array;
  /** Sum of the weights. */
  denominator: number;
}

/** Rows without their padding. */
export interface Unpadded {
  rows: number[][];
  segmentIds?: number[][];
  /** The slot row · time + t that each real token came from. */
  slots: Int32Array;
  /** Length of the longest row as given. */
  time: number;
}

/** Find the positions that predict a labelled token. Throws BadInput where labels or weights do not fit the ids. */
export function targets(
  { ids, labels, weights, segmentIds }: TrainBatch,
  { vocabSize }: Pick<ModelConfig, 'vocabSize'>,
): Targets {
  checkSegments(ids, segmentIds);
  const keep: number[] = [];
  const wanted: number[] = [];
  const factors: number[] = [];
  let start = 0;
  let denominator = 0;
  ids.forEach((row, b) => {
    const [label, weight, segment] = [labels[b], weights?.[b], segmentIds?.[b]];
    if (label?.length !== row.length || (weights && weight?.length !== row.length))
      throw new BadInput({
        problem: `Row ${b} has not one label${weights ? ' and weight' : ''} a token`,
        expected: `${row.length}`,
        found: `${label?.length ?? 'no'} labels${weights ? ` and ${weight?.length ?? 'no'} weights` : ''}`,
      });
    for (let t = 1; t < row.length; t++) {
      const id = label[t]!;
      if (id === -100 || (segment && segment[t] !== segment[t - 1])) continue;
      if (!(Number.isInteger(id) && id >= 0 && id < vocabSize))
        throw new BadInput({
          problem: `Row ${b} has a label that is no token, at position ${t}`,
          expected: `-100 or an integer from 0 to ${vocabSize - 1}`,
          found: quote(id),
        });
      keep.push(start + t - 1);
      wanted.push(id);
      const factor = weight?.[t] ?? 1;
      factors.push(factor);
      denominator += factor;
    }
    start += row.length;
  });
  return { keep: Int32Array.from(keep), labels: Int32Array.from(wanted), weights: Float32Array.from(factors), denominator };
}

/** Take padding out. Throws BadInput for a mask that does not fit and for rows without tokens. */
export function unpad({ ids, attentionMask: mask, segmentIds }: ModelInput): Unpadded {
  checkRows(ids, 'ids');
  if (mask !== undefined) checkMask(mask, ids.length);
  if (ids.length === 0) throw new BadInput({ problem: 'The batch has no rows', expected: 'at least one row of token ids' });
  checkSegments(ids, segmentIds, mask);
  const time = Math.max(...ids.map(row => row.length));
  const slots: number[] = [];
  const rows = ids.map((row, b) => {
    const real = mask?.[b];
    if (mask && real?.length !== row.length)
      throw new BadInput({
        problem: `Row ${b} of the attention mask is not as long as its row of ids`,
        expected: `${row.length}`,
        found: `${real?.length ?? 'no row'}`,
      });
    const kept = row.filter((_, t) => real?.[t] !== 0);
    if (kept.length === 0)
      throw new BadInput({
        problem: `Row ${b} has no tokens`,
        expected: 'at least one token that is not padding',
        fix: 'begin an empty prompt with the bos or eos token',
      });
    row.forEach((_, t) => {
      if (real?.[t] !== 0) slots.push(b * time + t);
    });
    return kept;
  });
  const segments = segmentIds?.map((row, b) => (mask ? row.filter((_, t) => mask[b]![t] !== 0) : row));
  return { rows, segmentIds: segments, slots: Int32Array.from(slots), time };
}

/** Throws BadInput for what is no list of rows: one row that is not in a list, a text. */
function checkRows(rows: unknown, key: string): asserts rows is number[][] {
  // Rows may be typed arrays.
  const isRow = (row: unknown) => Array.isArray(row) || ArrayBuffer.isView(row);
  if (Array.isArray(rows) && rows.every(isRow)) return;
  throw new BadInput({
    problem: 'The batch is not a list of rows',
    where: { key },
    expected: 'an array with an array of numbers for every row',
    found: quote(rows ?? null, 60),
    fix: Array.isArray(rows) || ArrayBuffer.isView(rows) ? 'put a single row in a list: [ids]' : 'encode a text with a tokenizer',
  });
}

/** Throws BadInput for an attention mask of other values than 0 and 1, or of another number of rows. */
export function checkMask(mask: unknown, rows: number): asserts mask is number[][] {
  checkRows(mask, 'attentionMask');
  const odd = mask.flatMap(row => Array.from(row)).find(value => value !== 0 && value !== 1);
  if (odd === undefined && mask.length === rows) return;
  throw new BadInput({
    problem: 'The attention mask cannot be used',
    where: { key: 'attentionMask' },
    expected: odd === undefined ? `${rows} rows, as there are of ids` : '1 for a token, 0 for padding',
    found: odd === undefined ? `${mask.length} rows` : quote(odd),
  });
}

/** Lengths of the segments of all rows, in order; without segment ids those of the rows. */
export function segmentLengths(ids: readonly (readonly number[])[], segmentIds?: readonly (readonly number[])[]): number[] {
  if (!segmentIds) return ids.map(row => row.length);
  const lengths: number[] = [];
  for (const row of segmentIds) {
    let start = 0;
    for (let t = 1; t <= row.length; t++) {
      if (t < row.length && row[t] === row[t - 1]) continue;
      lengths.push(t - start);
      start = t;
    }
  }
  return lengths;
}

/** Throws BadInput for segment ids that do not fit, or where a segment goes on after another: that would be two. */
function checkSegments(ids: number[][], segmentIds?: number[][], mask?: number[][]): void {
  if (!segmentIds) return;
  ids.forEach((row, b) => {
    const segments = segmentIds[b];
    if (segments?.length !== row.length)
      throw new BadInput({
        problem: `Row ${b} of the segment ids is not as long as its row of ids`,
        where: { key: 'segmentIds' },
        expected: `${row.length}`,
        found: `${segments?.length ?? 'no row'}`,
        fix: 'give every token the number of its segment, as tokens.pack does',
      });
    const over = new Set<number>();
    let last: number | undefined;
    segments.forEach((segment, t) => {
      if (segment === last || mask?.[b]?.[t] === 0) return;
      if (!Number.isInteger(segment) || over.has(segment))
        throw new BadInput({
          problem: `Row ${b} has segment ids that cannot be used, at position ${t}`,
          where: { key: 'segmentIds' },
          expected: 'whole numbers, each in one unbroken stretch',
          found: Number.isInteger(segment) ? `segment ${segment} a second time` : quote(segment),
          fix: 'number the segments of a row 1, 2, 3 …',
        });
      over.add(segment);
      last = segment;
    });
  });
}
