import { describe, expect, it } from 'vitest';
import { viewOf } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { HELD_OUT_STYLES, reword, type SuiteRow, suite, toSaved } from '../../../src/prepare/tasks/index.js';
import { baselines, compare, judgeAnswers, requestParts, sensitivity } from '../../../src/study/evaluate/index.js';
import { asked, row, stub, template, tokenizer } from './stub.js';

const rows: Row[] = [
  row('copy : cat', 'cat', { task: 'copy' }),
  row('copy : dog', 'dog', { task: 'copy' }),
  row('turn : pen dog', 'dog pen', { task: 'turn' }),
];
const trainRows: Row[] = [
  row('copy : pen', 'pen', { task: 'copy' }),
  row('copy : dog', 'dog', { task: 'copy' }),
  row('copy : bread dog', 'dog', { task: 'copy' }),
  row('copy : cat pen', 'cat pen', { task: 'copy' }),
];
/** Copies what stands behind the colon when it is told to, else says what it was told. */
const obedient = stub(prompt => (asked(prompt).startsWith('copy : ') ? asked(prompt).slice(7) : asked(prompt)));

describe('baselines', () => {
  it('stand beside the score: each answers as it says', async () => {
    const prompts: string[] = [];
    const base = stub(prompt => {
      prompts.push(prompt);
      return 'dog';
    });
    const found = await baselines({ model: obedient, base, tokenizer, template, rows, trainRows });
    const got = (name: Parameters<typeof found.get>[0]) => found.get(name).samples.map(sample => sample.got);
    expect(got('model')).toEqual(['cat', 'dog', 'turn : pen dog']);
    expect(got('copy input')).toEqual(['cat', 'dog', 'pen dog']);
    expect(got('majority')).toEqual(['dog', 'dog', 'dog']);
    expect(got('no instruction')).toEqual(['cat', 'dog', 'pen dog']);
    // The instruction of the other task.
    expect(got('shuffled instruction')).toEqual(['turn : cat', 'turn : dog', 'pen dog']);
    expect(got('base')).toEqual(['dog', 'dog', 'dog']);
    const answers = new Set(trainRows.map(r => r.messages[1]!.content));
    expect(got('random').every(answer => answers.has(answer))).toBe(true);
    expect(found.rows.map(({ name, score }) => [name, score])).toEqual([
      ['model', 2 / 3],
      ['copy input', 2 / 3],
      ['random', expect.any(Number)],
      ['majority', 1 / 3],
      ['no instruction', 2 / 3],
      ['shuffled instruction', 0],
      ['base', 1 / 3],
      ['few-shot base', 1 / 3],
    ]);
    // A task that was never trained has no examples of its own, and is told of; no row is its own example.
    expect(found.notes.join()).toMatch(/1 of 3 rows got examples of another task/);
    const [first] = prompts.filter(prompt => prompt.endsWith('copy : cat\n'));
    expect(first).toMatch(/^(copy : [a-z ]+\n[a-z ]+\n\n){4}copy : cat\n$/);
    const second = prompts.find(prompt => prompt.endsWith('copy : dog\n'))!;
    expect(second.split('copy : dog\n').length).toBe(2);
    expect(found.get('base').samples[0]!.supervision).toBe('supervised');
    expect(viewOf(found)).toMatchObject({
      kind: 'intervals',
      data: { rows: [{ label: 'model', strong: true }, {}, {}, {}, {}, {}, {}, {}] },
    });
    const table = await found.table();
    expect(table.numRows()).toBe(rows.length * found.scored.size);
    expect(new Set(table.array('name'))).toEqual(new Set(found.scored.keys()));
    expect(Array.from(table.array('got') as string[]).slice(0, 3)).toEqual(got('model'));
    // The same seed draws the same.
    const again = await baselines({ model: obedient, tokenizer, template, rows, trainRows, include: ['random'] });
    expect(again.get('random').samples.map(sample => sample.got)).toEqual(got('random'));
  });

  it('examples may be earlier turns of the template', async () => {
    const prompts: string[] = [];
    const base = stub(prompt => {
      prompts.push(prompt);
      return 'cat';
    });
    const options = { model: obedient, base, tokenizer, template, rows: rows.slice(0, 1), trainRows };
    const found = await baselines({ ...options, include: ['few-shot base'], fewShot: { form: 'template', shots: 2 } });
    expect([...found.scored.keys()]).toEqual(['model', 'few-shot base']);
    expect(prompts[0]!.split('<|im_start|>user').length).toBe(4);
    expect(found.get('few-shot base').score).toBe(1);
  });

  it('what a system message says stands in plain examples too', async () => {
    const prompts: string[] = [];
    const base = stub(prompt => {
      prompts.push(prompt);
      return 'cat';
    });
    const ruled = (one: Row): Row => ({ ...one, messages: [{ role: 'system', content: 'copy these' }, ...one.messages] });
    const options = { model: obedient, base, tokenizer, template, rows: [ruled(rows[0]!)], trainRows: trainRows.map(ruled) };
    await baselines({ ...options, include: ['few-shot base'], fewShot: { shots: 1 } });
    expect(prompts[0]).toMatch(/^copy these\ncopy : [a-z ]+\n[a-z ]+\n\ncopy these\ncopy : cat\n$/);
  });

  it('examples for which the context has no room are left out, and that is told', async () => {
    const seen: number[][] = [];
    const base = { ...stub(() => 'dog', seen), config: { maxPositionEmbeddings: 60 } };
    const options = { model: obedient, base, tokenizer, template, rows, trainRows, maxNewTokens: 20 };
    const found = await baselines({ ...options, include: ['few-shot base'] });
    const room = seen.map(prompt => prompt.length);
    expect(Math.max(...room)).toBeLessThanOrEqual(40);
    expect(Math.min(...room)).toBeGreaterThan(20);
    expect(found.notes.some(note => /3 of 3 rows got fewer examples/.test(note))).toBe(true);
  });

  it('few-shot prompts that make no sense are refused before anything is asked', async () => {
    const options = { model: stub(() => 'dog'), base: obedient, tokenizer, template, rows, trainRows };
    for (const [fewShot, message] of [
      [{ shots: -1 }, /fewShot\.shots/],
      [{ shots: 1.5 }, /fewShot\.shots/],
      [{ form: 'turns' }, /'plain' or 'template'/],
      [{ shot: 2 }, /did you mean "shots"/],
    ] as const)
      await expect(baselines({ ...options, fewShot: fewShot as object })).rejects.toThrow(message);
  });

  it('only what can be made is made; what is asked for and cannot be is refused', async () => {
    const found = await baselines({ model: obedient, tokenizer, template, rows });
    expect([...found.scored.keys()]).toEqual(['model', 'copy input', 'no instruction', 'shuffled instruction']);
    expect(() => found.get('majority')).toThrow(/no baseline "majority" here/);
    const ask = (name: string) => baselines({ model: obedient, tokenizer, template, rows, include: [name as never] });
    await expect(ask('majority')).rejects.toThrow(/"majority" cannot be made.*trainRows/);
    await expect(ask('base')).rejects.toThrow(/"base" cannot be made/);
    await expect(ask('majorty')).rejects.toThrow(/did you mean "majority"/);
    await expect(baselines({ model: obedient, tokenizer, template, rows: [] })).rejects.toThrow(/no rows/);
  });

  it('instruction and input of a row', () => {
    expect(requestParts(row('turn : a b', ''))).toEqual({ instruction: 'turn :', input: 'a b' });
    expect(requestParts(row('Turn it round.\n\na b\nc', ''))).toEqual({ instruction: 'Turn it round.', input: 'a b\nc' });
    expect(requestParts(row('say something', ''))).toEqual({ instruction: 'say something', input: '' });
    expect(requestParts(row('x y', '', { instruction: 'x', input: 'y' }))).toEqual({ instruction: 'x', input: 'y' });
    const passage: Row = {
      messages: [
        { role: 'user', content: 'sum up : this', input: 'long' },
        { role: 'assistant', content: '' },
      ],
    };
    expect(requestParts(passage)).toEqual({ instruction: 'sum up : this', input: 'long' });
  });
});

