import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { readRows, writeRows } from '../../../src/prepare/data/index.js';
import {
  type CheckerSpec,
  check,
  fromSaved,
  judge,
  listTasks,
  numberWord,
  readNumber,
  type SuiteRow,
  suite,
  toSaved,
} from '../../../src/prepare/tasks/index.js';
import { rightForms, wrongForms } from './mutations.js';

const worlds = [1, 3, 5].map(difficulty => suite({ seed: 'checkers', rows: 450, perRung: 86, difficulty, heldOutClusters: [] }));
const byTask = new Map<string, SuiteRow[]>();
for (const world of worlds)
  for (const row of [...world.rows, ...Object.values(world.rungs).flat()])
    byTask.set(row.task, [...(byTask.get(row.task) ?? []), row]);

describe('every task of the suite', () => {
  test('has rows to be tested with', () => {
    expect([...byTask.keys()].sort()).toEqual(
      listTasks()
        .map(task => task.name)
        .sort(),
    );
    for (const rows of byTask.values()) expect(rows.length).toBeGreaterThan(5);
  });

  test.each([...byTask])('%s: right in every admissible form', (_, rows) => {
    const judged = rows.flatMap(row => rightForms(row).map(answer => ({ answer, ...check(row, answer), checker: row.checker })));
    expect(judged.filter(({ correct, score, why }) => !correct || score !== 1 || why !== undefined)).toEqual([]);
    expect(judged.length).toBeGreaterThanOrEqual(3 * rows.length);
  });

  test.each([...byTask])('%s: wrong answers are wrong, with a reason and partial credit below 1', (_, rows) => {
    const judged = rows.flatMap((row, i) =>
      Object.entries(wrongForms(row, rows[(i + 1) % rows.length]!)).map(([what, answer]) => ({
        what,
        answer,
        ...check(row, answer),
        row,
      })),
    );
    expect(judged.filter(({ correct, score, why }) => correct || !(score >= 0 && score < 1) || !why)).toEqual([]);
    expect(judged.length).toBeGreaterThanOrEqual(7 * rows.length);
  });

  test('a checker is plain JSON: a row saved and read again is judged alike', () => {
    for (const rows of byTask.values()) {
      const again = JSON.parse(JSON.stringify(rows[0])) as SuiteRow;
      expect(again).toEqual(rows[0]);
      expect(check(again, rows[0]!.messages.at(-1)!.content).correct).toBe(true);
    }
  });
});

