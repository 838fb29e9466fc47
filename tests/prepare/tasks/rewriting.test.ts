import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { check, type RewritingRow, rewriting } from '../../../src/prepare/tasks/index.js';
import { get } from '../../../src/prepare/templates/index.js';
import { encode, Tokenizer } from '../../../src/prepare/tokens/index.js';

const world = rewriting({ rules: 64 });
const answer = (row: RewritingRow) => row.messages[1]!.content;
const key = (row: RewritingRow) => `${row.instruction}:${row.input}`;

describe('the world of string rewriting', () => {
  test('is the one of the published experiment: two letters of sixteen, eight letters that hold them once, one answer', () => {
    for (const row of [...world.rows.slice(0, 3000), ...world.rungs['unseen rules']]) {
      const [, from, to] = /^([a-p]{2})>([a-p]{2})$/.exec(row.instruction)!;
      expect(from).not.toBe(to);
      expect(row.input).toMatch(/^[a-p]{8}$/);
      const places = [...row.input].flatMap((_, i) => (row.input.startsWith(from!, i) ? [i] : []));
      expect(places).toHaveLength(1);
      expect(answer(row)).toBe(row.input.slice(0, places[0]) + to + row.input.slice(places[0]! + 2));
      expect(row.messages[0]!.content).toBe(`${row.instruction}:${row.input}=`);
    }
  });

  test.each([1, 8, 64, 512, 2048, 16_384])('16,384 examples whatever the number of rules: %i', rules => {
    const { rows, rules: trained } = rewriting({ rules });
    expect(rows).toHaveLength(16_384);
    expect(trained).toHaveLength(rules);
    expect(new Set(rows.map(row => row.instruction)).size).toBe(rules);
  });

  test('400 rules are never trained, the same ones for every number of rules; smaller worlds’ rules are in larger ones', () => {
    const larger = rewriting({ rules: 512 });
    const held = new Set(world.heldRules.map(rule => `${rule.from}>${rule.to}`));
    expect(held.size).toBe(400);
    expect(larger.heldRules).toEqual(world.heldRules);
    expect(larger.rules.slice(0, 64)).toEqual(world.rules);
    expect(larger.rows.filter(row => held.has(row.instruction))).toEqual([]);
    expect(new Set(world.rungs['unseen rules'].map(row => row.instruction))).toEqual(held);
    expect(world.rungs['unseen rules']).toEqual(larger.rungs['unseen rules']);
  });

  test('no tested question is trained, though its rule is', () => {
    const asked = new Set(world.rungs['new inputs'].map(key));
    expect(asked.size).toBe(400);
    expect(world.rows.filter(row => asked.has(key(row)))).toEqual([]);
    const rules = new Set(world.rows.map(row => row.instruction));
    expect(world.rungs['new inputs'].filter(row => !rules.has(row.instruction))).toEqual([]);
  });

  test('long-tailed: some rules have many examples, each has one', () => {
    const { rows } = rewriting({ rules: 100, examples: 4000, distribution: 'long-tail' });
    const counts = new Map<string, number>();
    for (const row of rows) counts.set(row.instruction, (counts.get(row.instruction) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    expect(rows).toHaveLength(4000);
    expect(sorted).toHaveLength(100);
    expect(sorted[0]! / sorted[9]!).toBeGreaterThan(7);
  });

  test('the checker takes the answer and nothing near it', () => {
    for (const row of world.rows.slice(0, 200)) {
      const right = answer(row);
      expect(check(row, right).correct).toBe(true);
      const other = world.rows.find(r => answer(r) !== right)!;
      const wrong = [
        row.input,
        row.messages[0]!.content,
        '',
        right.slice(1),
        `${right}a`,
        [...right].reverse().join(''),
        answer(other),
        `${right} ${right}`,
        right.split('').join(' '),
      ];
      for (const text of wrong) if (text !== right) expect([text, check(row, text).correct]).toEqual([text, false]);
    }
  });

  test('is the same on every machine', () => {
    const digest = (seed: number) =>
      createHash('sha256')
        .update(JSON.stringify(rewriting({ rules: 32, examples: 500, perRung: 50, seed })))
        .digest('hex')
        .slice(0, 16);
    expect(digest(1)).toBe('669eeee758c880a1');
    expect(digest(2)).not.toBe(digest(1));
  });
});

describe('as ids', () => {
  const row = world.rows[0]!;
  test('24 a row, one a character and the end, the answer labelled', () => {
    for (const each of world.rows.slice(0, 100)) {
      const { ids, labels } = world.encode(each);
      expect(ids).toHaveLength(24);
      expect(labels.slice(0, 15)).toEqual(new Array(15).fill(-100));
      expect(labels.slice(15)).toEqual(ids.slice(15));
      expect(ids.at(-1)).toBe(0);
      expect(
        ids
          .slice(0, -1)
          .map(id => world.vocabulary[id])
          .join(''),
      ).toBe(each.messages.map(m => m.content).join(''));
    }
    expect(world.encode(row, { train: 'all' }).labels).toEqual(world.encode(row).ids);
    expect(world.vocabulary).toHaveLength(20);
  });

  test('the same through the tokenizer and text', () => {
    const tokenizer = Tokenizer.fromJSON(world.tokenizer as never, { eos_token: '<end>' } as never);
    const encoded = encode(row.messages, { tokenizer, template: get('plain'), train: 'all' });
    expect(encoded.ids).toEqual(world.encode(row).ids);
    expect(tokenizer.decode(world.encode(row).ids, { skipSpecial: true })).toBe(row.messages.map(m => m.content).join(''));
    expect(world.decode(world.encode(row).ids.slice(15))).toBe(answer(row));
  });

  test('a character of another world is named', () => {
    expect(() => world.encode({ ...row, messages: [{ role: 'user', content: 'AB' }, row.messages[1]!] })).toThrow(
      /one of > : = a b/,
    );
  });
});

test('what cannot be had is refused', () => {
  for (const options of [
    { rules: 0 },
    { rules: 65_280 },
    { held: 0 },
    { examples: 0 },
    { perRung: 0 },
    { rules: 1.5 },
    { distribution: 'zipf' as 'uniform' },
  ])
    expect(() => rewriting(options)).toThrow(BadInput);
  expect(() => rewriting({ rules: 100, examples: 99 })).toThrow(/more instructions than rows.*at most 99/);
});
