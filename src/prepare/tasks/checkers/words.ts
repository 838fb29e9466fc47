/** How answers are read: the differences between them that never count. */

const LEAD_IN = /^(?:so )?(?:the (?:final |right |correct )?answer(?: is| would be)?|answer|output|result|it is|it's)\s*[:=]?\s+/;
const WRAPPED = /^(["'`*]{1,3})([\s\S]*)\1$/;

/** Case, runs of white space, quotes around the whole, and one closing full stop folded away. */
export function fold(text: string): string {
  const plain = text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
  const unwrapped = WRAPPED.exec(plain)?.[2]?.trim() ?? plain;
  return unwrapped.replace(/\s*[.]$/, '').trim();
}

/** The folded text without an opening such as `the answer is`. */
export function strip(text: string): string {
  return fold(fold(text).replace(LEAD_IN, ''));
}

/** The words of a text, letters and digits only: `Tom's pens, 3!` gives `tom's pens 3`. */
export function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+(?:['’.][\p{L}\p{N}]+)*/gu) ?? []
  );
}

/** Tells which phrases occur in a text as whole words; the text is taken apart once. */
export function sayings(text: string): (phrase: string) => boolean {
  const said = ` ${wordsOf(text).join(' ')} `;
  return phrase => said.includes(` ${wordsOf(phrase).join(' ')} `);
}

/** Length of the longest common subsequence of two lists. */
export function common(a: readonly string[], b: readonly string[]): number {
  let above = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const row = [0];
    for (const [j, other] of b.entries()) row.push(word === other ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!));
    above = row;
  }
  return above[b.length]!;
}

/** 2 · common ⁄ (both lengths): 1 for equal lists, 0 for lists without a common item. */
export function overlap(a: readonly string[], b: readonly string[]): number {
  return a.length + b.length === 0 ? 1 : (2 * common(a, b)) / (a.length + b.length);
}

const REFUSALS =
  /\b(?:sorry|i (?:can ?not|can't|can’t|could not|will not|won't|won’t|may not|must not)|not allowed|unable to|i am not able|i refuse|no comment)\b/;
const ABSTENTIONS =
  /\b(?:(?:text|passage|context|notes?|record|it|they|that) (?:does|do|did) ?n(?:o|')t (?:say|tell|mention|state)|(?:text|notes?|passage|context) says? nothing|not (?:said|given|stated|mentioned|known|in the (?:text|notes?|passage|context))|i (?:do not|don't|don’t) know|cannot be (?:known|told|answered)|unknown|no (?:answer|information))\b/;

/** Whether an answer declines: `sorry, i cannot help with that`. */
export function refuses(answer: string): boolean {
  return REFUSALS.test(fold(answer));
}

/** Whether an answer says that the context does not hold it: `the text does not say`. */
export function abstains(answer: string): boolean {
  return ABSTENTIONS.test(fold(answer));
}

/** A value as a verdict quotes it: one line, at most 60 characters. */
export function cite(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}
