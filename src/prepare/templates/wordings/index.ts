export { type PhraseOptions, phrase, phraseInstruction, wordings } from './phrase.js';
export { TASK_FIELDS, type TaskExample, type TaskType, type WordingStyle } from './types.js';
