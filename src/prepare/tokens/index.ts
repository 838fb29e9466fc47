export { type Batch, type BatchOptions, type BatchPosition, batches, type TrainableRow } from './batches.js';
export { type EncodeOptions, encode, encodePrompt, stopIds } from './encode.js';
export { type DroppedRow, type EncodedRows, type EncodeRowsOptions, type EncodeSummary, encodeRows } from './encode-rows.js';
export { type EncodedParts, EncodedRow, IGNORED } from './encoded.js';
export type { Pieces, Position } from './engine.js';
export { type Encoding, type Part, Tokenizer, type TokenizerConfig, type TokenizerOptions } from './tokenizer.js';
export { type TrainBPEOptions, trainBPE } from './train.js';
export { verify } from './verify.js';
export { type TokenCell, type TokenView, tokenView } from './view.js';
