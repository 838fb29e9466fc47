import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import {
  CLUSTERS,
  check,
  FACTS,
  HELD_OUT_STYLES,
  judge,
  listTasks,
  quickstart,
  reword,
  SUITE_RUNGS,
  type Suite,
  type SuiteOptions,
  type SuiteRow,
  suite,
  type World,
  wordingsOf,
} from '../../../src/prepare/tasks/index.js';

const small: SuiteOptions = { rows: 3000, perRung: 80 };
const world = suite({ seed: 7, ...small });
const prompt = (row: SuiteRow) => JSON.stringify(row.messages.slice(0, -1));
const phrase = (row: SuiteRow) => JSON.stringify([row.task, row.phrase]);
const parameter = (row: SuiteRow) => `${row.task}/${row.parameter}`;
const every = (of: Suite) => [...of.rows, ...Object.values(of.rungs).flat()];

describe('the suite', () => {
  test('has the clusters that were promised, several tasks in each, and thousands of instructions', () => {
    const tasks = listTasks();
    expect(CLUSTERS).toEqual([
      'transform',
      'lookup',
      'arithmetic',
      'extraction',
      'classification',
      'rewrite',
      'translation',
      'lists',
      'context',
      'reasoning',
      'code',
      'composition',
      'summary',
      'refusal',
      'grounding',
      'format',
    ]);
    for (const cluster of CLUSTERS) expect(tasks.filter(task => task.cluster === cluster).length).toBeGreaterThanOrEqual(3);
    expect(new Set(tasks.map(task => task.name)).size).toBe(tasks.length);
    expect(tasks.reduce((sum, task) => sum + task.instructions, 0)).toBeGreaterThan(20_000);
    const texts = suite({ rows: 10_000, perRung: 10, diversity: 10_000 }).rows.map(
      row => `${row.instruction}/${row.messages[0]!.content.slice(0, 40)}`,
    );
    expect(new Set(texts).size).toBeGreaterThan(9_000);
  });

  test('every row ends with an answer that its checker calls right, and plain words', () => {
    const rows = every(world);
    expect(rows.filter(row => !check(row, row.messages.at(-1)!.content).correct)).toEqual([]);
    expect(
      rows.filter(row => /undefined|null|NaN|\{[a-z]\}| {2}|^\s|\s$/.test(row.messages.map(m => m.content).join('|'))),
    ).toEqual([]);
    expect(new Set(world.rows.map(row => row.task))).toEqual(new Set(world.tasks));
  });

  test('is the same on every machine: options decide, and nothing else', () => {
    // What is asked and answered, on which the committed results of notebooks/science stand; how answers are judged may get better.
    const said = (key: string, value: unknown) => (key === 'checker' ? undefined : value);
    const digest = (of: Suite) =>
      createHash('sha256')
        .update(JSON.stringify([of.rows, of.rungs, of.baseText(200)], said))
        .digest('hex')
        .slice(0, 16);
    const options: SuiteOptions = { rows: 300, perRung: 40, diversity: 100, shots: [0, 2], distribution: 'long-tail' };
    expect(digest(suite(options))).toBe('20c8b968ac4c0906');
    expect(digest(suite({ ...options, seed: 2 }))).not.toBe(digest(suite(options)));
    expect(world.baseText(30)).toEqual(world.baseText(30));
    expect(world.baseText(30)).not.toEqual(world.baseText(30, 'other'));
    expect(world.heldOutText).toHaveLength(300);
    expect(world.heldOutText.slice(0, 30)).not.toEqual(world.baseText(30));
  });

  test('difficulty makes questions longer', () => {
    const length = (difficulty: number) => {
      const rows = suite({ rows: 1000, perRung: 10, difficulty }).rows;
      expect(rows.every(row => row.difficulty === difficulty)).toBe(true);
      return rows.reduce((sum, row) => sum + row.input.length, 0) / rows.length;
    };
    const lengths = [1, 2, 3, 4, 5].map(length);
    for (const [i, now] of lengths.slice(1).entries()) expect(now).toBeGreaterThan(lengths[i]! * 1.05);
  });

  test('few-shot rows show other questions of the same instruction, solved', () => {
    const shown = suite({ rows: 400, perRung: 10, shots: [1, 3] }).rows;
    expect(new Set(shown.map(row => row.examples!.length))).toEqual(new Set([1, 2, 3]));
    for (const row of shown) {
      expect(new Set([row.input, ...row.examples!.map(e => e.input)]).size).toBe(row.examples!.length + 1);
      const user = row.messages.find(message => message.role === 'user')!.content;
      for (const { input, answer } of row.examples!)
        expect(user).toContain(
          `${input}${input.includes('\n') ? '\noutput: ' : user.includes('\noutput:') ? '\noutput: ' : ' = '}${answer}`,
        );
    }
    expect(world.rows.every(row => row.examples === undefined)).toBe(true);
  });
});

