import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../base/core/index.js';
import { type RaggedLayout, type RopeTable, raggedLayout, ropeFrequencies, ropeTable } from '../../base/ops/index.js';
import { segmentLengths } from './batch.js';
import type { DecoderConfig } from './config.js';

/** The tokens of a batch, one after the other without padding, with everything the layers share. */
export interface Packed {
  readonly ids: tf.Tensor1D;
  readonly layout: RaggedLayout;
  /** Carries attention's 1/√headDim. */
  readonly queryRope: RopeTable;
  readonly keyRope: RopeTable;
  /** Where every row begins among the tokens. */
  readonly starts: readonly number[];
  dispose(): void;
}

/** How rows are laid out. */
export interface PackOptions {
  /** Where rows consist of segments: each is then attended to by itself, like a row. */
  segmentIds?: readonly (readonly number[])[];
  /** Rows may share a lane inside attention, see {@link raggedLayout}. Defaults to true. */
  shared?: boolean;
}

/**
 * Lay out rows of token ids. Positions count from 0 in every row, or in every segment. Throws BadInput for ids the
 * vocabulary does not have.
 */
export function pack(rows: readonly (readonly number[])[], config: DecoderConfig, options: PackOptions = {}): Packed {
  const lengths = segmentLengths(rows, options.segmentIds);
  checkIds(rows, lengths, options.segmentIds !== undefined, config);
  const flat = Int32Array.from(rows.flat());
  const positions = lengths.flatMap(length => Array.from({ length }, (_, t) => t));
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads } = config;
  const frequencies = ropeFrequencies(config.headDim, config.ropeTheta);
  const layout = raggedLayout(lengths, heads, keyHeads, options);
  const queryRope = ropeTable(positions, frequencies, heads, config.headDim ** -0.5);
  const keyRope = ropeTable(positions, frequencies, keyHeads);
  const ids = tf.tensor1d(flat, 'int32');
  let start = 0;
  const starts = rows.map(row => {
    const first = start;
    start += row.length;
    return first;
  });
  return {
    ids,
    layout,
    queryRope,
    keyRope,
    starts,
    dispose() {
      tf.dispose(ids);
      layout.dispose();
      queryRope.dispose();
      keyRope.dispose();
    },
  };
}

function checkIds(
  rows: readonly (readonly number[])[],
  lengths: readonly number[],
  segmented: boolean,
  { vocabSize, maxPositionEmbeddings }: DecoderConfig,
): void {
  const long = lengths.findIndex(length => length > maxPositionEmbeddings);
  if (long >= 0)
    throw new BadInput({
      problem: `${segmented ? 'Segment' : 'Row'} ${long} is longer than the model's context`,
      expected: `at most ${maxPositionEmbeddings} tokens`,
      found: `${lengths[long]}`,
      fix: 'shorten the row (maxLength), or use a model with a longer context',
    });
  rows.forEach((row, index) => {
    const wrong = row.findIndex(id => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong >= 0)
      throw new BadInput({
        problem: `Row ${index} has a token the model does not know, at position ${wrong}`,
        expected: `an integer from 0 to ${vocabSize - 1}`,
        found: quote(row[wrong]),
        fix: "encode with the tokenizer that belongs to the model, or give the model the tokenizer's vocabSize",
      });
  });
}
