import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../base/core/index.js';
import { type RaggedLayout, type RopeTable, raggedLayout, ropeFrequencies, ropeTable } from '../../base/ops/index.js';
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

/** Lay out rows of token ids. Positions count from 0 in every row. Throws BadInput for ids the vocabulary does not have. */
export function pack(rows: readonly (readonly number[])[], config: DecoderConfig): Packed {
  checkIds(rows, config);
  const flat = Int32Array.from(rows.flat());
  const positions = rows.flatMap(row => row.map((_, t) => t));
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads } = config;
  const frequencies = ropeFrequencies(config.headDim, config.ropeTheta);
  const layout = raggedLayout(
    rows.map(row => row.length),
    heads,
    keyHeads,
  );
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

function checkIds(rows: readonly (readonly number[])[], { vocabSize, maxPositionEmbeddings }: DecoderConfig): void {
  rows.forEach((row, index) => {
    if (row.length > maxPositionEmbeddings)
      throw new BadInput({
        problem: `Row ${index} is longer than the model's context`,
        expected: `at most ${maxPositionEmbeddings} tokens`,
        found: `${row.length}`,
        fix: 'shorten the row (maxLength), or use a model with a longer context',
      });
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