/** Training rows that give a test away, by the rung's own kind: what it holds out must not occur in any of them. */
function leaks({ rows, rungs }: Suite): Record<string, unknown[]> {
  const among = (name: string, of: (row: SuiteRow) => string) => {
    const tested = new Set((rungs[name] ?? []).map(of));
    return rows.filter(row => tested.has(of(row))).map(of);
  };
  const tested = new Set(Object.values(rungs).flat().map(prompt));
  const question = (row: SuiteRow) => `${row.task}/${row.parameter}/${row.input}`;
  const fresh = new Set((rungs['new inputs'] ?? []).map(question));
  const shown = (row: SuiteRow) =>
    [row.input, ...(row.examples ?? []).map(e => e.input)].map(input => question({ ...row, input }));
  return {
    prompts: rows.filter(row => tested.has(prompt(row))),
    'new inputs': rows.filter(row => shown(row).some(key => fresh.has(key))),
    paraphrases: [...among('paraphrases', phrase), ...among('paraphrases', row => row.instruction)],
    parameters: among('parameters', parameter),
    templates: among('templates', row => row.style),
    'base-only verbs': among('base-only verbs', row => row.phrase.verb),
    'base-only skills': among('base-only skills', row => row.task),
    compositions: among('compositions', parameter),
    clusters: among('clusters', row => row.cluster),
  };
}

describe('the ladder', () => {
  test('has every rung, as many rows as asked, all different', () => {
    expect(Object.keys(world.rungs)).toEqual([...SUITE_RUNGS]);
    for (const rows of Object.values(world.rungs)) expect(new Set(rows.map(prompt)).size).toBe(80);
    expect(world.heldOut).toEqual(['paraphrases', 'parameters', 'templates', 'compositions', 'clusters']);
  });

  const variants: Record<string, SuiteOptions> = {
    'as it comes': {},
    'another split': { split: 2 },
    'few instructions': { diversity: 40 },
    'many instructions, long-tailed': { diversity: 1500, distribution: 'long-tail' },
    'with examples': { shots: 2, rows: 1500 },
    'easiest, where questions are few': { difficulty: 1 },
    'other clusters held out': { heldOutClusters: ['lists', 'code', 'summary'] },
  };
  test.each(Object.entries(variants))('nothing that a rung holds out is in a training row: %s', (_, options) => {
    const tested = suite({ ...small, ...options });
    for (const [name, found] of Object.entries(leaks(tested))) expect([name, found]).toEqual([name, []]);
  });

  test('the leak test finds leaks', () => {
    for (const name of SUITE_RUNGS) {
      const leaky = { ...world, rows: [...world.rows, world.rungs[name]![0]!] };
      expect(leaks(leaky)[name]!.length).toBeGreaterThan(0);
      expect(leaks(leaky).prompts!.length).toBeGreaterThan(0);
    }
  });

  test('a rung holds out its own kind and no other', () => {
    const trained = { phrases: new Set<string>(), parameters: new Set<string>() };
    const all = suite({
      rows: 20_000,
      perRung: 80,
      clusters: ['lists', 'lookup', 'composition', 'code'],
      heldOutClusters: ['extraction'],
    });
    for (const row of all.rows) {
      trained.phrases.add(row.phrase.verb);
      trained.parameters.add(parameter(row));
    }
    for (const name of ['paraphrases', 'parameters', 'templates', 'compositions'] as const)
      for (const row of all.rungs[name]!) {
        expect(trained.phrases).toContain(row.phrase.verb);
        if (name === 'paraphrases' || name === 'templates') expect(trained.parameters).toContain(parameter(row));
        expect(HELD_OUT_STYLES.includes(row.style)).toBe(name === 'templates');
      }
    for (const row of all.rungs.clusters!) expect(all.heldOutClusters).toContain(row.cluster);
  });

  test('both skills of a held-out composition are trained in other pairs', () => {
    for (const split of [1, 2, 3]) {
      const all = suite({ clusters: ['composition'], rows: 5000, perRung: 60, split });
      const first = new Set(all.rows.map(row => `${row.task} ${row.parameter!.split(' | ')[0]}`));
      const second = new Set(all.rows.map(row => `${row.task} ${row.parameter!.split(' | ')[1]}`));
      for (const row of all.rungs.compositions!) {
        expect(first).toContain(`${row.task} ${row.parameter!.split(' | ')[0]}`);
        expect(second).toContain(`${row.task} ${row.parameter!.split(' | ')[1]}`);
      }
    }
  });

  test('wordings of one task that are held out are not another task’s trained ones', () => {
    const trained = new Map<string, string>();
    const fill = ({ prefix, verb, object }: { prefix: string; verb: string; object: string }) =>
      `${prefix} ${verb.replace('{o}', object)}`;
    const tasks = listTasks().filter(task => !task.baseOnly && task.cluster !== 'composition');
    for (const { name } of tasks) for (const p of wordingsOf(name).trained) trained.set(fill(p), name);
    const shared = tasks.flatMap(({ name }) =>
      wordingsOf(name)
        .heldOut.filter(p => trained.has(fill(p)))
        .map(p => [name, trained.get(fill(p)), fill(p)]),
    );
    // `replace {x} with {y}` is said of letters by one task and of words by another, never of the same object.
    expect(shared).toEqual([]);
  });
});

