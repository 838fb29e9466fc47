export { fromDataFrame, readRows } from './read.js';
export { split } from './split.js';
export { type FlatRow, type FrameLike, flatten, rowsToTable, type TableLike, toDataFrame } from './tables.js';
export type { Message, ReadOptions, ReadReport, Role, Row, RowFormat, Rows, SkippedRow } from './types.js';
export { type WriteOptions, writeRows } from './write.js';
