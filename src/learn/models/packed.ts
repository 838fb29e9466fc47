import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../base/core/index.js';
import { gatherRows, type RaggedLayout, type RopeTable, raggedLayout, ropeTable } from '../../base/ops/index.js';
import { byLayer, frequenciesOf } from './attention-settings.js';
import { segmentLengths } from './batch.js';
import type { DecoderConfig } from './config/index.js';

/** The tokens of a batch, one after the other without padding, with everything the layers share. */
export interface Packed {
  /** Ids of the real tokens, int32. */
  readonly ids: tf.Tensor1D;
  /** Position of every token, virtual ones included, int32. */
  readonly positions: tf.Tensor1D;
  readonly layout: RaggedLayout;
  /** Rotations of a layer's queries (these carry attention's scale) and keys; undefined where positions are learned. */
  rope(layer: number): { query: RopeTable; key: RopeTable } | undefined;
  /** Where every row begins among the tokens, virtual ones included. */
  readonly starts: readonly number[];
  /**
   * With virtual tokens (soft prompts, prefixes) in front of every row: for every token of the batch its row in the matrix of
   * the virtual tokens followed by the real ones. Undefined without.
   */
  readonly slots: tf.Tensor1D | undefined;
  /** Where a real token stands among all. */
  place(real: number): number;
  /** Keys or values with a prefix, [virtual tokens, width], in place of those of the virtual tokens. */
  prefixed(prefix: tf.Tensor2D, own: tf.Tensor2D): tf.Tensor2D;
  dispose(): void;
}

/** How rows are laid out. */
export interface PackOptions {
  /** Where rows consist of segments: each is then attended to by itself, like a row. */
  segmentIds?: readonly (readonly number[])[];
  /** Rows may share a lane inside attention, see {@link raggedLayout}. Defaults to true. */
  shared?: boolean;
  /** Virtual tokens in front of every row or segment: 0 unless told. */
  virtualTokens?: number;
  /** Position of the first token of every row, which goes on behind as many that are not part of it: 0 unless told. */
  behind?: number;
}

/**
 * Lay out rows of token ids. Positions count from 0 (or `behind`) in every row, or in every segment, virtual tokens first. Where the
 * rotation depends on the length at hand (`dynamic`, `longrope`), the longest row decides for all, as in transformers.
 * Throws BadInput for ids the vocabulary does not have.
 */
export function pack(rows: readonly (readonly number[])[], config: DecoderConfig, options: PackOptions = {}): Packed {
  const { virtualTokens: virtual = 0, behind = 0 } = options;
  const real = segmentLengths(rows, options.segmentIds);
  checkIds(rows, real, options.segmentIds !== undefined, virtual + behind, config);
  const lengths = virtual > 0 ? real.map(length => length + virtual) : real;
  const positions = lengths.flatMap(length => Array.from({ length }, (_, t) => behind + t));
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads } = config;
  const layout = raggedLayout(lengths, heads, keyHeads, { shared: options.shared });
  const places = virtual > 0 ? realPlaces(real, virtual) : undefined;
  const tables = ropeTables(config, positions, behind + Math.max(...lengths));
  const ids = tf.tensor1d(Int32Array.from(rows.flat()), 'int32');
  const positionT = tf.tensor1d(positions, 'int32');
  const slots = places && tf.tensor1d(slotsOf(places, lengths, virtual), 'int32');
  // Rows of [prefix; own keys or values]: the virtual tokens' come from the former.
  const prefixSlots = places && tf.tensor1d(prefixIndex(lengths, virtual), 'int32');
  const place = (index: number) => (places ? places[index]! : index);
  let start = 0;
  const starts = rows.map(row => {
    const first = place(start) - virtual;
    start += row.length;
    return first;
  });
  return {
    ids,
    positions: positionT,
    layout,
    rope: tables.of,
    starts,
    slots,
    place,
    prefixed: (prefix, own) => gatherRows(tf.concat([prefix, own], 0), prefixSlots!),
    dispose() {
      tf.dispose([ids, positionT]);
      slots?.dispose();
      prefixSlots?.dispose();
      layout.dispose();
      tables.dispose();
    },
  };
}

/** Where the real tokens stand among all, when every segment begins with virtual ones. */
function realPlaces(lengths: readonly number[], virtual: number): Int32Array {
  const places = new Int32Array(lengths.reduce((a, b) => a + b, 0));
  let [index, place] = [0, 0];
  for (const length of lengths) {
    place += virtual;
    for (let t = 0; t < length; t++) places[index++] = place++;
  }
  return places;
}

function slotsOf(places: Int32Array, lengths: readonly number[], virtual: number): Int32Array {
  const slots = new Int32Array(places.length + lengths.length * virtual);
  let place = 0;
  for (const length of lengths) {
    for (let v = 0; v < virtual; v++) slots[place + v] = v;
    place += length;
  }
  places.forEach((at, index) => {
    slots[at] = virtual + index;
  });
  return slots;
}

function prefixIndex(lengths: readonly number[], virtual: number): number[] {
  let place = 0;
  return lengths.flatMap(length => {
    const first = virtual + place;
    place += length;
    return Array.from({ length }, (_, t) => (t < virtual ? t : first + t));
  });
}

interface Tables {
  of: Packed['rope'];
  dispose(): void;
}

/** Rotations, one pair for each kind of layer. */
function ropeTables(config: DecoderConfig, positions: readonly number[], length: number): Tables {
  const tables = byLayer(config, ({ rope, scale }) => {
    if (!rope) return undefined;
    const { frequencies, attentionFactor } = frequenciesOf(rope, config, length);
    const options = { headDim: config.headDim, turnedScale: attentionFactor };
    const table = (heads: number, factor: number) => ropeTable(positions, frequencies, heads, factor, options);
    return { query: table(config.numAttentionHeads, scale), key: table(config.numKeyValueHeads, 1) };
  });
  return {
    of: layer => tables[layer],
    dispose() {
      for (const pair of new Set(tables)) {
        pair?.query.dispose();
        pair?.key.dispose();
      }
    },
  };
}

function checkIds(
  rows: readonly (readonly number[])[],
  lengths: readonly number[],
  segmented: boolean,
  before: number,
  { vocabSize, maxPositionEmbeddings }: DecoderConfig,
): void {
  const long = lengths.findIndex(length => length + before > maxPositionEmbeddings);
  if (long >= 0)
    throw new BadInput({
      problem: `${segmented ? 'Segment' : 'Row'} ${long} is longer than the model's context`,
      expected: `at most ${maxPositionEmbeddings - before} tokens${before > 0 ? ` behind ${before} virtual or shared ones` : ''}`,
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
