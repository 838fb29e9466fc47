/**
 * tunebook: an instruction-tuning lab for TypeScript notebooks. Each namespace is a room of the house and also a subpath
 * (`tunebook/train`).
 */
export * as backend from './base/backend/index.js';
export { BadInput, Interrupted, Random, TunebookError, Unavailable } from './base/core/index.js';
export * as models from './learn/models/index.js';
export * as train from './learn/train/index.js';
export * as data from './prepare/data/index.js';
export * as tasks from './prepare/tasks/index.js';
export * as templates from './prepare/templates/index.js';
export * as tokens from './prepare/tokens/index.js';
export * as show from './show/index.js';
export * as evaluate from './study/evaluate/index.js';
export * as experiment from './study/experiment/index.js';
export * as forgetting from './study/forgetting/index.js';
