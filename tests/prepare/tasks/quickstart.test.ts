import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import {
  check,
  FACTS,
  HELD_OUT_NOUNS,
  KINDS,
  NAMES,
  NOUNS,
  questionKey,
  quickstart,
  RUNGS,
  SKILLS,
  skill,
  solves,
  TRAINED_NOUNS,
  WORDINGS,
} from '../../../src/prepare/tasks/index.js';

const world = quickstart({ seed: 1, rows: 5000, perRung: 200 });
const user = (row: { messages: { content: string }[] }) => row.messages[0]!.content;
const answer = (row: { messages: { content: string }[] }) => row.messages[1]!.content;

describe('the world', () => {
  test('has 4 kinds of 8 nouns, 16 names, and two held-out nouns of every kind', () => {
    expect(Object.values(KINDS).map(nouns => nouns.length)).toEqual([8, 8, 8, 8]);
    expect(new Set(NOUNS).size).toBe(32);
    expect(new Set(NAMES).size).toBe(16);
    for (const nouns of Object.values(KINDS)) expect(nouns.filter(noun => HELD_OUT_NOUNS.includes(noun))).toHaveLength(2);
  });

  test('deals every city, food and animal to exactly two people', () => {
    expect(FACTS).toHaveLength(48);
    for (const relation of ['lives in', 'likes to eat', 'owns a']) {
      const answers = FACTS.filter(fact => fact.prompt.endsWith(relation)).map(fact => fact.answer);
      expect(count(answers)).toEqual(Array(8).fill(2));
    }
  });

  function count(items: string[]): number[] {
    const counts = new Map<string, number>();
    for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
    return [...counts.values()];
  }
});

describe('quickstart', () => {
  test('equal seeds give equal worlds, other seeds others', () => {
    const small = { rows: 50, perRung: 20 };
    expect(quickstart({ seed: 3, ...small }).rows).toEqual(quickstart({ seed: 3, ...small }).rows);
    expect(quickstart({ seed: 3, ...small }).rungs).toEqual(quickstart({ seed: 3, ...small }).rungs);
    expect(quickstart({ seed: 4, ...small }).rows).not.toEqual(quickstart({ seed: 3, ...small }).rows);
    expect(world.baseText(20)).toEqual(world.baseText(20));
    expect(world.baseText(20)).not.toEqual(world.baseText(20, 'other'));
    expect(world.heldOutText).not.toEqual(world.baseText(300));
  });

  test('ten instructed skills with 72 wordings each, a quarter of them held out', () => {
    expect(new Set(world.rows.map(row => row.task)).size).toBe(10);
    for (const { trained, heldOut } of WORDINGS.values()) expect([trained.length, heldOut.length]).toEqual([54, 18]);
  });

  test('every rung has its rows, all different', () => {
    expect(Object.keys(world.rungs)).toEqual([...RUNGS]);
    for (const rows of Object.values(world.rungs)) expect(new Set(rows.map(user)).size).toBe(200);
  });

  test('no test question is trained, and nothing held out is', () => {
    const asked = new Set(world.rows.map(questionKey));
    expect(
      Object.values(world.rungs)
        .flat()
        .filter(row => asked.has(questionKey(row))),
    ).toEqual([]);
    const wordings = new Set([...WORDINGS.values()].flatMap(split => split.heldOut.map(w => JSON.stringify(w))));
    const ownVerbs = new Set(SKILLS.filter(s => s.instructed).flatMap(s => s.verbs.slice(0, 2)));
    const leaks = world.rows.filter(
      ({ wording, question }) =>
        wordings.has(JSON.stringify(wording)) ||
        !ownVerbs.has(wording.verb) ||
        (question.parameter !== undefined && !TRAINED_NOUNS.includes(question.parameter)),
    );
    expect(leaks).toEqual([]);
  });

  test('every rung holds out what its name says', () => {
    const heldOutWording = (row: (typeof world.rows)[number]) =>
      WORDINGS.get(row.task)?.heldOut.some(w => JSON.stringify(w) === JSON.stringify(row.wording)) ?? false;
    const heldOutNoun = (row: (typeof world.rows)[number]) => HELD_OUT_NOUNS.includes(row.question.parameter ?? '');
    const shape = (rung: keyof typeof world.rungs) => {
      const rows = world.rungs[rung];
      return [rows.every(heldOutWording), rows.some(heldOutWording), rows.every(heldOutNoun), rows.some(heldOutNoun)];
    };
    expect(shape('new inputs')).toEqual([false, false, false, false]);
    expect(shape('paraphrase')).toEqual([true, true, false, false]);
    expect(shape('parameters')).toEqual([false, false, true, true]);
    expect(shape('both')).toEqual([true, true, true, true]);
    for (const row of world.rungs['base-only verb']) expect(skill(row.task).verbs.indexOf(row.wording.verb)).toBe(2);
    for (const row of world.rungs['base-only skill']) expect(skill(row.task).instructed).toBe(false);
  });

  test('base text has its shares of lines, and never an answered instruction or a held-out wording', () => {
    const lines = world.baseText(4000);
    const share = (is: (line: string) => boolean) => lines.filter(is).length / lines.length;
    expect(share(line => line.includes('='))).toBeCloseTo(0.53, 1);
    expect(share(line => / (lives in|likes to eat|owns a) \w+ \.$/.test(line))).toBeCloseTo(0.16, 1);
    expect(share(line => line.includes('is a kind of'))).toBeCloseTo(0.06, 1);
    const exams = lines.filter(line => line.includes(' : ') && !line.includes('='));
    expect(exams.length / lines.length).toBeCloseTo(0.1, 1);
    const heldOut = Object.values(world.rungs).flat().map(user);
    for (const line of exams) for (const text of line.split(' .')) expect(heldOut).not.toContain(text.trim());
    for (const line of lines) expect(line).not.toMatch(/(this|the|these) (list|words?|things?|items?) : [a-z ]+ =/);
  });

  test('gives what it has always given: notebooks and their cached base model rest on it', () => {
    const hash = createHash('sha256');
    for (const options of [{}, { seed: 2, rows: 500, perRung: 50 }]) {
      const given = quickstart(options);
      hash.update(JSON.stringify(given));
      hash.update(given.baseText(2000).join('\n'));
    }
    expect(hash.digest('hex')).toBe('25e9a72d000b48847978a4588b22e2584eedb0e6c2ca7357f8d97dd8cc2d86b9');
  });

  test('a count that makes no sense is refused', () => {
    expect(() => quickstart({ rows: 0 })).toThrow(BadInput);
    expect(() => quickstart({ perRung: 5000 })).toThrow(/perRung/);
  });
});

