export { type ComparedRow, Comparison, compare } from './compare.js';
export { type Exam, examFigures, examTable, publish } from './exam.js';
export { baseLoss, factRecall, Memory, measure, type Probe, type Recall } from './measure.js';
export { type TextRow, textRows } from './text-rows.js';
