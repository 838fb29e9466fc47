import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BadInput, viewOf } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { define } from '../../../src/prepare/templates/index.js';
import {
  judgeAnswers,
  type Metric,
  readSamples,
  score,
  squadNormalise,
  tokenF1,
  wilson,
} from '../../../src/study/evaluate/index.js';
import { asked, row, stub, template, tokenizer } from './stub.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows: Row[] = [
  row('copy : cat', 'cat', { task: 'copy', cluster: 'lists' }),
  row('copy : dog pen', 'dog pen', { task: 'copy', cluster: 'lists' }),
  row('last : dog cat', 'cat', { task: 'last', cluster: 'lists' }),
  row('kind : cat', 'animal', { task: 'kind', cluster: 'facts' }),
  row('how many', '3', { task: 'count', cluster: 'facts', checker: { kind: 'number', value: 3 } }),
];
const replies: Record<string, string> = {
  'copy : cat': 'Cat',
  'copy : dog pen': 'dog bread',
  'last : dog cat': 'the cat!',
  'kind : cat': '',
  'how many': 'three',
};
const model = stub(prompt => replies[asked(prompt)]!);

describe('metrics', () => {
  it("SQuAD's normalisation and F1 are lm-eval's; see fixtures/squad.py", () => {
    const cases = JSON.parse(readFileSync(new URL('./fixtures/squad.json', import.meta.url), 'utf8')) as [
      string,
      string,
      string,
      number,
    ][];
    expect(cases.length).toBeGreaterThan(9);
    for (const [gold, got, normal, f1] of cases) {
      expect(squadNormalise(gold)).toBe(normal);
      expect(tokenF1(gold, got), `${gold} | ${got}`).toBeCloseTo(f1, 12);
    }
    // Nothing against nothing is right, as SQuAD 2 has it.
    expect([tokenF1('', 'the'), tokenF1('', 'cat'), tokenF1('cat', '')]).toEqual([1, 0, 0]);
  });
});