describe('solves', () => {
  const words = ['cat', 'red', 'pen'];
  const right: Record<string, [string | undefined, string]> = {
    copy: [undefined, 'cat red pen'],
    reverse: [undefined, 'pen red cat'],
    first: [undefined, 'cat'],
    last: [undefined, 'pen'],
    count: [undefined, 'three'],
    delete: ['red', 'cat pen'],
    append: ['owl', 'cat red pen owl'],
    prepend: ['owl', 'owl cat red pen'],
    after: ['cat', 'red'],
    twice: [undefined, 'cat red pen cat red pen'],
    second: [undefined, 'red'],
  };

  test.each(Object.entries(right))('%s: the right answer and only that', (name, [parameter, solution]) => {
    expect(solves(name, { words, parameter }, solution)).toBe(true);
    expect(solves(name, { words, parameter }, `  ${solution.toUpperCase()}\n`)).toBe(true);
    const wrong = [...Object.values(right).map(([, other]) => other), '', 'cat cat', `${solution} cat`, `${solution} .`, 'four'];
    for (const other of wrong) if (other !== solution) expect(solves(name, { words, parameter }, other)).toBe(false);
  });

  test('classify knows the kinds', () => {
    expect(solves('classify', { words: ['owl'], parameter: 'owl' }, 'animal')).toBe(true);
    for (const other of ['food', 'color', 'tool', 'owl', '']) expect(solves('classify', { words: ['owl'] }, other)).toBe(false);
  });

  test('every generated row carries the answer its checker finds', () => {
    const all = [...world.rows, ...Object.values(world.rungs).flat()];
    expect(all.filter(row => !solves(row.task, row.question, answer(row)) || !check(row, answer(row)).correct)).toEqual([]);
  });
});