describe('a fixed budget', () => {
  const instructionOf = (row: SuiteRow) => JSON.stringify([row.task, row.parameter, row.phrase]);
  const counts = (rows: SuiteRow[]) => {
    const by = new Map<string, number>();
    for (const row of rows) by.set(instructionOf(row), (by.get(instructionOf(row)) ?? 0) + 1);
    return [...by.values()].sort((a, b) => b - a);
  };

  test.each([1, 8, 64, 500, 2000])('2,000 rows over %i instructions', diversity => {
    const { rows } = suite({ rows: 2000, perRung: 10, diversity });
    expect(rows).toHaveLength(2000);
    const spread = counts(rows);
    expect(spread).toHaveLength(diversity);
    expect(spread[0]! - spread.at(-1)!).toBeLessThanOrEqual(1);
  });

  test('long-tailed: by Zipf’s law, each at least once', () => {
    const spread = counts(suite({ rows: 2000, perRung: 10, diversity: 100, distribution: 'long-tail' }).rows);
    expect(spread).toHaveLength(100);
    expect(spread.reduce((a, b) => a + b)).toBe(2000);
    expect(spread[0]! / spread[9]!).toBeGreaterThan(7);
    expect(spread.at(-1)).toBeGreaterThanOrEqual(1);
  });

  test('the instructions of a smaller arm are among those of a larger one, and the far rungs are the same', () => {
    const [few, many] = [64, 256].map(diversity => suite({ rows: 512, perRung: 30, diversity })) as [Suite, Suite];
    const larger = new Set(many.rows.map(instructionOf));
    expect(few.rows.filter(row => !larger.has(instructionOf(row)))).toEqual([]);
    for (const name of SUITE_RUNGS.slice(1)) expect(few.rungs[name]).toEqual(many.rungs[name]);
    const trained = new Set(few.rows.map(instructionOf));
    expect(few.rungs['new inputs']!.filter(row => !trained.has(instructionOf(row)))).toEqual([]);
  });
});

