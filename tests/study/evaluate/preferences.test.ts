import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BadInput, Random, viewOf } from '../../../src/base/core/index.js';
import {
  agreement,
  bradleyTerry,
  judgeAnswers,
  pairs,
  preferences,
  type Rating,
  readRatings,
  wilson,
} from '../../../src/study/evaluate/index.js';
import { row } from './stub.js';

const folder = mkdtempSync(join(tmpdir(), 'tunebook-ratings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `wins` times a, `losses` times b, `ties` times neither; every rating of a pair of its own. */
const met = (a: string, b: string, wins: number, losses: number, ties = 0, rater = 'me'): Rating[] =>
  Array.from({ length: wins + losses + ties }, (_, i) => ({
    item: `${i}/${a}/${b}`,
    rater,
    models: [a, b] as const,
    ...(i < wins ? { winner: a } : i < wins + losses ? { winner: b } : {}),
  }));

describe('pairs', () => {
  const rows = Array.from({ length: 30 }, (_, i) => row(`say ${i}`, `${i}`, { task: i < 20 ? 'many' : 'few' }));
  const arm = (name: string, answer: (i: number) => string) =>
    judgeAnswers(
      rows.map((_, i) => answer(i)),
      { rows, name },
    );

  it('are made of every two models, with the prompts of every task in its share, and only where they differ', async () => {
    const scored = await Promise.all([
      arm('base', () => 'a'),
      arm('tuned', i => (i === 3 ? 'a' : `${i}`)),
      arm('big', i => `${i}!`),
    ]);
    const all = pairs(scored, { rows: 30 });
    expect(all.length).toBe(30 * 3 - 1);
    expect(new Set(all.map(pair => pair.item)).size).toBe(all.length);
    expect(all.every(({ answers: [a, b] }) => a.text !== b.text)).toBe(true);
    const some = pairs(scored.slice(0, 2), { rows: 9 });
    expect(some.filter(pair => pair.task === 'few').length).toBe(3);
    expect(some[0]!.prompt).toEqual([{ role: 'user', content: expect.stringMatching(/^say /) }]);
    expect(pairs(scored.slice(0, 2), { rows: 9 })).toEqual(some);
    expect(pairs(scored.slice(0, 2), { rows: 9, seed: 2 })).not.toEqual(some);
  });

  it('are refused of one model, of equal names, of other rows', async () => {
    const one = await arm('base', () => 'a');
    const other = await judgeAnswers(['b'], { rows: rows.slice(0, 1), name: 'other' });
    for (const wrong of [[], [one], [one, await arm('base', () => 'b')], [one, other]])
      expect(() => pairs(wrong)).toThrow(BadInput);
  });
});

describe('Bradley–Terry', () => {
  it('of two models: the log odds, ties as half a win', () => {
    const found = bradleyTerry(met('a', 'b', 6, 2, 2), { prior: 0 });
    expect(found.map(({ model }) => model)).toEqual(['a', 'b']);
    expect(found[0]!.strength - found[1]!.strength).toBeCloseTo(Math.log(7 / 3), 8);
  });

  it('of several: as many wins as the strengths foretell, which is the maximum of the likelihood', () => {
    const ratings = [...met('a', 'b', 7, 3), ...met('b', 'c', 6, 5, 1), ...met('a', 'c', 9, 4, 2), ...met('c', 'd', 3, 8)];
    const strengths = new Map(bradleyTerry(ratings, { prior: 0 }).map(({ model, strength }) => [model, strength]));
    for (const model of ['a', 'b', 'c', 'd']) {
      const own = ratings.filter(rating => rating.models.includes(model));
      const won = own.reduce((sum, { winner }) => sum + (winner === undefined ? 0.5 : Number(winner === model)), 0);
      const foretold = own.reduce((sum, { models }) => {
        const other = models.find(name => name !== model)!;
        return sum + 1 / (1 + Math.exp(strengths.get(other)! - strengths.get(model)!));
      }, 0);
      expect(foretold, model).toBeCloseTo(won, 6);
    }
  });

  it('a model that always wins has a finite strength by the prior, and is refused without', () => {
    const ratings = [...met('a', 'b', 5, 0), ...met('b', 'c', 2, 2)];
    const [first] = bradleyTerry(ratings);
    expect(first!.model).toBe('a');
    expect(Number.isFinite(first!.strength)).toBe(true);
    expect(() => bradleyTerry(ratings, { prior: 0 })).toThrow(/always or never/);
  });
});

describe('agreement', () => {
  const said = (rater: string, answers: string): Rating[] =>
    [...answers].flatMap((answer, i) =>
      answer === ' '
        ? []
        : [
            {
              item: `${i}`,
              rater,
              models: ['a', 'b'] as const,
              ...(answer === '.' ? {} : { winner: answer === '0' ? 'a' : 'b' }),
            },
          ],
    );

  it("is Krippendorff's α of his own example", () => {
    // Krippendorff 2011, "Computing Krippendorff's alpha-reliability", A: two observers, ten units.
    const found = agreement([...said('meg', '0100000010'), ...said('owen', '1110010000')]);
    expect(found.alpha).toBeCloseTo(0.095, 3);
    expect(found).toMatchObject({ items: 10, raters: 2, same: 0.6 });
  });

  it('is 1 when all agree, ties too; pairs that one rater missed do not count; nothing is known of one rater', () => {
    expect(agreement([...said('x', '01.0'), ...said('y', '01.0'), ...said('z', '0  0')])).toMatchObject({
      alpha: 1,
      items: 4,
      same: 1,
    });
    expect(agreement([...said('x', '010'), ...said('y', '0')])).toMatchObject({ items: 1 });
    expect(agreement(said('x', '010'))).toMatchObject({ alpha: Number.NaN, items: 0, same: Number.NaN });
    // The same pair shown the other way round is the same pair.
    const turned = said('y', '0110').map(({ models: [a, b], ...rest }) => ({ ...rest, models: [b, a] as const }));
    expect(agreement([...said('x', '0110'), ...turned])).toMatchObject({ alpha: 1, same: 1 });
  });
});

describe('preferences', () => {
  it('a winner that is none of the two is refused', async () => {
    const odd = { item: '1', rater: 'x', models: ['a', 'b'] as const, winner: 'c' };
    await expect(preferences([odd])).rejects.toThrow(/none of the two.*a or b, found "c"/);
  });

  it('win rates with intervals, the better model first, and strengths with theirs', async () => {
    const found = await preferences([
      ...met('base', 'tuned', 3, 14, 3),
      ...met('base', 'big', 1, 9),
      ...met('big', 'tuned', 5, 5),
    ]);
    expect(found.winRates[0]).toEqual({
      model: 'tuned',
      against: 'base',
      wins: 14,
      losses: 3,
      ties: 3,
      n: 20,
      rate: 15.5 / 20,
      ...wilson(15.5, 20),
    });
    expect(found.ranking.at(-1)!.model).toBe('base');
    for (const { strength, low, high, chance } of found.ranking) {
      expect(low).toBeLessThan(strength);
      expect(high).toBeGreaterThan(strength);
      expect(chance).toBeCloseTo(1 / (1 + Math.exp(-strength)), 12);
    }
    expect(await preferences(found.ratings)).toEqual(found);
    const view = viewOf(found) as { kind: string; data: { reference: number; rows: { label: string }[]; notes: string[] } };
    expect([view.kind, view.data.reference, view.data.rows.length]).toEqual(['intervals', 0, 3]);
    const two = viewOf(await preferences(met('a', 'b', 3, 1))) as typeof view;
    expect(two.data.rows[0]!.label).toBe('a against b');
    expect(two.data.notes.join()).toMatch(/nothing is known of their agreement/);
    await expect(preferences([])).rejects.toThrow(/no ratings/);
  });

  it('strengths that are known come back', async () => {
    const random = new Random(2);
    const truth = { a: 1, b: 0, c: -1 } as const;
    const names = ['a', 'b', 'c'] as const;
    const ratings = Array.from({ length: 900 }, (_, i): Rating => {
      const [x, y] = random.sample(names, 2) as [keyof typeof truth, keyof typeof truth];
      const wins = random.next() < 1 / (1 + Math.exp(truth[y] - truth[x]));
      return { item: `${i}`, rater: 'me', models: [x, y], winner: wins ? x : y };
    });
    for (const { model, low, high } of (await preferences(ratings)).ranking) {
      expect(low, model).toBeLessThan(truth[model as 'a'] + 0.1);
      expect(high, model).toBeGreaterThan(truth[model as 'a'] - 0.1);
      expect(high - low).toBeLessThan(0.8);
    }
  });

  it('are read from the file of ratings: the last of a rater counts, what is no rating is told', async () => {
    const file = join(folder, 'ratings.jsonl');
    const line = (item: string, winner?: string, rater = 'me') =>
      `${JSON.stringify({ prompt: [], chosen: [], rejected: [], meta: { item, rater, models: ['a', 'b'], ...(winner ? { winner } : {}) } })}\n`;
    writeFileSync(
      file,
      `${line('1', 'a')}${line('2')}${line('1', 'b')}${line('1', 'a', 'you')}${line('3', 'c')}{"x":1}\n{"meta":{"it`,
    );
    const { ratings, skipped } = await readRatings(file);
    expect(ratings).toEqual([
      { item: '1', rater: 'me', models: ['a', 'b'], winner: 'b' },
      { item: '2', rater: 'me', models: ['a', 'b'] },
      { item: '1', rater: 'you', models: ['a', 'b'], winner: 'a' },
    ]);
    expect(skipped.map(({ line }) => line)).toEqual([5, 6, 7]);
    expect((await preferences(file)).winRates[0]).toMatchObject({ n: 3, ties: 1 });
  });
});
