export { writeFolder } from './folder.js';
export type { CheckpointOptions, SavedSettings, Told } from './manifest.js';
export { type Checkpointed, readCheckpoint } from './read.js';
export { saveFailed, whyNotWritten } from './save-failed.js';
export { warn } from './warn.js';
export { readyForAdapters, type SavedAdapters, savedParameters, writeWeights } from './weights.js';
export { type Snapshot, saveCheckpoint } from './write.js';
