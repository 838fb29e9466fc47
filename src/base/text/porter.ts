/**
 * The Porter stemmer (M. F. Porter, "An algorithm for suffix stripping", 1980) with the changes that NLTK makes by default, which
 * `rouge-score` uses: irregular words, short words in -ies and -ied, -y after a consonant, -alli, -bli, -fulli and -logi.
 */

const IRREGULAR: Readonly<Record<string, string>> = {
  skies: 'sky',
  sky: 'sky',
  dying: 'die',
  lying: 'lie',
  tying: 'tie',
  news: 'news',
  innings: 'inning',
  inning: 'inning',
  outings: 'outing',
  outing: 'outing',
  cannings: 'canning',
  canning: 'canning',
  howe: 'howe',
  proceed: 'proceed',
  exceed: 'exceed',
  succeed: 'succeed',
};

/** A `c` for every consonant and a `v` for every vowel; y is a vowel behind a consonant. */
function kinds(word: string): string {
  let out = '';
  for (const letter of word) {
    const consonant = letter === 'y' ? out.at(-1) !== 'c' : !'aeiou'.includes(letter);
    out += consonant ? 'c' : 'v';
  }
  return out;
}

/** Porter's m: how often a vowel is followed by a consonant. */
function measure(stem: string): number {
  return kinds(stem).split('vc').length - 1;
}

/** Porter's *o: ends in consonant, vowel, consonant, the last not w, x or y; NLTK adds words of a vowel and a consonant. */
function endsShort(stem: string): boolean {
  const form = kinds(stem);
  return (form.endsWith('cvc') && !/[wxy]$/.test(stem)) || form === 'vc';
}

type Rule = readonly [suffix: string, instead: string, holds?: (stem: string) => boolean];

/** The first rule whose suffix the word has decides, whether its condition holds or not. */
function apply(word: string, rules: readonly Rule[], least: number): string {
  for (const [suffix, instead, holds] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return (holds ? holds(stem) : measure(stem) > least) ? stem + instead : word;
  }
  return word;
}

const pairs = (text: string): Rule[] => text.split(' ').map(pair => pair.split('>') as [string, string]);

const STEP2: readonly Rule[] = [
  ...pairs(
    'ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize ation>ate ator>ate ' +
      'alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful',
  ),
  // The l counts to the stem, so that short ones like geo and theo work too.
  ['logi', 'log', stem => measure(`${stem}l`) > 0],
];
const STEP3 = pairs('icate>ic ative> alize>al iciti>ic ical>ic ful> ness>');
const STEP4: readonly Rule[] = [
  ...pairs('al> ance> ence> er> ic> able> ible> ant> ement> ment> ent>'),
  ['ion', '', stem => measure(stem) > 1 && /[st]$/.test(stem)],
  ...pairs('ou> ism> ate> iti> ous> ive> ize>'),
];

/** The stem of one lower-case word of a–z and 0–9. */
export function porterStem(word: string): string {
  if (Object.hasOwn(IRREGULAR, word)) return IRREGULAR[word]!;
  if (word.length <= 2) return word;
  let stem = plural(word);
  stem = participle(stem);
  stem = apply(stem, [['y', 'i', rest => rest.length > 1 && kinds(rest).endsWith('c')]], 0);
  stem = derived(stem);
  stem = apply(stem, STEP3, 0);
  stem = apply(stem, STEP4, 1);
  if (stem.endsWith('e')) {
    const rest = stem.slice(0, -1);
    const m = measure(rest);
    if (m > 1 || (m === 1 && !endsShort(rest))) stem = rest;
  }
  return stem.endsWith('ll') && measure(stem.slice(0, -1)) > 1 ? stem.slice(0, -1) : stem;
}

/** Step 1a. */
function plural(word: string): string {
  if (word.endsWith('ies')) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith('sses')) return word.slice(0, -2);
  return word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}

/** Step 1b. */
function participle(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const ending = ['ed', 'ing'].find(end => word.endsWith(end) && kinds(word.slice(0, -end.length)).includes('v'));
  if (!ending) return word;
  const stem = word.slice(0, -ending.length);
  if (/(at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (/(.)\1$/.test(stem) && kinds(stem).endsWith('c')) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

/** Step 2; -alli goes first, and what is left goes through the step once more. */
function derived(word: string): string {
  if (word.endsWith('alli') && measure(word.slice(0, -4)) > 0) return derived(word.slice(0, -2));
  return apply(word, STEP2, 0);
}
