export { type ComparedRow, Comparison, compare } from './compare.js';
export { baseLoss, factRecall, Memory, measure, type Probe, type Recall } from './measure.js';
export { type TextRow, textRows } from './text-rows.js';
