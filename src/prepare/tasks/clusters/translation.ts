import { choice, exact, type Task } from '../suite/task.js';
import { ANIMALS, between, COLORS } from '../suite/vocabulary.js';

const cluster = 'translation';
const WORDS = ['these words', 'the words', 'this phrase', 'the phrase'];

/** What is common to the words of all languages: one stem a noun. */
const STEMS: Readonly<Record<string, string>> = Object.fromEntries(
  ['bal', 'dem', 'fik', 'gon', 'hup', 'jas', 'kel', 'lim', 'mor', 'nuv', 'pel', 'rik', 'sof', 'tam', 'vun', 'wex'].map(
    (stem, i) => [[...ANIMALS, ...COLORS][i]!, stem],
  ),
);

/** A made-up language: what its words end in, and whether a colour stands behind its noun. */
interface Language {
  ending: string;
  colorBehind: boolean;
}

/** Language → its grammar. Their words share stems, so that one who knows four can guess at the fifth. */
export const LANGUAGES: Readonly<Record<string, Language>> = {
  zan: { ending: 'a', colorBehind: false },
  miro: { ending: 'i', colorBehind: true },
  velo: { ending: 'o', colorBehind: false },
  tuk: { ending: 'u', colorBehind: true },
  sel: { ending: 'e', colorBehind: false },
};

const LANGUAGE_NAMES = Object.keys(LANGUAGES);

/** One word in a language: `foreign('cat', 'zan')` is `bala`. */
export function foreign(word: string, language: string): string {
  return `${STEMS[word]}${LANGUAGES[language]!.ending}`;
}

/** `red cat` or `cat red`, by the language. */
function order(color: string, animal: string, language: string): string[] {
  return LANGUAGES[language]!.colorBehind ? [animal, color] : [color, animal];
}

/** Between English and made-up languages that share their stems: `translate these words into zan: cat red` → `bala nuva`. */
export const translation: readonly Task[] = [
  {
    name: 'words into',
    cluster,
    verbs: [
      'translate {o} into {p} word by word',
      'write {o} in {p} word by word',
      'say {o} word by word in {p}',
      'give {o} in {p} word by word',
    ],
    baseVerb: 'put {o} word by word into {p}',
    objects: ['these words', 'the words'],
    parameters: LANGUAGE_NAMES,
    draw(random, level, language) {
      const words = random.sample([...ANIMALS, ...COLORS], between(random, 1, level));
      return exact(words.join(' '), words.map(word => foreign(word, language)).join(' '));
    },
  },
  {
    name: 'words from',
    cluster,
    verbs: [
      'translate {o} from {p} word by word',
      'say in english word by word what {o} mean in {p}',
      'give the english words for {o} from {p}',
    ],
    baseVerb: 'bring {o} word by word back from {p}',
    objects: ['these words', 'the words'],
    parameters: LANGUAGE_NAMES,
    draw(random, level, language) {
      const words = random.sample([...ANIMALS, ...COLORS], between(random, 1, level));
      return exact(words.map(word => foreign(word, language)).join(' '), words.join(' '));
    },
  },
  {
    name: 'phrase into',
    cluster,
    verbs: ['translate {o} into good {p}', 'write {o} in good {p}', 'say {o} as {p} people do'],
    baseVerb: 'put {o} into good {p}',
    objects: WORDS,
    parameters: LANGUAGE_NAMES,
    draw(random, level, language) {
      const phrases = Array.from(
        { length: Math.min(3, 1 + random.int(level)) },
        () => [random.pick(COLORS), random.pick(ANIMALS)] as const,
      );
      return exact(
        phrases.map(([color, animal]) => `${color} ${animal}`).join(' and '),
        phrases
          .map(([color, animal]) =>
            order(color, animal, language)
              .map(word => foreign(word, language))
              .join(' '),
          )
          .join(' and '),
      );
    },
  },
  {
    name: 'which language',
    cluster,
    verbs: ['name the language of {o}', 'say which language {o} belong to'],
    objects: ['these words', 'the words'],
    baseOnly: true,
    draw(random, level) {
      const language = random.pick(LANGUAGE_NAMES);
      const words = random.sample([...ANIMALS, ...COLORS], between(random, 1, 1 + level));
      return choice(words.map(word => foreign(word, language)).join(' '), language, LANGUAGE_NAMES);
    },
  },
];
