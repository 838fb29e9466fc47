import type { Asked, Task } from '../suite/task.js';
import { between, FOODS, NAMES, PLACES, plural, TOOLS } from '../suite/vocabulary.js';
import type { CheckerSpec } from '../types.js';

const cluster = 'reasoning';
const SOLVE: Pick<Task, 'verbs' | 'baseVerb' | 'objects' | 'family'> = {
  verbs: [
    'solve {o} step by step',
    'work out {o} in steps',
    'think step by step and solve {o}',
    'write the steps that solve {o}',
  ],
  baseVerb: 'reason {o} through',
  objects: ['this problem', 'the problem', 'this puzzle', 'the puzzle'],
  family: 'problems',
};

/** Places one can be in, as a cart can. */
const INDOORS = PLACES.filter(place => !['river', 'bridge'].includes(place));
const HOLDERS = ['bag', 'box', 'chest', 'cart', 'basket', 'drawer'];

/** Steps as sentences, then `answer: …`. */
function stepwise(input: string, steps: readonly string[], answer: string, inner: CheckerSpec): Asked {
  return {
    input,
    answer: `${steps.map(step => `${step}.`).join(' ')} answer: ${answer}`,
    checker: { kind: 'final', inner, steps: [...steps] },
  };
}

/** Problems whose steps are written before the answer: `3 + 4 = 7. 7 - 2 = 5. answer: 5`. */
export const reasoning: readonly Task[] = [
  {
    name: 'story sums',
    cluster,
    ...SOLVE,
    draw(random, level) {
      const name = random.pick(NAMES);
      const thing = plural(random.pick(TOOLS));
      let count = between(random, 2, 5 + 3 * level);
      const story = [`${name} has ${count} ${thing}.`];
      const steps: string[] = [];
      for (let i = 0; i < Math.min(4, 1 + Math.ceil(level / 2)); i++) {
        const loses = count > 1 && random.int(2) === 0;
        const amount = loses ? between(random, 1, count - 1) : between(random, 1, 4 + 2 * level);
        const after = loses ? count - amount : count + amount;
        story.push(`${name} ${loses ? 'loses' : 'gets'} ${amount}${loses ? '' : ' more'}.`);
        steps.push(`${count} ${loses ? '-' : '+'} ${amount} = ${after}`);
        count = after;
      }
      story.push(`how many ${thing} does ${name} have now?`);
      return stepwise(story.join(' '), steps, String(count), { kind: 'number', value: count, units: [thing] });
    },
  },
  {
    name: 'who is oldest',
    cluster,
    ...SOLVE,
    draw(random, level) {
      const names = random.sample(NAMES, between(random, 3, Math.min(6, 2 + level)));
      const steps = names.slice(1).map((name, i) => `${names[i]} is older than ${name}`);
      const oldest = random.int(2) === 0;
      const answer = oldest ? names[0]! : names.at(-1)!;
      const told = random.shuffle(steps).map(step => `${step}.`);
      return stepwise(`${told.join(' ')} who is the ${oldest ? 'oldest' : 'youngest'}?`, steps, answer, {
        kind: 'exact',
        answers: [answer],
      });
    },
  },
  {
    name: 'where is it',
    cluster,
    ...SOLVE,
    draw(random, level) {
      const thing = random.pick(FOODS);
      const place = random.pick(INDOORS);
      const chain = [thing, ...random.sample(HOLDERS, Math.min(5, 1 + Math.ceil(level / 2) + random.int(2))), place];
      const steps = chain.slice(1).map((holder, i) => `the ${chain[i]} is in the ${holder}`);
      const told = random.shuffle(steps).map(step => `${step}.`);
      return stepwise(`${told.join(' ')} at which place is the ${thing}?`, steps, place, {
        kind: 'exact',
        answers: [place, `the ${place}`, `in the ${place}`, `at the ${place}`],
      });
    },
  },
  {
    name: 'price of all',
    cluster,
    ...SOLVE,
    baseOnly: true,
    draw(random, level) {
      const [a, b] = random.sample(TOOLS, 2) as [string, string];
      const [m, n] = [between(random, 2, 2 + level), between(random, 2, 2 + level)];
      const [p, q] = [between(random, 2, 4 + level), between(random, 2, 4 + level)];
      const steps = [`${m} * ${p} = ${m * p}`, `${n} * ${q} = ${n * q}`, `${m * p} + ${n * q} = ${m * p + n * q}`];
      return stepwise(
        `one ${a} costs ${p} coins. one ${b} costs ${q} coins. what do ${m} ${plural(a)} and ${n} ${plural(b)} cost?`,
        steps,
        String(m * p + n * q),
        { kind: 'number', value: m * p + n * q, units: ['coins'] },
      );
    },
  },
];
