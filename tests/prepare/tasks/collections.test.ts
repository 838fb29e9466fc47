import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { itemsOf } from '../../../src/prepare/tasks/collections/items.js';
import { type Collection, check, fromCollection } from '../../../src/prepare/tasks/index.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tasks-collections-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const prompt = (row: Collection['rows'][number]) => JSON.stringify(row.messages.slice(0, -1));
const all = (set: Collection) => [...set.rows, ...Object.values(set.rungs).flat()];

/** What holds for every collection: right references, no test among the training rows. */
function sound(set: Collection) {
  expect(all(set).filter(row => !check(row, String(row.messages.at(-1)!.content)).correct)).toEqual([]);
  expect(all(set).filter(row => check(row, '').correct || check(row, prompt(row)).correct)).toEqual([]);
  const trained = new Set(set.rows.map(prompt));
  const tasks = new Set(set.rows.map(row => row.task));
  for (const [name, rows] of Object.entries(set.rungs)) {
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(row => trained.has(prompt(row)))).toEqual([]);
    expect(rows.filter(row => tasks.has(row.task) === (name === 'tasks'))).toEqual([]);
  }
}

const superni = (name: string, category: string) => ({
  Definition: [`Do ${name}.`],
  Categories: [category],
  'Positive Examples': [
    { input: `${name} in`, output: `${name} out`, explanation: 'because' },
    { input: `${name} in 2`, output: `${name} out 2`, explanation: 'because' },
  ],
  'Negative Examples': [],
  Instances: Array.from({ length: 50 }, (_, i) => ({
    id: `${name}-${i}`,
    input: `${name} ${i}`,
    output: [`answer ${i}`, `reply ${i}`],
  })),
});

describe('Super-NaturalInstructions', () => {
  beforeAll(async () => {
    await mkdir(join(folder, 'superni'));
    for (let i = 1; i <= 6; i++)
      await writeFile(
        join(folder, 'superni', `task00${i}_thing.json`),
        JSON.stringify(superni(`thing ${i}`, i % 2 ? 'Odd' : 'Even')),
      );
    await writeFile(join(folder, 'superni', 'README.md'), 'not a task');
  });

  test('a folder of task files: clusters by category, a fifth of the tasks held out, every reference right', async () => {
    const set = await fromCollection(join(folder, 'superni'));
    sound(set);
    expect(set.format).toBe('superni');
    expect(set.reports).toHaveLength(6);
    expect(set.tasks.map(task => task.cluster)).toEqual(['Odd', 'Even', 'Odd', 'Even', 'Odd', 'Even']);
    expect(set.tasks.filter(task => task.heldOut)).toHaveLength(1);
    expect(set.heldOut).toEqual(['tasks']);
    expect(set.rungs['new inputs']).toHaveLength(5 * 10);
    expect(set.rows).toHaveLength(5 * 40);
    const row = set.rows[0]!;
    const n = /\d+$/.exec(row.messages[0]!.input!)![0];
    expect(check(row, `reply ${n}`).correct).toBe(true);
    expect(check(row, `reply ${Number(n) + 1}`).correct).toBe(false);
    expect(await fromCollection(join(folder, 'superni'))).toEqual(set);
    expect((await fromCollection(join(folder, 'superni'), { seed: 2 })).rows).not.toEqual(set.rows);
  });

  test('definition with examples, rows a task, named held-out tasks', async () => {
    const set = await fromCollection(join(folder, 'superni'), {
      shots: 2,
      perTask: 16,
      perTest: 3,
      heldOutTasks: ['task002_thing', 'task003_thing'],
    });
    sound(set);
    expect(set.rows[0]!.messages[0]!.content).toMatch(
      /^Do thing \d\.\n\nPositive Example 1 -\nInput: thing \d in\nOutput: thing \d out\n\nPositive Example 2/,
    );
    expect(set.tasks.map(task => task.rows)).toEqual([16, 0, 0, 16, 16, 16]);
    expect(set.rungs['new inputs']).toHaveLength(12);
    expect(new Set(set.rungs.tasks!.map(row => row.task))).toEqual(new Set(['task002_thing', 'task003_thing']));
  });

  test('instances that the collection keeps for testing are never trained', async () => {
    const { Instances, ...rest } = superni('thing', 'x');
    const set = await fromCollection([{ ...rest, train_instances: Instances.slice(0, 30), test_instances: Instances.slice(30) }]);
    sound(set);
    expect(set.rows).toHaveLength(30);
    expect(set.rungs['new inputs']).toHaveLength(20);
    expect(set.rows.some(row => row.meta!.split === 'test')).toBe(false);
  });
});

