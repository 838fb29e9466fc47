export { writeFolder } from './folder.js';
export { hold } from './holder.js';
export type { CheckpointOptions, SavedSettings, Told } from './manifest.js';
export { type Checkpointed, readCheckpoint } from './read.js';
export { saveFailed } from './save-failed.js';
export { warn } from './warn.js';
export { readyForAdapters, refuseAdapters, type SavedAdapters, savedParameters, writeWeights } from './weights.js';
export { type Snapshot, saveCheckpoint } from './write.js';
