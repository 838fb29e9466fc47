import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { contentText, type Row } from '../../../src/prepare/data/index.js';
import { fromRows } from '../../../src/prepare/tasks/index.js';

const row = (question: string, answer: string): Row => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});

describe('fromRows', () => {
  const rows = Array.from({ length: 50 }, (_, i) => row(`question ${i}`, `answer ${i}`));

  test('holds out a fifth at most, deterministically, and trains on the rest', () => {
    const set = fromRows(rows);
    expect(set.rungs['held-out rows']).toHaveLength(10);
    expect(set.rows).toHaveLength(40);
    expect(fromRows(rows)).toEqual(set);
    expect(fromRows(rows, { seed: 2 })).not.toEqual(set);
    expect(fromRows(rows, { heldOut: 3 }).rungs['held-out rows']).toHaveLength(3);
  });

  test('a question asked twice is not trained when it is tested', () => {
    const twice = [...rows, ...rows.map((_, i) => row(` question ${i} `, 'another answer'))];
    const set = fromRows(twice, { heldOut: 20 });
    const trained = new Set(set.rows.map(r => contentText(r.messages[0]!).trim()));
    for (const tested of set.rungs['held-out rows']!) expect(trained).not.toContain(contentText(tested.messages[0]!).trim());
    expect(set.rows.length).toBeLessThan(twice.length - 20);
  });

  test('one row alone cannot be split', () => {
    expect(() => fromRows(rows.slice(0, 1))).toThrow(BadInput);
    expect(() => fromRows(rows.map(() => row('the same', 'answer')))).toThrow(/no row is left to train/);
    expect(() => fromRows(rows, { heldout: 3 } as object)).toThrow(/did you mean "heldOut"/);
  });
});
