import { beforeAll, describe, expect, test } from 'vitest';
import { viewOf } from '../../../src/base/core/index.js';
import { check, define, get, names, type Template } from '../../../src/prepare/templates/index.js';
import { Tokenizer, trainBPE } from '../../../src/prepare/tokens/index.js';

const CONTROL = [
  '<s>',
  '</s>',
  '<|im_start|>',
  '<|im_end|>',
  '<|im_sep|>',
  '<|end|>',
  '<|eot_id|>',
  '<end_of_turn>',
  '<start_of_turn>',
  '<think>',
  '</think>',
];
let tokenizer: Tokenizer;

beforeAll(() => {
  const made = trainBPE(['some plain text to learn from'], { vocabSize: 300, specialTokens: CONTROL, eosToken: '</s>' });
  tokenizer = Tokenizer.fromJSON(made.toJSON(), { bos_token: '<s>', eos_token: '</s>' });
});

const verdicts = (template: Template | string) =>
  Object.fromEntries(check(template, { tokenizer }).map(({ check: name, verdict }) => [name, verdict]));

describe('built-in templates', () => {
  test('none fails a check', () => {
    for (const name of names()) {
      const results = check(name, { tokenizer });
      const failed = results.filter(r => r.verdict === 'fail');
      // Every exchange of Llama 2 has its BOS; one exchange has one. Base text is all trained, its prompt too.
      if (name === 'plain') continue;
      expect(failed, name).toEqual([]);
      expect(results.ok).toBe(true);
      expect(results.map(r => r.check)).toEqual(['marks the answer', 'keeps its beginning', 'stops', 'hostile text', 'one BOS']);
    }
  });

  test('what is worth knowing is a warning with a remedy', () => {
    expect(verdicts('qwen3')['keeps its beginning']).toBe('warn');
    expect(check('qwen3', { tokenizer })[1]!.remedy).toContain("train: 'last'");
    expect(verdicts('chatml')).toEqual({
      'marks the answer': 'pass',
      'keeps its beginning': 'pass',
      stops: 'pass',
      'hostile text': 'pass',
      'one BOS': 'warn',
    });
    expect(verdicts('llama-3')['one BOS']).toBe('pass');
  });

  test('the result is an array, and a table', () => {
    const results = check('chatml', { tokenizer });
    expect(Array.isArray(results)).toBe(true);
    expect(viewOf(results)).toEqual({ kind: 'table', data: [...results] });
    expect(results.map(r => r.verdict)).not.toHaveProperty('template');
  });
});

describe('templates with a fault', () => {
  const good = { user: { before: 'U:', end: '\n' }, assistant: { before: 'A:', end: '</s>' } };
  const broken = (change: (template: Template) => Partial<Template>): Template => {
    const base = define({ name: 'broken', ...good });
    return { ...base, ...change(base) };
  };

  test('the good one passes', () => expect(check(define({ name: 'good', ...good }), { tokenizer }).ok).toBe(true));

  test('nothing trained, too much trained, no end trained', () => {
    const none = broken(base => ({ render: (m, o) => base.render(m, o).map(s => ({ ...s, trained: false })) }));
    expect(check(none, { tokenizer })[0]).toMatchObject({ verdict: 'fail', evidence: 'nothing is trained' });
    const all = broken(base => ({ render: (m, o) => base.render(m, o).map(s => ({ ...s, trained: true })) }));
    expect(verdicts(all)['marks the answer']).toBe('fail');
    const endless = broken(base => ({
      render: (m, o) => base.render(m, o).map(s => ({ ...s, trained: s.trained && !s.control })),
    }));
    expect(check(endless, { tokenizer })[0]!.evidence).toContain('without an end of turn');
    expect(verdicts(endless).stops).toBe('fail');
  });

  test('a header that differs between generation and training', () => {
    const other = broken(base => ({
      render: (m, o = {}) => {
        const segments = base.render(m, o);
        return o.addGenerationPrompt ? [...segments, { text: ' ', role: 'template', control: true, trained: false }] : segments;
      },
    }));
    expect(check(other, { tokenizer })[1]).toMatchObject({ verdict: 'fail' });
  });

  test('an end of turn that generation does not stop on, or that is no token', () => {
    expect(verdicts(define({ name: 'spelt', ...good, assistant: { before: 'A:', end: '<end>' } })).stops).toBe('fail');
    const wrong = broken(() => ({ stop: ['<|im_end|>'] }));
    expect(verdicts(wrong).stops).toBe('pass'); // </s> is the tokenizer's EOS: generation stops on it all the same
    const unstopped = define({ name: 'im', ...good, assistant: { before: 'A:', end: '<|im_end|>' } });
    expect(verdicts({ ...unstopped, stop: ['eos'] }).stops).toBe('fail');
  });

  test('text from data that becomes control text, or is changed', () => {
    const injected = broken(base => ({ render: (m, o) => base.render(m, o).map(s => ({ ...s, control: true })) }));
    expect(verdicts(injected)['hostile text']).toBe('fail');
    const filtered = broken(base => ({
      render: (m, o) => base.render(m, o).map(s => (s.control ? s : { ...s, text: s.text.replaceAll('<|', '') })),
    }));
    expect(verdicts(filtered)['hostile text']).toBe('fail');
  });

  test('BOS twice, or not at the beginning', () => {
    expect(verdicts(define({ name: 'twice', ...good, bos: true, user: { before: '{bos}U:', end: '\n' } }))['one BOS']).toBe(
      'fail',
    );
    expect(verdicts(define({ name: 'late', ...good, user: { before: 'U:{bos}', end: '\n' } }))['one BOS']).toBe('fail');
  });

  test('a template that refuses the simplest chat', () => {
    const results = check(
      broken(() => ({ render: () => get('alpaca').render([]) })),
      { tokenizer },
    );
    expect(results.every(r => r.verdict === 'fail' && r.evidence.startsWith('it refuses'))).toBe(true);
  });
});
