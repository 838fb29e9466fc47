import { describe, expect, test } from 'vitest';
import {
  flanWith,
  get,
  phrase,
  type Segment,
  TASK_FIELDS,
  type TaskExample,
  type TaskType,
  wordings,
} from '../../../src/prepare/templates/index.js';

const join = (segments: Segment[]) => segments.map(s => s.text).join('');
const nli = (n: number): TaskExample => ({
  type: 'nli',
  fields: { premise: `Premise ${n}.`, hypothesis: `Hypothesis ${n}.` },
  options: ['yes', 'no'],
  answer: n % 2 ? 'no' : 'yes',
});
const prompt = (example: TaskExample, options = {}) => phrase(example, options).messages[0]!.content as string;

test('every wording of every style and task uses its fields and no other', () => {
  for (const style of ['flan', 't0', 't5'] as const) {
    for (const [type, fields] of Object.entries(TASK_FIELDS)) {
      const all = wordings(style, type as TaskType);
      expect(new Set(all).size).toBe(all.length);
      for (const wording of all) {
        const used = new Set([...wording.matchAll(/\{(\w+)\}/g)].map(m => m[1]!));
        used.delete('options');
        // A translation may name only the language wanted.
        const needed = type === 'translation' ? ['text', 'to'] : [...fields];
        for (const field of needed) expect(used, `${style} ${type} ${wording}`).toContain(field);
        for (const field of used) expect(fields, wording).toContain(field);
      }
      if (style === 'flan') expect(all.length).toBeGreaterThanOrEqual(6);
    }
  }
});

describe('phrase', () => {
  test('depends on seed and example alone, and uses all wordings', () => {
    const made = Array.from({ length: 200 }, (_, n) => phrase(nli(n)));
    expect(Array.from({ length: 200 }, (_, n) => phrase(nli(199 - n))).reverse()).toEqual(made);
    expect(new Set(made.map(row => row.meta!.wording)).size).toBe(wordings('flan', 'nli').length);
    expect(Array.from({ length: 200 }, (_, n) => phrase(nli(n), { seed: 2 }))).not.toEqual(made);
    expect(made[0]!.messages.at(-1)).toEqual({ role: 'assistant', content: 'yes' });
    expect(made[0]!.task).toBe('nli');
  });

  test('options are listed as each style does, and go where there are none', () => {
    expect(prompt(nli(1), { wording: 0 })).toBe(
      'Premise 1.\n\nGiven the text above, does it follow that "Hypothesis 1."?\n\nOPTIONS:\n- yes\n- no',
    );
    expect(prompt(nli(1), { style: 't0', wording: 1 })).toContain('is "Hypothesis 1." yes or no?');
    expect(prompt(nli(1), { style: 't5' })).toBe('mnli hypothesis: Hypothesis 1. premise: Premise 1.');
    const open: TaskExample = { type: 'question', fields: { question: 'Why?' }, answer: 'So.' };
    for (const style of ['flan', 't0'] as const) {
      for (const wording of wordings(style, 'question').keys())
        expect(prompt(open, { style, wording })).not.toMatch(/\{|OPTIONS|\n\n$| $/);
    }
    expect(
      prompt({ type: 'translation', fields: { text: 'Hi', from: 'English', to: 'German' }, answer: '' }, { style: 't5' }),
    ).toBe('translate English to German: Hi');
  });

  test('braces in the data stay what they are', () => {
    const odd = { ...nli(1), fields: { premise: '{hypothesis} $& {options}', hypothesis: '{premise}' } };
    expect(prompt(odd, { wording: 0 })).toContain('{hypothesis} $& {options}\n\nGiven');
  });

  test('few-shot: examples with their answers stand in front, in the same wording', () => {
    const row = phrase(nli(3), { shots: [nli(1), nli(2)], wording: 1 });
    expect(row.messages.map(m => m.role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user', 'assistant']);
    expect(row.meta).toEqual({ style: 'flan', wording: 1, shots: 2 });
    const segments = get('flan').render(row.messages, { eosToken: '</s>' });
    expect(join(segments)).toBe(
      [1, 2, 3]
        .map(
          n =>
            `Text: Premise ${n}.\n\nStatement: Hypothesis ${n}.\n\nDoes the statement follow from the text?\nOPTIONS:\n- yes\n- no\n${n % 2 ? 'no' : 'yes'}`,
        )
        .join('\n\n') + '</s>',
    );
    expect(join(segments.filter(s => s.trained))).toBe('no</s>');
  });

  test('errors say what is missing', () => {
    expect(() => phrase({ type: 'nli', fields: { premise: 'p' }, answer: '' })).toThrow(/lacks the field "hypothesis"/);
    expect(() => phrase({ type: 'poem' as TaskType, fields: {}, answer: '' })).toThrow(/no wordings for "poem"/);
    expect(() => phrase(nli(1), { wording: 99 })).toThrow(/no wording 99/);
    expect(() => phrase(nli(1), { shots: [{ type: 'summary', fields: { text: 't' }, answer: 'a' }] })).toThrow(/same task/);
  });
});

describe('flan, t0 and t5 as templates', () => {
  const row = [
    { role: 'user' as const, content: 'Translate to French.', input: 'cat' },
    { role: 'assistant' as const, content: 'chat' },
  ];

  test('a message without input is printed as it is; one with input in a wording chosen by seed and text', () => {
    expect(join(get('flan').render([{ role: 'user', content: 'Why?' }, row[1]!], { eosToken: '</s>' }))).toBe('Why?\nchat</s>');
    const forms = new Set(Array.from({ length: 40 }, (_, seed) => join(flanWith(seed).render(row))));
    expect(forms.size).toBe(wordings('flan', 'instruction').length);
    expect(join(flanWith(3).render(row))).toBe(join(flanWith(3).render(row)));
    expect(join(get('t0').render(row))).toMatch(/cat/);
  });

  test('t5: input and target each end with EOS', () => {
    const segments = get('t5').render(row, { eosToken: '</s>' });
    expect(join(segments)).toBe('Translate to French: cat</s>chat</s>');
    expect(join(segments.filter(s => s.trained))).toBe('chat</s>');
    expect(join(get('t5').render(row.slice(0, 1), { eosToken: '</s>', addGenerationPrompt: true }))).toBe(
      'Translate to French: cat</s>',
    );
  });

  test('other orders are refused', () => {
    expect(() => get('flan').render([row[1]!])).toThrow(/takes inputs and targets in turn/);
    expect(() => get('flan').render([row[0]!, row[0]!])).toThrow(/message 1 from the assistant/);
  });
});
