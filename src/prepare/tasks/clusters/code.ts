import type { Random } from '../../../base/core/index.js';
import { choice, exact, number, type Task } from '../suite/task.js';
import { between, nouns } from '../suite/vocabulary.js';

const cluster = 'code';
const EXPRESSIONS = ['this expression', 'the expression'];

/** A number, or two expressions with an operator between them, in brackets. */
function expression(random: Random, depth: number): { text: string; value: number } {
  if (depth === 0) {
    const value = between(random, 1, 9);
    return { text: String(value), value };
  }
  const [a, b] = [expression(random, depth - 1), expression(random, random.int(depth))];
  const [left, right] = random.int(2) ? [a, b] : [b, a];
  const operator = random.pick(['+', '-', '*']);
  const value =
    operator === '+' ? left.value + right.value : operator === '-' ? left.value - right.value : left.value * right.value;
  return { text: `(${left.text} ${operator} ${right.text})`, value };
}

function truth(random: Random, depth: number): { text: string; value: boolean } {
  if (depth === 0) {
    const value = random.int(2) === 0;
    return { text: String(value), value };
  }
  if (random.int(3) === 0) {
    const { text, value } = truth(random, depth - 1);
    return { text: `not ${text}`, value: !value };
  }
  const [a, b] = [truth(random, depth - 1), truth(random, random.int(depth))];
  const and = random.int(2) === 0;
  return { text: `(${a.text} ${and ? 'and' : 'or'} ${b.text})`, value: and ? a.value && b.value : a.value || b.value };
}

const bare = (text: string) => (/^\(.*\)$/.test(text) ? text.slice(1, -1) : text);

const PRINTS: Pick<Task, 'verbs' | 'baseVerb' | 'objects' | 'family'> = {
  verbs: ['say what {o} prints', 'run {o} and give what it prints', 'give the output of {o}', 'predict what {o} prints'],
  baseVerb: 'follow {o} and give what it prints',
  objects: ['this program', 'the program', 'this code', 'the code'],
  family: 'programs',
};

/** Small programs and expressions in the manner of Python; lists count from 0: `evaluate this expression: (3 + 4) * 2` → `14`. */
export const code: readonly Task[] = [
  {
    name: 'numbers',
    cluster,
    verbs: ['evaluate {o}', 'give the value of {o}', 'say what {o} is worth', 'work out {o}'],
    baseVerb: 'reduce {o} to a number',
    objects: EXPRESSIONS,
    draw(random, level) {
      const { text, value } = expression(random, Math.min(3, 1 + Math.floor(level / 2)));
      return number(bare(text), value);
    },
  },
  {
    name: 'true or false',
    cluster,
    verbs: ['say if {o} is true or false', 'evaluate {o} to true or false', 'decide if {o} is true or false'],
    baseVerb: 'tell the truth value of {o}',
    objects: EXPRESSIONS,
    few: true,
    draw(random, level) {
      const { text, value } = truth(random, 1 + Math.ceil(level / 2));
      return choice(bare(text), String(value), ['true', 'false']);
    },
  },
  {
    name: 'variables',
    cluster,
    ...PRINTS,
    draw(random, level) {
      const values: Record<string, number> = { x: between(random, 1, 9) };
      const lines = [`x = ${values.x}`];
      for (const name of ['y', 'z', 'w'].slice(0, Math.ceil(level / 2))) {
        const from = random.pick(Object.keys(values));
        const by = between(random, 1, 2 + level);
        const operator = random.pick(['+', '-', '*']);
        values[name] = operator === '+' ? values[from]! + by : operator === '-' ? values[from]! - by : values[from]! * by;
        lines.push(`${name} = ${from} ${operator} ${by}`);
      }
      const printed = random.pick(Object.keys(values).slice(1));
      return number(`${lines.join('; ')}; print(${printed})`, values[printed]!);
    },
  },
  {
    name: 'list index',
    cluster,
    ...PRINTS,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      const at = random.int(words.length);
      return exact(`a = [${words.map(word => `'${word}'`).join(', ')}]; print(a[${at}])`, words[at]!);
    },
  },
  {
    name: 'condition',
    cluster,
    ...PRINTS,
    draw(random, level) {
      const top = 4 + 5 * level;
      const [x, y] = [between(random, 1, top), between(random, 1, top)];
      const [yes, no] = nouns(random, 2) as [string, string];
      const [operator, holds] = random.pick([
        ['>', x > y],
        ['<', x < y],
        ['==', x === y],
      ] as const);
      return exact(`x = ${x}; print('${yes}' if x ${operator} ${y} else '${no}')`, holds ? yes : no);
    },
  },
  {
    name: 'length',
    cluster,
    ...PRINTS,
    baseOnly: true,
    draw(random, level) {
      const words = nouns(random, between(random, 1, 2 + level));
      return number(`a = [${words.map(word => `'${word}'`).join(', ')}]; print(len(a))`, words.length);
    },
  },
];