describe('what base text shows and what it keeps to itself', () => {
  const lines = world.baseText(6000);
  test('facts in base text, and in no row', () => {
    for (const { prompt: fact, answer } of FACTS) expect(lines).toContain(`${fact} ${answer}.`);
    const rows = every(world).map(row => row.messages.map(message => message.content).join(' '));
    expect(rows.filter(text => FACTS.some(fact => text.includes(fact.prompt)))).toEqual([]);
    expect(world.facts).toBe(FACTS);
  });

  test('skills and verbs that instructions never have are in it, held-out compositions and answered tests are not', () => {
    for (const row of world.rungs['base-only skills']!) {
      const verb = row.phrase.verb.replace(/ ?\{.*/, '');
      expect(lines.some(line => line.includes(verb))).toBe(true);
    }
    for (const row of world.rungs.compositions!)
      expect(
        lines.some(
          line => line.includes(`${row.instruction.replace(/^.*(first|then) /, '')}:`) && line.includes(row.instruction),
        ),
      ).toBe(false);
    const tested = Object.values(world.rungs)
      .flat()
      .map(row => row.messages.find(m => m.role === 'user')!.content);
    const text = lines.join('\n');
    expect(tested.filter(content => text.includes(`${content} =`))).toEqual([]);
  });

  test('the kinds of line have their shares', () => {
    const share = (is: (line: string) => boolean) => lines.filter(is).length / lines.length;
    expect(share(line => line.includes(' ='))).toBeGreaterThan(0.5);
    expect(share(line => FACTS.some(fact => line === `${fact.prompt} ${fact.answer}.`))).toBeCloseTo(0.14, 1);
    expect(share(line => /^\w+s: [a-z ]+\.$/.test(line))).toBeCloseTo(0.04, 1);
  });
});

describe('what cannot be had is refused, and the error says what can', () => {
  const cases: [SuiteOptions, RegExp][] = [
    [{ tasks: ['revers words'] }, /no task is called "revers words".*one of reverse words, .*did you mean "reverse words"\?/],
    [{ clusters: ['list'] }, /did you mean "lists"\?/],
    [{ clusters: ['nonsense'] }, /one of transform, lookup/],
    [{ tasks: ['leave out first'] }, /no task is called/],
    [{ heldOutClusters: ['codes'] }, /did you mean "code"\?/],
    [{ clusters: ['lists'], heldOutClusters: ['lists'] }, /"lists" is both trained and held out/],
    [{ tasks: ['sort'], heldOutClusters: ['lists', 'code'] }, /both trained and held out/],
    [{ heldOutClusters: CLUSTERS }, /no task is left to train/],
    [{ clusters: [] }, /no task is left to train/],
    [{ clusters: 'lists' as unknown as string[] }, /an array of names, found "lists"/],
    [{ styles: [] }, /styles/],
    [{ difficulty: [] as unknown as [number, number] }, /difficulty/],
    [{ styles: ['tags'] }, /no style is called "tags"/],
    [{ difficulty: 6 }, /from 1 to 5/],
    [{ difficulty: [3, 1] }, /from 3 to 5/],
    [{ shots: -1 }, /shots/],
    [{ rows: 0 }, /rows/],
    [{ rows: 1.5 }, /rows/],
    [{ perRung: 1e9 }, /perRung/],
    [{ rows: 100, diversity: 101 }, /at most 100, the number of rows/],
    [{ diversity: 1e6, rows: 1e6 }, /from 1 to \d+, the number of different instructions/],
    [{ diversity: 0 }, /diversity/],
    [{ dificulty: 3 } as SuiteOptions, /no option "dificulty".*did you mean "difficulty"\?/],
    [{ per_rung: 3 } as SuiteOptions, /did you mean "perRung"\?/],
    [{ distribution: 'zipf' as 'uniform' }, /uniform, long-tail/],
    [{ tasks: ['kind of word'], perRung: 10_000 }, /the rung "\w+" has not so many different rows/],
  ];
  test.each(cases)('%o', (options, message) => {
    expect(() => suite({ rows: 50, perRung: 5, ...options })).toThrow(BadInput);
    expect(() => suite({ rows: 50, perRung: 5, ...options })).toThrow(message);
  });

  test('names of what is not asked for stay out: one task alone has the rungs it can have', () => {
    const one = suite({ tasks: ['sort'], rows: 50, perRung: 5, heldOutClusters: [] });
    expect(one.tasks).toEqual(['sort']);
    expect(Object.keys(one.rungs)).toEqual(['new inputs', 'paraphrases', 'templates', 'base-only verbs', 'base-only skills']);
  });
});

describe('the same question in other words', () => {
  const row = world.rungs['new inputs']![0]!;
  test('another layout, another instruction, none', () => {
    const tagged = reword(row, { style: 'tags' });
    expect(tagged.messages.at(-2)!.content).toBe(`<task>${row.instruction}</task>\n<data>${row.input}</data>`);
    expect(tagged.messages.at(-1)).toEqual(row.messages.at(-1));
    expect(reword(row, { instruction: '' }).messages.at(-2)!.content).toBe(row.input);
    expect(reword(row, { instruction: 'do it', style: 'colon' }).messages.at(-2)!.content).toMatch(/^do it:/);
    expect(reword(row, {})).toEqual(row);
    const shot = reword(row, { examples: [{ input: 'a', answer: 'b' }], style: 'lines' });
    expect(reword(shot, { examples: [], style: row.style })).toEqual(row);
    expect(shot.messages.at(-2)!.content).toContain('a = b\n');
  });

  test('a style that is none, and a row that is not of the suite', () => {
    expect(() => reword(row, { style: 'tag' })).toThrow(/did you mean "tags"/);
    expect(() => reword({ messages: row.messages } as SuiteRow, {})).toThrow(BadInput);
  });
});

test('the quickstart is a world like the suite, its smallest member', () => {
  const worlds: World[] = [world, quickstart({ rows: 200, perRung: 20 })];
  for (const { rows, rungs, heldOut, baseText, heldOutText, facts } of worlds) {
    for (const name of heldOut) expect(rungs[name]!.length).toBeGreaterThan(0);
    for (const row of [...rows, ...Object.values(rungs).flat()])
      expect(judge({ kind: 'exact', answers: [''] }, String(row.messages.at(-1)!.content)).correct).toBe(false);
    const prompts = new Set(rows.map(row => JSON.stringify(row.messages.slice(0, -1))));
    expect(
      Object.values(rungs)
        .flat()
        .filter(row => prompts.has(JSON.stringify(row.messages.slice(0, -1)))),
    ).toEqual([]);
    expect(baseText(5)).toHaveLength(5);
    expect(heldOutText).toHaveLength(300);
    expect(facts).toBe(FACTS);
  }
});
