/** What {@link normalize} folds. Everything defaults to true (the form to NFKC). */
export interface NormalizeOptions {
  /** Unicode normal form: NFKC also folds full-width letters, ligatures and superscripts; false leaves the characters alone. */
  form?: 'NFC' | 'NFKC' | false;
  /** Lower case. */
  case?: boolean;
  /** Punctuation and symbols become spaces; apostrophes go without trace, so that `don't` stays one word. */
  punctuation?: boolean;
  /** Every run of white space becomes one space; none stays at the ends. */
  whitespace?: boolean;
}

/** Text with differences folded away that do not matter to a reader (Unicode form, case, punctuation, white space). */
export function normalize(text: string, options: NormalizeOptions = {}): string {
  const { form = 'NFKC', punctuation = true, whitespace = true } = options;
  // Most text is ASCII, where the same folding takes a third of the time.
  const ascii = isAscii(text);
  let out = form && !ascii ? text.normalize(form) : text;
  if (options.case ?? true) out = out.toLowerCase();
  if (punctuation) out = out.replace(/['’ʼ]/g, '').replace(ascii ? /[!-/:-@[-`{-~]+/g : /[\p{P}\p{S}]+/gu, ' ');
  if (whitespace) out = out.replace(/\s+/g, ' ').trim();
  return out;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

// Scripts written without spaces: there every character counts as a word, as evaluations of Chinese do.
const UNSPACED =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}';
const UNSPACED_CHARACTER = new RegExp(`([${UNSPACED}]\\p{M}*)`, 'gu');
const HAS_UNSPACED = new RegExp(`[${UNSPACED}]`, 'u');

/** The words of a text, normalised as {@link normalize} does; in scripts without spaces (Chinese, Japanese, Thai …) its characters. */
export function words(text: string): string[] {
  let folded = normalize(text);
  if (!isAscii(folded) && HAS_UNSPACED.test(folded))
    folded = folded.replace(UNSPACED_CHARACTER, ' $1 ').replace(/\s+/gu, ' ').trim();
  return folded === '' ? [] : folded.split(' ');
}
