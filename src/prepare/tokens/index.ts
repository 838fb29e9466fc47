export {
  type Batch,
  type BatchOptions,
  type BatchPosition,
  batches,
  batchOf,
  type RowsOfBatch,
  type TrainableRow,
} from './batches.js';
export { type Conversation, type EncodeOptions, encode, encodePrompt, stopIds, stopsOf, type WriteOptions } from './encode.js';
export { encodeRowsParallel, type ParallelOptions } from './encode-parallel.js';
export { type DroppedRow, type EncodedRows, type EncodeRowsOptions, type EncodeSummary, encodeRows } from './encode-rows.js';
export { type CountedRow, CountingEncoder, type EncodedStream, encodeStream, RowEncoder, type Stream } from './encode-stream.js';
export { type EncodedParts, EncodedRow, IGNORED } from './encoded.js';
export type { Pieces, Position } from './engine.js';
export type { AddedToken } from './hf.js';
export { type Bucket, bucketed, bucketWindow, paddingShare } from './order.js';
export { type PackedRow, type PackedRows, type PackOptions, type PackReport, pack, type TooLong } from './packing.js';
export type { Part } from './pipeline/added.js';
export {
  encodeSeq2Seq,
  encodeSeq2SeqPrompt,
  encodeSeq2SeqRows,
  type Seq2SeqOptions,
  Seq2SeqRow,
  type Seq2SeqRows,
  seq2SeqEncoder,
} from './seq2seq.js';
export type { MaskOptions, RoleWeights, SegmentWeight } from './strategy.js';
export { batchStream, type StreamBatch, type StreamOptions, type StreamPlan, type StreamPosition, streamed } from './stream.js';
export { type Encoding, type NewToken, Tokenizer, type TokenizerConfig, type TokenizerOptions } from './tokenizer.js';
export { type TrainBPEOptions, trainBPE } from './train.js';
export type { TruncateOptions } from './truncate.js';
export { verify } from './verify.js';
export { type TokenCell, type TokenView, tokenView } from './view.js';
