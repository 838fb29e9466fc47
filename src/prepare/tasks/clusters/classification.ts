import type { Random } from '../../../base/core/index.js';
import { kindOf } from '../quickstart/world.js';
import { choice, exact, type Task } from '../suite/task.js';
import { between, KINDS, NAMES, NOUNS, withArticle } from '../suite/vocabulary.js';

const cluster = 'classification';
const WORD = ['this word', 'the word', 'this thing', 'the thing'];
const WORDS = ['these words', 'the words', 'this list', 'the list'];
const TEXT = ['this review', 'the review', 'this opinion', 'the opinion'];
const KIND_NAMES = Object.keys(KINDS);
const YES_NO = ['yes', 'no'];

const FEELINGS: Readonly<Record<string, readonly string[]>> = {
  positive: ['good', 'lovely', 'great', 'fine', 'nice', 'pleasant', 'perfect', 'wonderful'],
  negative: ['bad', 'awful', 'poor', 'ugly', 'sad', 'dull', 'dreadful', 'terrible'],
};
const ABOUT = ['soup', 'bread', 'cake', 'lamp', 'rope', 'pen', 'house', 'garden', 'market', 'school'];

/** An opinion with a feeling, the opposite one denied at the higher levels. */
function opinion(random: Random, level: number, feeling: string): string {
  const word = random.pick(FEELINGS[feeling]!);
  const other = random.pick(FEELINGS[feeling === 'positive' ? 'negative' : 'positive']!);
  const second = random.pick(FEELINGS[feeling]!.filter(w => w !== word));
  const about = `the ${random.pick(ABOUT)} of ${random.pick(NAMES)} is`;
  if (level < 2) return `${about} ${word}`;
  if (level < 3) return `${about} ${word} and ${second}`;
  return random.int(2) ? `${about} not ${other}, it is ${word}` : `${about} ${word} and not ${other}`;
}

/** Giving one of a few labels: `name the kind of this word: owl` → `animal`. */
export const classification: readonly Task[] = [
  {
    name: 'kind of word',
    cluster,
    verbs: ['name the kind of {o}', 'say which kind {o} is', 'give the class of {o}', 'label {o} as animal, color, food or tool'],
    baseVerb: 'sort {o} into its kind',
    objects: WORD,
    few: true,
    draw(random) {
      const noun = random.pick(NOUNS);
      return choice(noun, kindOf(noun), KIND_NAMES);
    },
  },
  {
    name: 'is it one',
    cluster,
    verbs: ['say yes if {o} is {k} and no if not', 'answer with yes or no if {o} is {k}', 'decide if {o} is {k}, yes or no'],
    objects: WORD,
    parameters: KIND_NAMES,
    slots: kind => ({ k: withArticle(kind) }),
    few: true,
    draw(random, _level, kind) {
      const yes = random.int(2) === 0;
      const noun = random.pick(NOUNS.filter(other => (kindOf(other) === kind) === yes));
      return choice(noun, yes ? 'yes' : 'no', YES_NO);
    },
  },
  {
    name: 'odd one out',
    cluster,
    verbs: ['find the one of {o} that does not fit', 'say which of {o} is of another kind', 'give the odd one out of {o}'],
    baseVerb: 'spot the stranger among {o}',
    objects: WORDS,
    draw(random, level) {
      const [kind, other] = random.sample(KIND_NAMES, 2) as [string, string];
      const odd = random.pick(KINDS[other]!);
      const words = random.shuffle([...random.sample(KINDS[kind]!, between(random, 2, 2 + level)), odd]);
      return exact(words.join(' '), odd);
    },
  },
  {
    name: 'feeling',
    cluster,
    verbs: [
      'say if {o} is positive or negative',
      'label {o} as positive or negative',
      'judge {o} as positive or negative',
      'tell whether {o} is negative or positive',
    ],
    baseVerb: 'rate {o} as positive or negative',
    objects: TEXT,
    draw(random, level) {
      const feeling = random.pick(['positive', 'negative']);
      return choice(opinion(random, level, feeling), feeling, ['positive', 'negative']);
    },
  },
  {
    name: 'main kind',
    cluster,
    verbs: ['name the kind that most of {o} have', 'say which kind most of {o} are', 'give the most common kind in {o}'],
    baseVerb: 'tell what {o} mainly are',
    objects: WORDS,
    draw(random, level) {
      const [kind, ...others] = random.shuffle(KIND_NAMES) as [string, ...string[]];
      const few = between(random, 1, Math.min(3, level));
      const words = [...random.sample(KINDS[kind]!, few + 1 + random.int(2))];
      for (const other of others.slice(0, level > 2 ? 2 : 1)) words.push(...random.sample(KINDS[other]!, few));
      return choice(random.shuffle(words).join(' '), kind, KIND_NAMES);
    },
  },
  {
    name: 'same kind',
    cluster,
    verbs: ['say yes if {o} are of one kind and no if not', 'decide if {o} are of the same kind, yes or no'],
    objects: ['these two words', 'the two words', 'both words'],
    baseOnly: true,
    draw(random) {
      const same = random.int(2) === 0;
      const [kind, other] = random.sample(KIND_NAMES, 2) as [string, string];
      const words = same ? random.sample(KINDS[kind]!, 2) : [random.pick(KINDS[kind]!), random.pick(KINDS[other]!)];
      return choice(words.join(' '), same ? 'yes' : 'no', YES_NO);
    },
  },
];