describe('score', () => {
  it('cuts an answer where a template of plain text ends its turns', async () => {
    const plain = define({ name: 'plain', user: { before: 'Q: ', end: '\n' }, assistant: { before: 'A: ', end: '\n###' } });
    const asks = stub(() => 'cat\n###\nQ: dog');
    const scored = await score({ model: asks, tokenizer, template: plain, rows: [row('copy : cat', 'cat')] });
    expect(scored.samples[0]).toMatchObject({ got: 'cat', correct: true });
  });

  it('judges by the checker, scores by every metric, and tells the parts apart', async () => {
    const scored = await score({
      model,
      tokenizer,
      template,
      rows,
      metrics: ['exact', 'normalised', 'f1', 'rougeL'],
      name: 'tuned',
    });
    expect(scored.samples.map(sample => sample.got)).toEqual(['Cat', 'dog bread', 'the cat!', '', 'three']);
    expect(scored.samples.map(sample => sample.correct)).toEqual([true, false, false, false, true]);
    expect([scored.name, scored.n, scored.score]).toEqual(['tuned', 5, 0.4]);
    expect(scored.interval).toEqual(wilson(2, 5));
    expect(scored.values('exact')).toEqual([1, 0, 0, 0, 0]);
    expect(scored.values('normalised')).toEqual([1, 0, 1, 0, 0]);
    expect(scored.values('f1')).toEqual([1, 0.5, 1, 0, 0]);
    expect(scored.metric('rougeL').mean).toBeCloseTo((1 + 0.5 + 2 / 3) / 5, 12);
    expect(scored.metric('normalised')).toEqual({ metric: 'normalised', mean: 0.4, n: 5, invalid: 0, ...wilson(2, 5) });
    expect(scored.byTask[0]).toEqual({ task: 'copy', n: 2, score: 0.5 });
    expect(scored.byCluster.map(({ part, n, score }) => [part, n, score])).toEqual([
      ['lists', 3, 1 / 3],
      ['facts', 2, 0.5],
    ]);
    expect(scored.samples[1]!.why).toBeTypeOf('string');
    expect(scored.samples[0]!.why).toBeUndefined();
    expect(scored.by(sample => String(sample.got.length > 3)).map(part => part.n)).toEqual([2, 3]);
    expect(viewOf(scored)).toMatchObject({ kind: 'scores', data: { score: 0.4, samples: scored.samples } });
  });

  it('reports apart what was held out, and counts prompts that were trained', async () => {
    const trainRows = [
      row('copy : cat', 'cat', { task: 'copy', cluster: 'lists' }),
      row('copy : bread', 'bread', { task: 'copy', cluster: 'lists' }),
    ];
    const scored = await score({ model, tokenizer, template, rows, trainRows });
    expect(scored.samples.map(sample => sample.supervision)).toEqual([
      'supervised',
      'supervised',
      'partly held out',
      'held out',
      'held out',
    ]);
    expect(scored.bySupervision.map(({ part, n, score }) => [part, n, score])).toEqual([
      ['held out', 2, 0.5],
      ['partly held out', 1, 0],
      ['supervised', 2, 0.5],
    ]);
    expect(scored.leaked).toBe(1);
    const { data } = viewOf(scored) as { data: { notes: string[] } };
    expect(data.notes[0]).toMatch(/^credit 0\.\d+, normalised 0\.400, f1 0\.500, rougeL 0\.\d+\.$/);
    expect(data.notes[1]).toMatch(/^held out 50\.0 % of 2 \(.*, partly held out 0\.0 % of 1 .*, supervised 50\.0 % of 2 /);
    expect(scored.notes).toEqual(['The prompts of 1 row stand in the training rows too.']);
  });

  it('any of several references is right; the row\u2019s own is the one that is shown', async () => {
    const many = row('kind : cat', 'animal', { meta: { references: ['pet', 'beast'] } });
    const scored = await score({ model: stub(() => 'beast'), tokenizer, template, rows: [many] });
    expect(scored.samples[0]).toMatchObject({ expected: 'animal', correct: true, metrics: { task: 1, f1: 1, rougeL: 1 } });
  });

  it('answers that cannot be scored are left out of the mean, counted and told', async () => {
    const odd: Metric = { name: 'odd', of: ({ got }) => (got === '' ? Number.NaN : got.length) };
    const scored = await score({ model, tokenizer, template, rows, metrics: [odd] });
    expect(scored.metric('odd')).toMatchObject({ mean: (3 + 9 + 8 + 5) / 4, n: 4, invalid: 1 });
    expect(scored.notes).toEqual(['odd could not score 1 row: left out of its mean.']);
    const none = await score({ model, tokenizer, template, rows, metrics: [{ name: 'none', of: () => Number.NaN }] });
    expect(none.metric('none')).toEqual({
      metric: 'none',
      mean: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
      n: 0,
      invalid: 5,
    });
  });

  it('refuses what cannot be scored', async () => {
    const ask = (more: object) => score({ model, tokenizer, template, rows, ...more });
    await expect(ask({ rows: [] })).rejects.toThrow(/no rows/);
    await expect(ask({ metrics: ['rougel'] })).rejects.toThrow(/did you mean "rougeL"/);
    await expect(ask({ metrics: ['f1', 'f1'] })).rejects.toThrow(/there already/);
    for (const name of ['task', 'correct', 'prompt'])
      await expect(ask({ metrics: [{ name, of: () => 1 }] })).rejects.toThrow(BadInput);
    const open: Row = { messages: [{ role: 'user', content: 'x' }], source: 'rows.json', line: 7 };
    await expect(ask({ rows: [open] })).rejects.toThrow(/rows\.json:7.*does not end with an answer/);
    const scored = await ask({});
    expect(() => scored.values('rougel')).toThrow(/did you mean "rougeL"/);
    await expect(async () => judgeAnswers(['a'], { rows })).rejects.toThrow(/5 answers/);
    await expect(ask({ template: undefined })).rejects.toThrow(/no template/);
  });

  it('a check may say true or false; one that says nothing, and a metric that gives no number, are told by their row', async () => {
    const answers = rows.map((_, i) => `answer ${i}`);
    const told = await judgeAnswers(answers, { rows, check: answer => answer.endsWith('1') });
    expect(told.values()).toEqual([0, 1, 0, 0, 0]);
    expect(told.metric('task').mean).toBe(0.2);
    for (const said of [undefined, 1, { correct: 'yes', score: 1 }, { correct: true, score: Number.NaN }])
      await expect(judgeAnswers(answers, { rows, check: () => said as never })).rejects.toThrow(/"check" does not say.*row 0/);
    for (const given of ['1', undefined, Number.POSITIVE_INFINITY])
      await expect(judgeAnswers(answers, { rows, metrics: [{ name: 'odd', of: () => given as never }] })).rejects.toThrow(
        /"odd" gave no number for row 0/,
      );
  });

  it('a prompt without room in the context is told by its row before the model is asked', async () => {
    const seen: number[][] = [];
    const small = { ...stub(() => 'x', seen), config: { maxPositionEmbeddings: 60 } };
    const long = row('copy : '.repeat(30), 'x');
    await expect(score({ model: small, tokenizer, template, rows: [rows[0]!, long, rows[1]!, long] })).rejects.toThrow(
      /prompt of row 1 is longer than the model's context.*at most 60 tokens, found \d+; 1 other/,
    );
    expect(seen).toEqual([]);
    // Encoders have no such end.
    await score({ model: { ...small, startIds: [0] }, tokenizer, template, rows: [long] });
    expect(seen).toHaveLength(1);
  });

  it('a prompt that stands there several times is answered once', async () => {
    const seen: number[][] = [];
    const twice = [...rows, rows[0]!];
    const scored = await score({ model: stub(prompt => replies[asked(prompt)]!, seen), tokenizer, template, rows: twice });
    expect(seen.length).toBe(5);
    expect(scored.samples.map(sample => sample.index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(scored.samples[5]!.got).toBe('Cat');
  });

  it('is a table, one row an answer', async () => {
    const table = await (await score({ model, tokenizer, template, rows, metrics: ['f1'] })).table();
    expect(table.columnNames()).toEqual([
      'index',
      'task',
      'cluster',
      'supervision',
      'prompt',
      'expected',
      'got',
      'correct',
      'why',
      'credit',
      'f1',
    ]);
    expect(table.numRows()).toBe(5);
    expect(table.get('f1', 1)).toBe(0.5);
  });
});

describe('the log of samples', () => {
  it('holds every answer of every score, and gives them back as they were', async () => {
    const log = join(folder, 'deep', 'samples.jsonl');
    const odd: Metric = { name: 'odd', of: ({ got }) => (got === '' ? Number.NaN : 1) };
    const options = { model, tokenizer, template, rows, metrics: [odd, 'f1' as const], log };
    const first = await score({ ...options, name: 'first' });
    const second = await judgeAnswers(['a', 'b', 'c', 'd', 'e'], { rows, log, name: 'second' });
    const { scored, skipped } = await readSamples(log);
    expect(skipped).toEqual([]);
    expect(scored.map(one => one.name)).toEqual(['first', 'second']);
    expect(scored[0]!.samples).toEqual(first.samples);
    expect(scored[1]!.score).toBe(second.score);
    expect(scored[0]!.metric('odd').invalid).toBe(1);
  });

  it('a torn line is skipped and told, and what comes after it is whole', async () => {
    const log = join(folder, 'torn.jsonl');
    await judgeAnswers(['cat', 'x', 'x', 'x', 'x'], { rows, log });
    const whole = readFileSync(log, 'utf8');
    writeFileSync(log, whole.slice(0, -30));
    await judgeAnswers(['cat', 'x', 'x', 'x', 'x'], { rows, log, name: 'after' });
    appendFileSync(log, '{"somebody":"else"}\n');
    const { scored, skipped } = await readSamples(log);
    expect(scored.map(one => [one.name, one.n])).toEqual([
      ['model', 4],
      ['after', 5],
    ]);
    expect(skipped.map(({ line }) => line)).toEqual([5, 11]);
    expect(skipped[0]!.reason).toMatch(/not written to its end/);
    writeFileSync(log, 'nothing\n');
    await expect(readSamples(log)).rejects.toThrow(/no samples in this file/);
    await expect(readSamples(join(folder, 'none.jsonl'))).rejects.toThrow(/none\.jsonl.*cannot be read.*no such file/);
  });

  it('a log that cannot be written is told before the model is asked', async () => {
    const seen: number[][] = [];
    const log = join(folder, 'deep');
    await expect(score({ model: stub(() => 'x', seen), tokenizer, template, rows, log })).rejects.toThrow(
      /deep.*log of samples cannot be written.*there is a folder of this name/,
    );
    expect(seen).toEqual([]);
  });

  it('many answers are written in parts, none lost', async () => {
    const log = join(folder, 'many.jsonl');
    const many = Array.from({ length: 200 }, (_, i) => row(`say ${i}`, `${i}`));
    await judgeAnswers(
      many.map((_, i) => `${i}`),
      { rows: many, log },
    );
    const { scored } = await readSamples(log);
    expect(scored[0]!.samples.map(sample => sample.got)).toEqual(many.map((_, i) => `${i}`));
  });
});
