import type { ChoiceSpec, ExactSpec, ListSpec, NumberSpec, Verdict } from '../types.js';
import { readNumber } from './numbers.js';
import { partly, RIGHT, wrong } from './verdict.js';
import { cite, fold, overlap, sayings, strip } from './words.js';

/** One of the texts, word for word. */
export function exact({ answers }: ExactSpec, answer: string): Verdict {
  const [folded, stripped] = [fold(answer), strip(answer)];
  if (answers.some(right => [folded, stripped].includes(fold(right)))) return RIGHT;
  const words = stripped.split(' ').filter(Boolean);
  const scores = answers.map(right => overlap(fold(right).split(' '), words));
  return partly(Math.max(0, ...scores), differs(answers[0] ?? '', answer));
}

/** One label and no other. */
export function choice({ answer: right, choices }: ChoiceSpec, answer: string): Verdict {
  if (strip(answer) === fold(right)) return RIGHT;
  const named = choices.filter(sayings(answer));
  if (named.length > 1) return wrong(`it names ${named.length} labels: ${named.join(', ')}`);
  return wrong(
    named.length === 1 && named[0] === right ? `it says more than the label: ${cite(answer)}` : differs(right, answer),
  );
}

/** A number and nothing else but a unit. */
export function number({ value, tolerance = 0, units = [] }: NumberSpec, answer: string): Verdict {
  if (!Number.isFinite(value)) throw new TypeError('a checker of numbers needs a value');
  let text = strip(answer);
  for (const unit of units) if (text.endsWith(` ${unit}`)) text = text.slice(0, -unit.length - 1);
  const found = readNumber(text);
  if (found === undefined) return wrong(answer.trim() === '' ? 'the answer is empty' : `it is not one number: ${cite(answer)}`);
  return Math.abs(found - value) <= tolerance ? RIGHT : wrong(`expected ${value}, found ${found}`);
}

const BULLET = /^[ \t]*[-*•–—]\s+/gm;
const NUMBERED = /^\s*\(?(\d+)[.)]\s+/;

/** The text without the numbers of its lines, where they count from one. */
function withoutNumbers(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '');
  return lines.every((line, i) => Number(NUMBERED.exec(line)?.[1]) === i + 1)
    ? lines.map(line => line.replace(NUMBERED, '')).join('\n')
    : text;
}

/** The items an answer lists: between commas and the like, and between spaces where no item is to hold one. */
function itemsOf(answer: string, expected: readonly string[]): string[] {
  const spaces = expected.some(item => item.includes(' '));
  const mark = /^[^\p{L}\p{N}]+$/u;
  return strip(withoutNumbers(answer).replace(BULLET, ', ').replace(/\n/g, ', '))
    .replace(/^\[(.*)\]$|^\((.*)\)$/s, '$1$2')
    .split(spaces ? /\s*(?:[,;|]|\s[-–—/&]\s|→|->|\band\b)\s*/ : /[\s,;|]+|→|->|\band\b/)
    .map(fold)
    .filter(item => item !== '' && (!mark.test(item) || expected.includes(item)));
}

const NONE = ['none', 'nothing', 'empty', 'no words', 'no items', 'there are none', '[]', '(none)', '()', '-'];

/** The items, in order or in any order. */
export function list({ items, ordered }: ListSpec, answer: string): Verdict {
  const expected = items.map(fold);
  const found = itemsOf(answer, expected);
  if (expected.length === 0 && NONE.includes(strip(answer))) return RIGHT;
  if (found.length === 0) return wrong(answer.trim() === '' ? 'the answer is empty' : `it has no items: ${cite(answer)}`);
  const [a, b] = ordered ? [expected, found] : [[...expected].sort(), [...found].sort()];
  if (a.length === b.length && a.every((item, i) => item === b[i])) return RIGHT;
  const missing = without(expected, found);
  const extra = without(found, expected);
  const why = missing.length
    ? `it lacks ${missing.join(', ')}`
    : extra.length
      ? `it adds ${cite(extra.join(', '))}`
      : 'the order is wrong';
  return partly(overlap(a, b), why);
}

/** What of `a` is left when each item of `b` takes one equal item away. */
function without(a: readonly string[], b: readonly string[]): string[] {
  const left = [...b];
  return a.filter(item => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function differs(right: string, answer: string): string {
  return answer.trim() === '' ? 'the answer is empty' : `expected ${cite(right)}, found ${cite(answer)}`;
}
