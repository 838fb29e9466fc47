import type { Wordings } from './types.js';

// In the manner of T0 and its Public Pool of Prompts (Sanh et al., arXiv 2110.08207): plain questions, the answers to choose
// from named within the sentence. The wordings are our own.
export const T0: Wordings = {
  nli: [
    'Suppose that {premise} May we say that "{hypothesis}"? {options}?',
    '{premise}\n\nTaking this as true, is "{hypothesis}" {options}?',
    'Someone claims "{hypothesis}". What is known: {premise} Is the claim {options}?',
    '{premise} So, {hypothesis} Is that {options}?',
  ],
  paraphrase: [
    'Is "{sentence1}" another way to say "{sentence2}"? {options}?',
    'I want to know whether these two mean the same.\n{sentence1}\n{sentence2}\n{options}?',
    '{sentence1}\n{sentence2}\nDo they express one idea, {options}?',
  ],
  sentiment: [
    '{text}\nIs the writer {options}?',
    'The following was written by a customer. Was the experience {options}?\n{text}',
    '{text} What did they think of it: {options}?',
  ],
  topic: [
    '{text}\nWhich label describes this text best: {options}?',
    'Is the text below about {options}?\n\n{text}',
    'You sort news for a paper with the sections {options}. Where does this go?\n{text}',
  ],
  question: ['{question}', 'I was asked "{question}" What should I say? {options}', 'Somebody wonders: {question} {options}'],
  reading: [
    '{context}\n\nWith this in mind: {question} {options}',
    'Find the answer in the text.\n\nText: {context}\n\nQuestion: {question} {options}',
    'A teacher asks about "{context}": {question} {options}',
  ],
  completion: [
    '{context}\nWhat is likely to follow? {options}',
    'Choose how this goes on: {context} {options}',
    'A story begins like this: {context} How does it end? {options}',
  ],
  summary: [
    '{text}\n\n===\n\nTell me the gist of this in a few words.',
    'Could you give a short account of this text?\n{text}',
    'A friend has no time to read the following. What would you tell them?\n\n{text}',
  ],
  translation: [
    'What is the {to} version of this {from} sentence?\n{text}',
    '{text}\n\nA reader knows only {to}. Write it for them.',
    'In {to}, "{text}" is said how?',
  ],
  'data-to-text': [
    'Write one sentence that uses all of these: {data}',
    'Somebody noted: {data}. Put it into a full text.',
    '{data}\n\nTell this as you would to a friend.',
  ],
  instruction: ['{input}\n\n{instruction}', '{instruction}\n{input}', 'Consider this: {input}\n{instruction}'],
};
