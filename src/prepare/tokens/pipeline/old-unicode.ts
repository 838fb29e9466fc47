/**
 * Hugging Face's tokenizers knows some properties of characters from tables of older Unicode versions (crates
 * unicode_categories, unicode-normalization-alignments and its own script table), JavaScript from its engine's. Here is
 * where the two differ, found by trying every code point against tokenizers 0.23.3 on Node 20 (ICU 15): ranges as distances
 * in base 36. Characters that neither knew then are at most a few hundred of rare scripts.
 */
const DIFFERENCES = {
  /** BertNormalizer, strip_accents. */
  nonspacingMark:
    '1kt 4a-8 17-n 7x 70-5 2e 4v 1k 5g 1n-1 1x 8p k 1nq 63 3a-1 ft-u 3-b ln-5 rap 49 1m 5a jmv-3 1u-4 8u-1 26-5 1z-a 1e-3 6j 3-1 26 7b 6 33 3 6y 3k-5 e 2 2 f-1 2e-7 3-2 2 o jk 7l-8 2-1 75-1 2 5 41-3 3-1 5 x-9 15-5 3-3 9 a-5 3-2 1b-c 2-1 5j 2-2 2 5m-6 2-5 2 2b-l 3-6 2-1 2-1 3f-5 4 2-1 2-6 2 21-1 4 2 9o-1 c-1 1h-4 6 2 o 44m 7-e 8uh-b 4-2 2sg 45 isc-19 3-m 3ay-6 2-g 3-6 2-1 2-4 2t 4h-6 ag 1q-3 e5-3 73-1 6s 3 8-1 6 gf-6',
  /** StripAccents. */
  mark: '1kt 4a-8 17-9 8b 70-5 2e 4v 1k 53 d 1n-1 1x 8p k 1mv 6y j4-u 3-b ef-1 4 73-4 raq 5v js5-3 1u-4 8u-1 26-5 1z-a 1e-3 6j 3-1 26 3n-1 3n 5-1 36 6y 3h-8 2 3 2-3 2-4 2 f-1 3g r2-e 6u-5 2-1 3-3 2 2-1 3y-6 3-6 4 t-9 15-6 2-3 9 a-a 1b-f 5j-7 cq-5 4 2-1 2-6 2 1v-4 2-1 2-4 9o-3 a-1 2 1d-6 4-4 o 44m 7-e 8uh-h 2sg 1c-8 2l c-1 irz-19 3-m 3ex 4h-6 ag 1q-3 e5-3 73-1 6s 3 8-1 6',
  /** Punctuation, BertPreTokenizer. */
  punctuation:
    '17h rk 3d e9 d 1yh yp-1 1a-2 3pg-c 3-b 1829 8v z 3p-4 19-3 g0 ej-1 2-1 37-4 b-1 2 eb-c 25 aq 7d-2 4c 2l-7 2c-2 2-4 2m-9 60 2o-4 17-1 hy-1 23-c 4w 35e-1 c57-2 88-3 94 nbx nz-1',
  /** BertNormalizer, clean_text. */
  control: '1ow-1 29 1g4r 6zn-f',
  /** UnicodeScripts: characters of no script there. */
  noScript:
    '128 14 2v 1a dc-2 2p-a 6-x 6-8 m 9-l 89-2 3c 3o-5 2e 4v 1k w-1 q d 2g-1 m d 4 1j-1 1x 79 3 3 2-5 5 8 8-1 3 e k 1mn 8 a 6o 2x g7-u 3-b 2p 2-1 1a-2 7e-1 6-16 3-2 1k 3 70-4 jp-2 n2 14-2 1gt-1 z-2 d 9-p 5-f 1c 1c di-o bj-3 8f-1 3w-4 11-1 a 7k 59z-9 g7r-15 1io 9-10 l-5 1i 5u-1 h3-5 adx-4xr jn-g a6-f 1t-1 1j-7 1b-1 pp b5-2 g1-a 2-e 2-6 2-1 2-a 2-e 2-6 2-1 4-1f b1-5 2-15 2-8 au-p 63-1 j jc-13 9-9 7-11 4-s 9-1 6p-15 2-2 3-1 h-5 9-8 y-19 9-15 n-p 13-r l-m 3e-5 25 b 3b-3 3r-1 34-2 6y 1x-9 2 3 2-11 2-9 2 3 2-3 2-9 2-1 9-1 3c 4-3 gn-1 n-j 1j 12-6 56-1n 5h-6 3 3-7 2-1 2-t 2-1 3-b a-9 1z-7 3-19 3-a s-1z 9-2a e-f 1t-9 2f-7 2h-x f-9 7b-6 2-1 2-17 4 2-1 2-8 9-9 7-5 2-1 2-10 2-1 2-5 8-9 7-17 5-9 6v-o 8-g 2-14 4-s 2e g-1d e 32p-2q u5-12 b-32y 5qe-1l 1tj-26 2-9 hj-1l 5j-2i 6-o 3-o 36-5 5 1c-8 2i-3 c-6 4qf-i l0-de 16-v 2q-36 6pq-3 2-6 2-1 4-80 g u-2 3 f-3 9-az 4xx-70 4-c3 7-m g-g g-19 3-m a-37 fa-1 5y-j d-j 3j-6 2a0-u 7-5 7a-1p y 35-18 4-d 3-9 5-1 8x-u i-1l 6 cx-15 5z-16 5 5d-u 2-l 9-1 69-6 2-3 2-1 2-e 99 me-1v 25-1o r4-2 w 1p-3 1q 4z-5 vi-5 4-3 o-5 3c-b 2e-4 7-b 5 5c-b 5-1 f-8 14-f g 9-7 2-1 d d-3 g-w j-19 2-46 9-d 3-c 4-a 4-1k 2 5-f 3-b 5-9 8-42 2-2u xr1-8 386-a 4mb-b 3-5rk g-h9 3hf-3t6 6-6jt gkg7-1ekd 3-1ekd',
};

export type OldProperty = keyof typeof DIFFERENCES;
const sets = new Map<OldProperty, Set<number>>();

/** Does the older table say otherwise about this character than JavaScript's engine? */
export function differs(char: string, property: OldProperty): boolean {
  let set = sets.get(property);
  if (!set) {
    set = new Set();
    let at = 0;
    for (const range of DIFFERENCES[property].split(' ')) {
      const [gap, more = '0'] = range.split('-');
      at += Number.parseInt(gap!, 36);
      for (let n = Number.parseInt(more, 36); n > 0; n--) set.add(at++);
      set.add(at);
    }
    sets.set(property, set);
  }
  return set.has(char.codePointAt(0)!);
}

/** A test for `property`: what the pattern says, corrected. */
export function oldTest(pattern: RegExp, property: OldProperty): (char: string) => boolean {
  return char => pattern.test(char) !== (char.charCodeAt(0) > 0x7f && differs(char, property));
}

/** The same as a pattern: matches single characters that `pattern` (one class, flag u) matches, corrected. */
export function oldPattern(classSource: string, property: OldProperty): RegExp {
  differs('', property);
  const known = new RegExp(`[${classSource}]`, 'v');
  const listed = [...sets.get(property)!].map(c => String.fromCodePoint(c));
  const code = (char: string) => `\\u{${char.codePointAt(0)!.toString(16)}}`;
  const add = listed.filter(char => !known.test(char)).map(code);
  const drop = listed.filter(char => known.test(char)).map(code);
  return new RegExp(`[[${classSource}${add.join('')}]--[${drop.join('')}]]`, 'gv');
}
