export type { T5Input, T5TrainBatch } from './batch.js';
export { type T5Config, t5Config } from './config.js';
export { isT5 } from './hugging-face.js';
export { initT5, t5Architecture } from './make.js';
export { T5Model } from './t5-model.js';