test('Super-NaturalInstructions as data hubs have it: the definition is the instruction', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    ...{ task_name: `task${i % 6}_thing`, id: `x-${i}`, definition: ` Do thing ${i % 6}.` },
    ...{ inputs: `input ${i}`, targets: `output ${i}` },
  }));
  const set = await fromCollection(rows);
  sound(set);
  expect(set.format).toBe('superni');
  expect(set.tasks.map(({ name, cluster }) => [name, cluster])).toContainEqual(['task1_thing', 'task1_thing']);
  expect(set.tasks.filter(task => task.heldOut)).toHaveLength(1);
  for (const row of all(set))
    expect(row.messages[0]).toMatchObject({
      content: `Do thing ${row.task[4]}.`,
      input: /^input \d+$/.exec(row.messages[0]!.input!)![0],
    });
  await expect(fromCollection(rows, { format: 'flan' })).rejects.toThrow(/asked for/);
});

describe('instruction induction', () => {
  const file = (task: string) => ({
    task,
    annotations: { annotations: Array.from({ length: 8 }, (_, i) => `${task} it, way ${i}`) },
    induce: Array.from({ length: 40 }, (_, i) => ({ input: `${task} ${i}`, output: `out ${i}` })),
    execute: Array.from({ length: 20 }, (_, i) => ({
      input: `${task} test ${i}`,
      output: `out ${i}`,
      possible_translations: [`out ${i}`, `aus ${i}`],
    })),
  });

  test('a quarter of the paraphrases is never trained; both rungs ask what is never trained either', async () => {
    const set = await fromCollection([file('turn'), file('move')], { perTest: 6 });
    sound(set);
    expect(set.format).toBe('induction');
    expect(Object.fromEntries(Object.entries(set.rungs).map(([name, rows]) => [name, rows.length]))).toEqual({
      'new inputs': 12,
      paraphrases: 12,
    });
    const instructions = (rows: Collection['rows']) => new Set(rows.map(row => row.messages[0]!.content));
    expect(instructions(set.rows).size).toBe(12);
    for (const row of set.rungs.paraphrases!) expect(instructions(set.rows)).not.toContain(row.messages[0]!.content);
    for (const row of set.rungs['new inputs']!) expect(instructions(set.rows)).toContain(row.messages[0]!.content);
    for (const row of all(set)) expect(row.messages[0]!.content.startsWith(row.task)).toBe(true);
    expect(set.tasks.map(({ name, wordings }) => [name, wordings])).toEqual([
      ['turn', 8],
      ['move', 8],
    ]);
  });

  test('answers the collection lists are right as well; a list may be in any order', async () => {
    const animals = {
      ...file('animals'),
      execute: [],
      induce: file('animals').induce.map(e => ({
        ...e,
        output: 'cat, polar bear, dog',
        category_items: ['cat', 'polar bear', 'dog'],
      })),
    };
    const [row] = (await fromCollection([animals])).rows;
    expect(check(row!, 'polar bear, dog and cat').correct).toBe(true);
    for (const wrong of ['cat, dog', 'cat, bear, dog', 'cat, polar bear, dog, hen', ''])
      expect(check(row!, wrong).correct).toBe(false);
    const translated = (await fromCollection([file('turn')])).rungs['new inputs']!.find(r => r.checker)!;
    expect(check(translated, String(translated.messages[1]!.content).replace('out', 'aus')).correct).toBe(true);
  });
});

