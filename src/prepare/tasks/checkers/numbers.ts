const SMALL =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

const NUMERAL = /^[+-]?(?:\d{1,3}(?:([,'_])\d{3}(?:\1\d{3})*)|\d+)(?:\.\d+)?$/;

/** A whole number from 0 to 99 in words: `numberWord(42)` is `forty-two`; larger ones stay digits. */
export function numberWord(value: number): string {
  if (value < 20) return SMALL[value] ?? String(value);
  const tens = TENS[Math.floor(value / 10) - 2];
  if (tens === undefined) return String(value);
  return value % 10 ? `${tens}-${SMALL[value % 10]}` : tens;
}

const WORDS = new Map(Array.from({ length: 100 }, (_, n) => [numberWord(n).replace('-', ' '), n]));

/**
 * The number a text is, in digits (`1,200`, `-3`, `4.50`, in brackets or not) or in words up to ninety-nine; undefined when it is none,
 * or more than one.
 */
export function readNumber(text: string): number | undefined {
  const bare = text.trim().replace(/^\((.*)\)$|^\$(.*)\$$/, '$1$2');
  const [, minus, rest] = /^(minus |negative |[-−–]\s?)?(.*)$/s.exec(bare)!;
  const value = NUMERAL.test(rest!) ? Number(rest!.replace(/[,'_]/g, '')) : WORDS.get(rest!.replace('-', ' '));
  if (value === undefined || (minus && /^[+-]/.test(rest!))) return undefined;
  return minus ? -value : value;
}