describe('rows of the task suite', () => {
  it('keep their layout when the instruction goes or changes, also from a file; their checkers judge and their choices are known', async () => {
    const made = suite({ seed: 3, rows: 60, perRung: 24 });
    const rows = made.rungs['new inputs']!;
    const saved = rows.map(row => toSaved(row));
    const prompts = { kept: [] as string[], saved: [] as string[] };
    for (const [name, given] of [
      ['kept', rows],
      ['saved', saved],
    ] as const) {
      const seen: number[][] = [];
      const found = await baselines({
        model: stub(() => 'x', seen),
        tokenizer,
        template,
        rows: given,
        trainRows: made.rows,
        include: ['no instruction', 'shuffled instruction', 'copy input'],
      });
      prompts[name] = seen.map(ids => tokenizer.decode(ids));
      expect(found.get('copy input').samples.map(sample => sample.got)).toEqual(
        rows.map(row => (row as SuiteRow).input || (row as SuiteRow).instruction),
      );
      expect(found.get('model').byCluster.length).toBeGreaterThan(1);
      const right = await judgeAnswers(
        given.map(row => String(row.messages.at(-1)!.content)),
        { rows: given },
      );
      expect(right.score).toBe(1);
    }
    expect(prompts.saved).toEqual(prompts.kept);
    const bare = rows.find(row => (row as SuiteRow).input && !(row as SuiteRow).examples) as SuiteRow;
    expect(prompts.kept.some(prompt => asked(prompt) === bare.input)).toBe(true);
    const wordings = { given: (r: Row) => r, other: (r: Row) => reword(r as SuiteRow, { style: HELD_OUT_STYLES[0]! }) };
    const asking = await sensitivity({ model: stub(() => 'x'), tokenizer, rows, templates: ['chatml'], wordings });
    expect(asking.variants.length).toBe(2);
  });
});