describe('templates filled in: P3, T0 and FLAN', () => {
  const story = (i: number) => `the ${'abcdefghij'[i % 10]}${i} went over the hill number ${i * 7} to see what it could see`;
  const p3 = (dataset: string, templates: number) =>
    Array.from({ length: templates }, (_, t) =>
      Array.from({ length: 20 }, (_, i) => ({
        template: `${dataset}_way_${t}`,
        prompt: `Way ${t} of ${dataset}: ${story(i)} What is it?\n`,
        completion: `thing ${i}`,
      })),
    ).flat();

  test('templates of a data set are wordings of one task; an item tested under one is trained under none', async () => {
    const set = await fromCollection([...p3('big_news', 8), ...p3('old_tales', 4), ...p3('one_story', 1)], { perTest: 30 });
    sound(set);
    expect(set.format).toBe('p3');
    expect(set.tasks.map(({ name, wordings }) => [name, wordings])).toEqual([
      ['big_news_way', 8],
      ['old_tales_way', 4],
      ['one_story_way_0', 1],
    ]);
    const item = (row: Collection['rows'][number]) => `${row.task} ${/number \d+/.exec(String(row.messages[0]!.content))![0]}`;
    const trained = new Set(set.rows.map(item));
    for (const name of ['new inputs', 'paraphrases']) expect(set.rungs[name]!.filter(row => trained.has(item(row)))).toEqual([]);
    const templates = new Set(set.rows.map(row => row.meta!.template));
    for (const row of set.rungs.paraphrases!) expect(templates).not.toContain(row.meta!.template);
    for (const row of set.rungs['new inputs']!) expect(templates).toContain(row.meta!.template);
  });

  test('a short item of several answers, under several templates: trained and tested apart all the same', async () => {
    // As common_gen: three sentences for each set of concepts, and the concepts are too short a text to be told by.
    const forms = [
      (c: string) => `Put these together: ${c}.`,
      (c: string) => `Write a sentence with ${c}`,
      (c: string) => `Use: ${c}`,
    ];
    const rows = Array.from({ length: 40 }, (_, i) => `ski${i} hill${i}`).flatMap(concepts =>
      forms.flatMap((form, f) =>
        ['A skier on', 'There is snow on', 'Nobody goes down'].map(begin => ({
          prompt: form(concepts),
          completion: `${begin} the ${concepts}`,
          template: `common_gen_${'abc'[f]}`,
        })),
      ),
    );
    const set = await fromCollection(rows, { heldOutTasks: 0 });
    sound(set);
    const item = (row: Collection['rows'][number]) => /ski\d+/.exec(prompt(row))![0];
    const trained = new Set(set.rows.map(item));
    expect(set.rungs['new inputs']!.filter(row => trained.has(item(row)))).toEqual([]);
  });

  test('of a collection too large for all of its words, a part of them still tells its items', () => {
    const words = (i: number, form: number) =>
      Array.from({ length: 80 }, (_, k) => `w${i * 97 + k * 13 + form * (k < 20 ? 1e6 : 0)}`).join(' ');
    const rows = [0, 1]
      .flatMap(form => Array.from({ length: 30 }, (_, i) => ({ i, form })))
      .map(({ i, form }) => ({
        messages: [
          { role: 'user' as const, content: words(i, form) },
          { role: 'assistant' as const, content: 'yes' },
        ],
        task: `${form}`,
      }));
    const pairs = (most: number) => {
      const items = itemsOf(rows, row => row.task!, most);
      return [rows.filter((_, i) => items[i] === items[(i + 30) % 60]).length, new Set(items).size];
    };
    expect(pairs(1e6)).toEqual([60, 30]);
    expect(pairs(500)).toEqual([60, 30]);
  });

  test('files of rows that name no task are a task each; numbers of templates are wordings and name none', async () => {
    const files = await Promise.all(
      ['one', 'two'].map(async name => {
        const path = join(folder, `${name}.jsonl`);
        const lines = Array.from({ length: 40 }, (_, i) => ({ inputs: `${name} ${i}?`, targets: `${i}`, template_id: i % 5 }));
        await writeFile(path, lines.map(line => JSON.stringify(line)).join('\n'));
        return path;
      }),
    );
    const set = await fromCollection(files);
    sound(set);
    expect(set.tasks.map(({ name, wordings }) => [name, wordings])).toEqual([
      ['one', 5],
      ['two', 5],
    ]);
    expect((await fromCollection(files[0]!)).tasks.map(({ name }) => name)).toEqual(['collection']);
  });

  test('FLAN rows with their task and template', async () => {
    const flan = Array.from({ length: 60 }, (_, i) => ({
      inputs: `Is this right? ${story(i)}`,
      targets: i % 2 ? 'yes' : 'no',
      task_name: i % 3 ? 'nli' : 'qa',
      template_type: 'zs_noopt',
    }));
    const set = await fromCollection(flan, { format: 'flan', heldOutTasks: ['qa'] });
    sound(set);
    expect(set.format).toBe('flan');
    expect(set.tasks).toMatchObject([
      { name: 'qa', heldOut: true },
      { name: 'nli', heldOut: false, rows: 32 },
    ]);
  });
});

test('SCAN: lines, with "around right" held out', async () => {
  const commands = ['walk', 'run', 'jump', 'look'].flatMap(verb =>
    ['', ' left', ' right', ' around left', ' around right'].map(way => `${verb}${way}`),
  );
  const lines = commands.flatMap(a =>
    commands.map(b => `IN: ${a} and ${b} OUT: ${`${a} ${b}`.toUpperCase().replaceAll(' ', '_')}`),
  );
  const path = join(folder, 'scan.txt');
  await writeFile(path, `${lines.join('\n')}\n`);
  const set = await fromCollection(path, { perTest: 50 });
  sound(set);
  expect(set.format).toBe('scan');
  expect(Object.keys(set.rungs)).toEqual(['new inputs', 'compositions']);
  expect(set.rows.some(row => String(row.messages[0]!.content).includes('around right'))).toBe(false);
  for (const row of set.rungs.compositions!) expect(row.messages[0]!.content).toContain('around right');
});

