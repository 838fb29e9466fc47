export * from './clean/index.js';
export { contentText } from './message.js';
export { type Mixed, type MixLine, type MixOptions, MixReport, mix } from './mixture.js';
export { apportion, type MixStrategy, mixingShares, type ShareOptions } from './mixture-shares.js';
export {
  fromDataFrame,
  type RowStream,
  readPreferences,
  readRows,
  readUnary,
  streamPreferences,
  streamRows,
  streamUnary,
} from './read.js';
export type { HubSource } from './sources/hub.js';
export type { Source } from './sources/open.js';
export { split } from './split.js';
export { type FlatRow, type FrameLike, flatten, rowsToTable, type TableLike, toDataFrame } from './tables.js';
export type {
  Container,
  Message,
  Part,
  PreferenceRow,
  ReadOptions,
  ReadReport,
  Role,
  Row,
  RowFormat,
  Rows,
  SkippedRow,
  SuperNIOptions,
  TextMessage,
  ToolCall,
  UnaryRow,
} from './types.js';
export { type WriteOptions, writeRows } from './write.js';