describe('sensitivity', () => {
  const many = Array.from({ length: 40 }, (_, i) => row(`copy : w${i}`, `w${i}`));

  it('finds the spread over templates and wordings, and what chance alone gives', async () => {
    // Deaf to the second wording, right on every other row of the first.
    const model = stub(prompt => {
      const said = /copy : (\w+)/.exec(prompt)?.[1] ?? '';
      return prompt.includes('please') || Number(said.slice(1)) % 2 === 0 ? 'no' : said;
    });
    const wordings = {
      plain: (r: Row) => r,
      polite: (r: Row): Row => ({
        ...r,
        messages: r.messages.with(0, { role: 'user', content: `please ${r.messages[0]!.content}` }),
      }),
    };
    const found = await sensitivity({ model, tokenizer, rows: many, templates: ['chatml'], wordings });
    expect(found.variants.map(({ template, wording, scored }) => [template, wording, scored.score])).toEqual([
      ['chatml', 'plain', 0.5],
      ['chatml', 'polite', 0],
    ]);
    expect([found.best.wording, found.worst.wording, found.mean]).toEqual(['plain', 'polite', 0.25]);
    expect(found.spread.value).toBe(0.5);
    expect(found.spread.low).toBeGreaterThan(0.3);
    expect(found.spread.high).toBeLessThan(0.7);
    expect(found.byChance).toBeLessThan(0.2);
    expect(found.p).toBeLessThan(0.001);
    expect(found.consistency).toEqual({ always: 0, ever: 0.5 });
    expect(viewOf(found)).toMatchObject({ kind: 'intervals', data: { rows: [{ label: 'plain' }, { label: 'polite' }] } });
  });

  it('a model that does not care has no spread; one way of asking is none', async () => {
    const model = stub(prompt => /copy : (\w+)/.exec(prompt)?.[1] ?? '');
    const found = await sensitivity({ model, tokenizer, rows: many, templates: [template, 'chatml'] });
    expect(found.spread).toEqual({ value: 0, low: 0, high: 0 });
    expect(found.p).toBe(1);
    await expect(sensitivity({ model, tokenizer, rows: many, templates: ['chatml'] })).rejects.toThrow(/two ways of asking/);
  });
});

