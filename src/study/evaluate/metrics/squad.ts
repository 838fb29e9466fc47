const PUNCTUATION = /[!-/:-@[-`{-~]/g;
// Python's \b: letters and digits of every script and _ belong to a word.
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** An answer as SQuAD's evaluation compares it: lower case, without ASCII punctuation and the articles a, an, the, single spaces. */
export function squadNormalise(text: string): string {
  return text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ').trim().replace(/\s+/g, ' ');
}

/** F1 of the words two answers share (Rajpurkar et al. 2016); where one says nothing, 1 if both do. */
export function tokenF1(expected: string, got: string): number {
  const words = (text: string) => squadNormalise(text).split(' ').filter(Boolean);
  const [gold, said] = [words(expected), words(got)];
  if (gold.length === 0 || said.length === 0) return gold.length === said.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
  let both = 0;
  for (const word of said) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    both++;
    left.set(word, count - 1);
  }
  return both === 0 ? 0 : (2 * both) / (gold.length + said.length);
}
