import type { Wordings } from './types.js';

// The text-to-text forms of T5 (Raffel et al., arXiv 1910.10683, appendix D): one fixed prefix a task, no paraphrases. The
// answers to choose from are not listed: T5 learns them.
export const T5: Wordings = {
  nli: ['mnli hypothesis: {hypothesis} premise: {premise}'],
  paraphrase: ['mrpc sentence1: {sentence1} sentence2: {sentence2}'],
  sentiment: ['sst2 sentence: {text}'],
  topic: ['topic sentence: {text}'],
  question: ['question: {question}'],
  reading: ['question: {question} context: {context}'],
  completion: ['copa premise: {context}'],
  summary: ['summarize: {text}'],
  translation: ['translate {from} to {to}: {text}'],
  'data-to-text': ['data to text: {data}'],
  instruction: ['{instruction}: {input}'],
};