describe('compare', () => {
  const a = { score: [0.5, 0.52, 0.48, 0.51, 0.49], loss: [1, 1.1, 0.9, 1, 1] };
  const b = { score: [0.6, 0.61, 0.6, 0.6, 0.59], loss: [1.05, 1, 1, 0.9, 1] };

  it('arms over the same seeds, measure by measure, with Holm over all of them', () => {
    const found = compare(a, b);
    const { difference, low, high, p, holm, mde, sign, seeds, method } = found.get('score');
    expect([seeds, method, difference.toFixed(3)]).toEqual([5, 't', '0.100']);
    expect(low).toBeGreaterThan(0.07);
    expect(high).toBeLessThan(0.13);
    expect(holm).toBeCloseTo(2 * p, 12);
    expect(sign).toBeCloseTo(0.0625, 12);
    expect(mde).toBeGreaterThan(0);
    expect(found.get('loss').holm).toBeGreaterThan(0.5);
    expect(found.warning).toBeUndefined();
    expect(viewOf(found)).toMatchObject({ kind: 'comparison', data: { rows: found.rows } });
    expect(compare(a.score, b.score).get().measure).toBe('score');
    expect(() => compare(a, { score: b.score })).toThrow(/same measures/);
    expect(() => found.get('f1')).toThrow(/was not compared/);
  });

  it('too few seeds are told of, or refused', () => {
    const few = (arm: typeof a) => ({ score: arm.score.slice(0, 3) });
    expect(compare(few(a), few(b)).warning).toMatch(/3 seeds support no conclusion/);
    expect(() => compare(few(a), few(b), { strict: true })).toThrow(/at least 5/);
  });

  it('scored rows: one seed by a bootstrap of the rows, several by t and by seeds and rows', async () => {
    const items = Array.from({ length: 60 }, (_, i) => row(`say ${i}`, 'yes', { task: i % 2 ? 'odd' : 'even' }));
    const arm = (wrong: (i: number) => boolean) =>
      judgeAnswers(
        items.map((_, i) => (wrong(i) ? 'no' : 'yes')),
        { rows: items },
      );
    const [worse, better] = [await arm(i => i % 3 > 0), await arm(i => i % 3 > 1)];
    const one = compare(worse, better);
    expect(one.rows.map(r => r.measure)).toEqual(['all rows', 'even', 'odd']);
    expect(one.get()).toMatchObject({ seeds: 1, method: 'bootstrap', mde: Number.NaN });
    expect(one.get().low).toBeGreaterThan(0.15);
    expect(one.get().difference).toBeCloseTo(1 / 3, 12);
    expect(one.warning).toMatch(/1 seed supports no conclusion/);
    const seeds = await Promise.all([0, 1, 2, 3, 4].map(s => arm(i => (i + s) % 5 > 2)));
    const others = await Promise.all([0, 1, 2, 3, 4].map(s => arm(i => (i + s) % 7 > 4)));
    const several = compare(seeds, others);
    expect(several.get()).toMatchObject({ seeds: 5, method: 't' });
    expect(several.get().hierarchical!.low).toBeLessThan(several.get().hierarchical!.high);
    expect(() => compare(seeds, others.slice(1))).toThrow(/same seeds/);
  });

  it('rows that one arm could not score count in neither, and arms over other rows are refused', async () => {
    const items = Array.from({ length: 6 }, (_, i) => row(`say ${i}`, `${i}`));
    const arm = (scores: number[], rows = items) =>
      judgeAnswers(
        scores.map(() => 'x'),
        { rows, metrics: [{ name: 'odd', of: ({ row: one }) => scores[rows.indexOf(one)]! }] },
      );
    // Without pairing, the six rows left would be held against each other in the wrong order.
    const found = compare(await arm([Number.NaN, 1, 2, 3, 4, 5]), await arm([9, 2, Number.NaN, 4, 5, 6]), { metric: 'odd' });
    expect(found.get()).toMatchObject({ a: 13 / 4, b: 17 / 4, difference: 1, low: 1, high: 1 });
    const other = items.map((_, i) => row(`say ${i}`, `${i + 1}`));
    const [one, two] = [await arm([1, 2, 3, 4, 5, 6]), await arm([1, 2, 3, 4, 5, 6], other)];
    expect(() => compare(one, two)).toThrow(/not scored on the same rows.*row 0 with the answer "0", found "1"/);
  });
});
