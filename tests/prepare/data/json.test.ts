import { describe, expect, test } from 'vitest';
import { elementLines, locateJsonFault } from '../../../src/prepare/data/json.js';

describe('locateJsonFault', () => {
  test.each([
    ['{"a": 1,}', 9, 'a key in double quotes'],
    ["{'a': 1}", 2, 'a key in double quotes'],
    ['{"a" 1}', 6, '":" after the key'],
    ['[1 2]', 4, '"," or "]" after a value'],
    ['[1,]', 4, 'a value after ","'],
    ['{"a": tru}', 7, 'a value (text needs double quotes)'],
    ['{"a": "b', 7, 'a closing double quote'],
    ['{"a": "\\x"}', 8, 'a valid escape such as \\n or \\u00e9'],
    ['{} {}', 4, 'the end of the text after one JSON value'],
    ['', 1, 'a value'],
    ['[01]', 3, '"," or "]" after a value'],
  ])('%j: column %i', (text, column, expected) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(locateJsonFault(text)).toMatchObject({ line: 1, column, expected });
  });

  test('agrees with JSON.parse that valid texts are valid', () => {
    for (const text of ['{}', '[]', ' [1, -2.5e+3, "\\u00e9\\n", null, {"a": [true, false]}] ', '0', '"x"', '{"a":{"b":{}}}']) {
      JSON.parse(text);
      expect(locateJsonFault(text)).toBeUndefined();
    }
  });

  test('every single-character deletion from a row is located or still valid', () => {
    const text = '{"instruction": "a\\tb", "n": [1.5, {"k": null}], "output": "c"}';
    for (let i = 0; i < text.length; i++) {
      const broken = text.slice(0, i) + text.slice(i + 1);
      let valid = true;
      try {
        JSON.parse(broken);
      } catch {
        valid = false;
      }
      expect(locateJsonFault(broken) === undefined, broken).toBe(valid);
    }
  });

  test('deep nesting does not overflow the stack', () => {
    expect(locateJsonFault('['.repeat(200_000))).toMatchObject({ column: 200_001 });
  });
});

test('elementLines gives the line of each element of an array', () => {
  expect(elementLines('[\n1,\n\n"a\\"]",{"x":[\n1,2]},\n[\n]\n]')).toEqual([2, 4, 4, 6]);
  expect(elementLines('[]')).toEqual([]);
});
