import { describe, expect, it } from 'vitest';
import { History } from '../../src/kernel/history.js';

function filled(): History {
  const history = new History();
  ['a = 1', 'b(2)', 'a = 1', 'c*'].forEach((input, i) => {
    history.add(i + 1, input);
  });
  history.setOutput(2, '2');
  return history;
}

describe('history', () => {
  it('gives the tail, oldest first', () => {
    expect(filled().query({ hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 3, 'a = 1'],
      [1, 4, 'c*'],
    ]);
    expect(filled().query({ hist_access_type: 'tail', n: 0 })).toEqual([]);
    expect(new History().query({ hist_access_type: 'tail', n: 5 })).toEqual([]);
  });

  it('gives a range with the end left out, and nothing of sessions there were not', () => {
    expect(
      filled()
        .query({ hist_access_type: 'range', session: 1, start: 2, stop: 4 })
        .map(each => each[1]),
    ).toEqual([2, 3]);
    expect(filled().query({ hist_access_type: 'range', session: 7, start: 1, stop: 4 })).toEqual([]);
  });

  it('searches by glob, where regular expression characters are plain', () => {
    expect(
      filled()
        .query({ hist_access_type: 'search', pattern: '?(2)' })
        .map(each => each[2]),
    ).toEqual(['b(2)']);
    expect(filled().query({ hist_access_type: 'search', pattern: 'a*', unique: true })).toHaveLength(1);
    expect(filled().query({ hist_access_type: 'search', pattern: 'a' })).toEqual([]);
  });

  it('finds each input once, at its last use, and matches hostile globs in good time', () => {
    const unique = filled().query({ hist_access_type: 'search', pattern: '*', unique: true });
    expect(unique.map(each => each[1])).toEqual([2, 3, 4]);
    const history = new History();
    history.add(1, 'a'.repeat(2000));
    expect(history.query({ hist_access_type: 'search', pattern: `${'*a'.repeat(50)}*b` })).toEqual([]);
    expect(history.query({ hist_access_type: 'search', pattern: `${'*a'.repeat(50)}*` })).toHaveLength(1);
  });

  it('adds outputs when asked', () => {
    expect(filled().query({ hist_access_type: 'range', session: 1, start: 1, stop: 3, output: true })).toEqual([
      [1, 1, ['a = 1', null]],
      [1, 2, ['b(2)', '2']],
    ]);
  });
});
