/** What holds a model near its base while it is trained: hooks for `train.sft({ hooks: [ … ] })`. */
export { type EwcOptions, ewc } from './ewc.js';
export { KeptWeights } from './kept.js';
export { type KlAnchorOptions, klAnchor } from './kl-anchor.js';
export { type L2spOptions, l2sp } from './l2sp.js';
export type { KlDirection } from './linear-kl.js';