test('rows written to a file and read again are what they were, and judged alike', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tasks-checkers-'));
  try {
    const rows = [...byTask.values()].map(of => of[0]!);
    for (const name of ['rows.jsonl', 'rows.parquet', 'rows.csv']) {
      await writeRows(join(folder, name), rows.map(toSaved));
      const again = await readRows(join(folder, name));
      expect(
        again.map(row => fromSaved<SuiteRow>(row)).map(({ source: _, line: __, ...row }) => row),
        name,
      ).toEqual(rows);
      const differ = again.filter((row, i) =>
        Object.values(wrongForms(rows[i]!, rows[i]!)).some(answer => check(row, answer).score !== check(rows[i]!, answer).score),
      );
      expect(differ, name).toEqual([]);
    }
    const other = { ...rows[0]!, meta: { note: 1 } };
    expect(fromSaved(toSaved(other))).toEqual(other);
    expect(fromSaved({ messages: other.messages, meta: { note: 1 } })).toEqual({ messages: other.messages, meta: { note: 1 } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe('partial credit', () => {
  const cases: [string, CheckerSpec, string, number][] = [
    ['two of three words in order', { kind: 'exact', answers: ['cat dog pen'] }, 'cat pen', 0.8],
    ['two items of three', { kind: 'list', items: ['cat', 'dog', 'pen'], ordered: false }, 'pen cat', 0.8],
    ['one of two fields', { kind: 'json', fields: { a: 'x', b: 2 } }, '{"a": "x", "b": 3}', 0.5],
    ['words around JSON', { kind: 'json', fields: { a: 'x' } }, 'sure: {"a": "x"}', 0.5],
    [
      'the right tool',
      { kind: 'tool', name: 'call', arguments: { person: 'tom' } },
      '{"name":"call","arguments":{"person":"mia"}}',
      0.5,
    ],
    [
      'right steps, wrong answer',
      { kind: 'final', inner: { kind: 'number', value: 5 }, steps: ['2 + 1 = 3', '3 + 2 = 5'] },
      '2 + 1 = 3. 3 + 2 = 5. answer: 6',
      0.5,
    ],
    [
      'one right step',
      { kind: 'final', inner: { kind: 'number', value: 5 }, steps: ['2 + 1 = 3', '3 + 2 = 5'] },
      '2 + 1 = 3. answer: 6',
      0.25,
    ],
    [
      'steps in the wrong order',
      { kind: 'final', inner: { kind: 'number', value: 5 }, steps: ['2 + 1 = 3', '3 + 2 = 5'] },
      '3 + 2 = 5. 2 + 1 = 3. answer: 6',
      0.25,
    ],
    [
      'half of the facts',
      {
        kind: 'facts',
        facts: [
          { name: 'day', any: ['monday'] },
          { name: 'who', any: ['tom'] },
        ],
      },
      'it is on monday',
      0.5,
    ],
    [
      'all facts and one more',
      { kind: 'facts', facts: [{ name: 'day', any: ['monday'] }], vocabulary: ['tom', 'monday'], allowed: ['monday'] },
      'tom on monday',
      0.5,
    ],
    [
      'right but too long',
      { kind: 'words', most: 2, inner: { kind: 'facts', facts: [{ name: 'who', any: ['tom'] }] } },
      'it is tom',
      0.5,
    ],
    ['right without the opening', { kind: 'shape', prefix: 'ok', inner: { kind: 'number', value: 3 } }, 'three', 0.5],
    ['a refusal that tells', { kind: 'refusal', refuse: true, secret: ['417'] }, 'sorry, i cannot say 417', 0.25],
    ['an abstention that invents', { kind: 'grounded', vocabulary: ['tom'] }, 'the text does not say, perhaps tom', 0.5],
    ['a wrong number', { kind: 'number', value: 3 }, '4', 0],
  ];
  test.each(cases)('%s', (_, spec, answer, score) => {
    expect(judge(spec, answer)).toMatchObject({ correct: false, score, why: expect.stringMatching(/\w/) });
  });
});

describe('reasons say what is wrong', () => {
  const cases: [CheckerSpec, string, RegExp][] = [
    [{ kind: 'list', items: ['cat', 'dog'], ordered: true }, 'dog cat', /order/],
    [{ kind: 'list', items: ['cat', 'dog'], ordered: true }, 'cat dog pen', /adds "pen"/],
    [{ kind: 'list', items: ['cat', 'dog'], ordered: true }, 'cat', /lacks dog/],
    [{ kind: 'list', items: [], ordered: false }, '', /empty/],
    [{ kind: 'choice', answer: 'yes', choices: ['yes', 'no'] }, 'yes and no', /2 labels/],
    [{ kind: 'number', value: 3 }, '3 or 4', /not one number/],
    [{ kind: 'json', fields: { n: 3 } }, '{"n": "3"}', /"n" must be 3/],
    [{ kind: 'json', fields: { n: 3 } }, '{"n": 3, "m": 1}', /adds the field "m"/],
    [{ kind: 'json', fields: { n: 3 } }, '[3]', /not a JSON object/],
    [{ kind: 'facts', facts: [{ name: 'day', any: ['monday'] }], vocabulary: ['tom'] }, 'tom, monday', /invents tom/],
    [
      { kind: 'facts', facts: [{ name: 'day', any: ['monday'] }], forbidden: ['sunday'] },
      'monday, not sunday',
      /must not say "sunday"/,
    ],
    [{ kind: 'facts', facts: [{ name: 'day', any: ['monday'] }], maxWords: 3 }, 'it is on a monday', /5 words, at most 3/],
    [{ kind: 'refusal', refuse: false }, 'sorry, i cannot', /fine/],
    [{ kind: 'refusal', refuse: true }, 'take a key', /does not refuse/],
    [{ kind: 'grounded', inner: { kind: 'exact', answers: ['tom'] }, vocabulary: [] }, 'unknown', /the text does/],
    [{ kind: 'words', least: 2, most: 2, inner: { kind: 'exact', answers: ['a'] } }, 'a', /exactly 2/],
    [{ kind: 'shape', suffix: 'done', inner: { kind: 'number', value: 3 } }, '3', /end with "done"/],
  ];
  test.each(cases)('%o: %s', (spec, answer, why) => {
    expect(judge(spec, answer).why).toMatch(why);
  });
});

describe('rows without a checker', () => {
  const row = (answer: string, meta?: Record<string, unknown>) => ({
    messages: [
      { role: 'user' as const, content: 'name a capital' },
      { role: 'assistant' as const, content: answer },
    ],
    ...(meta ? { meta } : {}),
  });

  test('are judged by their last message, case and white space and full stop folded', () => {
    expect(check(row('Paris'), ' paris.\n').correct).toBe(true);
    for (const wrong of ['', 'rome', 'paris rome', 'not paris']) expect(check(row('Paris'), wrong).correct).toBe(false);
  });

  test('take every reference that was read with them', () => {
    const several = row('Paris', { references: ['Paris', 'Rome'] });
    expect(check(several, 'rome').correct).toBe(true);
    expect(check(several, 'oslo').correct).toBe(false);
  });

  test('a checker that was read back as a leftover field still judges', () => {
    expect(check(row('3', { checker: { kind: 'number', value: 3 } }), 'three').correct).toBe(true);
  });

  test('without an answer, and with an unknown checker, an error says so', () => {
    expect(() => check({ messages: [{ role: 'user', content: 'x' }] }, 'y')).toThrow(BadInput);
    expect(() => judge({ kind: 'nonsense' } as unknown as CheckerSpec, 'y')).toThrow(/one of exact, choice/);
    for (const checker of [{ kind: 'exact' }, { kind: 'list' }, { kind: 'words', inner: {} }, 'exact', 5, [], nested(20_000)])
      expect(() => check(row('3', { checker }), 'y')).toThrow(BadInput);
    expect(() => judge({ kind: 'toString' } as unknown as CheckerSpec, 'y')).toThrow(BadInput);
  });
});

function nested(depth: number): object {
  let checker: object = { kind: 'exact', answers: ['y'] };
  for (let i = 0; i < depth; i++) checker = { kind: 'words', inner: checker };
  return checker;
}

test('a long or odd answer takes no long time', () => {
  const long = [
    '"'.repeat(50_000),
    ' '.repeat(50_000),
    'a '.repeat(25_000),
    '1'.repeat(50_000),
    '{'.repeat(50_000),
    'answer: '.repeat(6000),
    `a${'. '.repeat(10_000)}x`,
    `${'\n'.repeat(50_000)}x`,
    `${'.'.repeat(50_000)}x`,
  ];
  const rows = [...byTask.values()].map(of => of[0]!);
  expect(rows.flatMap(row => long.filter(answer => check(row, answer).correct))).toEqual([]);
});

test('numbers in digits and in words', () => {
  for (let n = 0; n < 100; n++) expect(readNumber(numberWord(n))).toBe(n);
  const read = { '1,200': 1200, '-3': -3, '+4': 4, '4.50': 4.5, 'minus two': -2, 'forty two': 42, '007': 7 };
  for (const [text, value] of Object.entries(read)) expect(readNumber(text)).toBe(value);
  for (const text of ['', '3 4', '1,20', 'three four', 'toString', '0x10', '1e3', 'NaN'])
    expect(readNumber(text)).toBeUndefined();
});
