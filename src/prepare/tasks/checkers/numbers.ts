const SMALL =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

const NUMERAL = /^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$/;

/** A whole number from 0 to 99 in words: `numberWord(42)` is `forty-two`; larger ones stay digits. */
export function numberWord(value: number): string {
  if (value < 20) return SMALL[value] ?? String(value);
  const tens = TENS[Math.floor(value / 10) - 2];
  if (tens === undefined) return String(value);
  return value % 10 ? `${tens}-${SMALL[value % 10]}` : tens;
}

const WORDS = new Map(Array.from({ length: 100 }, (_, n) => [numberWord(n).replace('-', ' '), n]));

/** The number a text is, in digits (`1,200`, `-3`, `4.50`) or in words up to ninety-nine; undefined when it is none, or more than one. */
export function readNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (NUMERAL.test(trimmed)) return Number(trimmed.replace(/,/g, ''));
  const [, sign, word] = /^(minus )?([a-z]+(?:[ -][a-z]+)?)$/.exec(trimmed) ?? [];
  const value = word === undefined ? undefined : WORDS.get(word.replace('-', ' '));
  return value === undefined ? undefined : sign ? -value : value;
}
