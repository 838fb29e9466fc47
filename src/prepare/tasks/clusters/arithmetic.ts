import type { Random } from '../../../base/core/index.js';
import { choice, number, type Task } from '../suite/task.js';
import { between } from '../suite/vocabulary.js';

const cluster = 'arithmetic';
const BOTH = ['these numbers', 'the numbers', 'the two numbers', 'this pair of numbers'];
const ONE = ['this number', 'the number'];
const MODULI = ['3', '4', '5', '6', '7', '8', '9', '10', '11', '12'];
const HOURS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11'];

const LARGEST = [9, 12, 20, 50, 99];
const operand = (random: Random, level: number) => random.int(LARGEST[level - 1]! + 1);

const rest = (value: number, modulus: string) => ((value % Number(modulus)) + Number(modulus)) % Number(modulus);

/** A task of two numbers and a modulus. */
function modular(name: string, verbs: readonly string[], baseVerb: string, compute: (a: number, b: number) => number): Task {
  return {
    name,
    cluster,
    verbs,
    baseVerb,
    objects: BOTH,
    parameters: MODULI,
    draw(random, level, modulus) {
      const [a, b] = [operand(random, level), operand(random, level)];
      return number(`${a} ${b}`, rest(compute(a, b), modulus));
    },
  };
}

/** Sums, differences and products by a modulus, the clock, even and odd: `add these numbers modulo 7: 5 9` → `0`. */
export const arithmetic: readonly Task[] = [
  modular(
    'add',
    ['add {o} modulo {p}', 'give the sum of {o} modulo {p}', 'add {o} and give the rest after division by {p}'],
    'total {o} modulo {p}',
    (a, b) => a + b,
  ),
  modular(
    'subtract',
    [
      'take the second of {o} from the first modulo {p}',
      'subtract the second of {o} from the first modulo {p}',
      'give the first of {o} minus the second modulo {p}',
    ],
    'lessen the first of {o} by the second modulo {p}',
    (a, b) => a - b,
  ),
  modular(
    'multiply',
    ['multiply {o} modulo {p}', 'give the product of {o} modulo {p}', 'multiply {o} and give the rest after division by {p}'],
    'work out the product of {o} modulo {p}',
    (a, b) => a * b,
  ),
  {
    name: 'clock',
    cluster,
    verbs: [
      'say what a clock of twelve hours shows {h} after {o}',
      'give the hour on a clock of twelve hours {h} after {o}',
      'move a clock of twelve hours {h} on from {o}',
    ],
    objects: ['this hour', 'the hour', 'this time'],
    parameters: HOURS,
    slots: hours => ({ h: `${hours} ${hours === '1' ? 'hour' : 'hours'}` }),
    few: true,
    draw(random, _level, hours) {
      const now = between(random, 1, 12);
      return number(String(now), ((now + Number(hours) - 1) % 12) + 1);
    },
  },
  {
    name: 'even or odd',
    cluster,
    verbs: ['say if {o} is even or odd', 'tell whether {o} is odd or even', 'label {o} as even or odd'],
    objects: ONE,
    few: true,
    draw(random, level) {
      const value = operand(random, level);
      return choice(String(value), value % 2 ? 'odd' : 'even', ['even', 'odd']);
    },
  },
  {
    name: 'larger number',
    cluster,
    verbs: ['give the larger of {o}', 'say which of {o} is larger', 'find the greater of {o}'],
    baseVerb: 'pick the bigger of {o}',
    objects: BOTH,
    draw(random, level) {
      const a = operand(random, level);
      let b = operand(random, level);
      if (a === b) b = (b + 1) % (LARGEST[level - 1]! + 1);
      return number(`${a} ${b}`, Math.max(a, b));
    },
  },
  {
    name: 'double',
    cluster,
    verbs: ['double {o} modulo {p}', 'give two times {o} modulo {p}'],
    objects: ONE,
    parameters: MODULI,
    baseOnly: true,
    few: true,
    draw(random, level, modulus) {
      const value = operand(random, level);
      return number(String(value), rest(2 * value, modulus));
    },
  },
];