test('Self-Instruct seeds: tasks with one row each are trained, whole tasks held out', async () => {
  const seeds = Array.from({ length: 10 }, (_, i) => ({
    id: `s${i}`,
    name: `task ${i}`,
    instruction: `Do ${i}.`,
    instances: [{ input: '', output: `done ${i}` }],
  }));
  const set = await fromCollection(seeds);
  sound(set);
  expect([set.rows.length, set.rungs.tasks!.length]).toEqual([8, 2]);
});

describe('what cannot be read is refused, with what there is', () => {
  const seeds = [{ instruction: 'Do it.', instances: [{ input: '', output: 'done' }], name: 'one' }];
  test.each([
    ['an unknown format', seeds, { format: 'supernl' as 'superni' }, /did you mean "superni"/],
    ['another format', seeds, { format: 'superni' as const }, /asked for.*the format superni/],
    ['rows of no collection', [{ instruction: 'a', output: 'b' }], {}, /one of the formats superni, p3/],
    ['an unknown held-out task', seeds, { heldOutTasks: ['on'] }, /did you mean "one"/],
    ['no task left', seeds, { heldOutTasks: ['one'] }, /from 0 to 0/],
    ['more held-out tasks than there are', seeds, { heldOutTasks: 5 }, /from 0 to 0/],
    ['every row held out', seeds, { heldOutPhrases: ['Do'] }, /no row is left to train/],
    ['an impossible count', seeds, { perTest: 0 }, /perTest/],
    ['an option there is not', seeds, { pertest: 5 } as object, /no option "pertest".*did you mean "perTest"/],
  ] as const)('%s', async (_, source, options, message) => {
    await expect(fromCollection(source, options)).rejects.toThrow(BadInput);
    await expect(fromCollection(source, options)).rejects.toThrow(message);
  });

  test('a torn line, unless it is to be skipped: then it is counted', async () => {
    const torn = join(folder, 'torn.jsonl');
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ inputs: `question ${i}`, targets: `answer ${i}`, task: 'one' }),
    );
    await writeFile(torn, `${lines.join('\n')}\n{"inputs": "que`);
    await expect(fromCollection(torn)).rejects.toThrow(/torn\.jsonl:21.*invalid JSON/);
    const set = await fromCollection(torn, { onBad: 'skip' });
    expect(all(set)).toHaveLength(20);
    expect(set.reports[0]!.skipped).toMatchObject([{ line: 21 }]);
  });

  test('an empty folder, a missing file, plain text, two formats at once, nothing', async () => {
    const empty = join(folder, 'empty');
    await mkdir(empty);
    await expect(fromCollection(empty)).rejects.toThrow(/no collection in this folder/);
    await expect(fromCollection(join(folder, 'none.json'))).rejects.toThrow(/none\.json/);
    const text = join(folder, 'plain.txt');
    await writeFile(text, 'IN: walk OUT: I_WALK\nsomething else\n');
    await expect(fromCollection(text)).rejects.toThrow(/one of the formats/);
    const one = join(folder, 'seed.jsonl');
    await writeFile(one, JSON.stringify(seeds[0]));
    await expect(fromCollection([one, superni('x', 'y')])).rejects.toThrow(/several formats.*superni/);
    await expect(fromCollection([])).rejects.toThrow(/no collection to read/);
  });
});

// Reference data that is not part of the project; on a machine that has it beside the checkout, the loaders are held to it.
const shared = join(import.meta.dirname, '../../../../shared/data');
const there = existsSync(shared);
if (!there) console.log('collections.test: the reference collections are not on this machine: their tests are skipped');

test.runIf(there).each([
  ['superni_sapt', 'superni', 10, ['new inputs', 'tasks']],
  ['instruction_induction', 'induction', 16, ['new inputs', 'paraphrases', 'tasks']],
  ['t0_p3_templates.jsonl', 'p3', 23, ['new inputs', 'paraphrases', 'tasks']],
  ['seed_tasks.jsonl', 'self-instruct', 174, ['tasks']],
  ['scan_4000.txt', 'scan', 1, ['new inputs', 'compositions']],
] as const)('real data: %s', async (name, format, tasks, rungs) => {
  const set = await fromCollection(join(shared, name));
  expect([set.format, set.tasks.length, Object.keys(set.rungs)]).toEqual([format, tasks, rungs]);
  const trained = new Set(set.rows.map(prompt));
  expect(
    Object.values(set.rungs)
      .flat()
      .filter(row => trained.has(prompt(row))),
  ).toEqual([]);
  expect(all(set).filter(row => !check(row, String(row.messages.at(-1)!.content)).correct)).toEqual([]);
  expect(all(set).filter(row => check(row, 'lorem ipsum').correct)).toEqual([]);
});
