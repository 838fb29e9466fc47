import { BadInput, quote } from '../../../base/core/index.js';
import { GPT2_PATTERN, toByteAlphabet } from '../bytes.js';
import { type Component, flattenComponent } from '../hf.js';
import { type Mapped, mapCodePoints, prepend } from './mapped.js';
import { oldPattern } from './old-unicode.js';
import { patternOf, WORD } from './regex.js';
import { cutByScript } from './scripts.js';

/** Where a piece stands, as far as markers in front of words go. */
export interface Place {
  /** Where the whole text begins in the original. */
  origin: number;
  position: 'start' | 'section' | 'inside';
}

/** One step of pre-tokenisation. */
export interface PreTokenizer {
  /** Present when the step only cuts and keeps every character: the pieces of a text in order. */
  cut?(text: string): string[];
  apply(m: Mapped, place: Place): Mapped[];
}

/** The pre-tokenizers of a tokenizer.json, in order. The byte alphabet of a last `ByteLevel` is left to the caller. */
export function preTokenizersOf(component: Component | null): { steps: PreTokenizer[]; bytes: boolean } {
  const parts = flattenComponent(component);
  const bytes = parts.at(-1)?.type === 'ByteLevel';
  return { steps: parts.flatMap((part, i) => make(part, bytes && i === parts.length - 1)), bytes };
}

function make(component: Component, last: boolean): PreTokenizer[] {
  const { type } = component;
  switch (type) {
    case 'Split':
      return [splitter(finder(patternOf(component.pattern)), behaviourOf(component.behavior), component.invert === true)];
    case 'ByteLevel': {
      const steps: PreTokenizer[] = [];
      if (component.add_prefix_space !== false) steps.push(prefixSpace);
      if (component.use_regex !== false) steps.push(splitter(finder(GPT2_PATTERN), 'Isolated', false));
      if (!last) steps.push({ apply: m => [mapCodePoints(m, toByteAlphabet)] });
      return steps;
    }
    case 'Metaspace':
      return [metaspace(component)];
    case 'Whitespace':
      return [
        splitter(finder(new RegExp(`[${WORD}\\u200c\\u200d]+|[^${WORD}\\u200c\\u200d\\p{White_Space}]+`, 'gv')), 'Removed', true),
      ];
    case 'WhitespaceSplit':
      return [splitter(finder(/\p{White_Space}/gu), 'Removed', false)];
    case 'BertPreTokenizer':
      return [splitter(finder(/\p{White_Space}/gu), 'Removed', false), splitter(finder(punctuation()), 'Isolated', false)];
    case 'Punctuation':
      return [splitter(finder(punctuation()), behaviourOf(component.behavior ?? 'Isolated'), false)];
    case 'Digits':
      return [splitter(finder(/\p{N}/gu), component.individual_digits === true ? 'Isolated' : 'Contiguous', false)];
    case 'CharDelimiterSplit':
      return [splitter(finder(String(component.delimiter)), 'Removed', false)];
    case 'UnicodeScripts':
      return [{ apply: m => cutByScript(m.text).map(([from, to]) => m.slice(from, to)) }];
    case 'FixedLength':
      return [fixedLength(Number(component.length))];
    default:
      throw new BadInput({
        problem: `the pre-tokenizer ${quote(type)} is not known`,
        expected: 'one of those of Hugging Face’s tokenizers 0.23',
        fix: 'check the file with Python: tokenizers.Tokenizer.from_file(…)',
      });
  }
}

let punctuationPattern: RegExp | undefined;
function punctuation(): RegExp {
  punctuationPattern ??= oldPattern('\\p{P}$+<=>\\^`\\|~', 'punctuation');
  return punctuationPattern;
}
type Behaviour = 'Isolated' | 'Removed' | 'Contiguous' | 'MergedWithPrevious' | 'MergedWithNext';
const BEHAVIOURS: readonly Behaviour[] = ['Isolated', 'Removed', 'Contiguous', 'MergedWithPrevious', 'MergedWithNext'];

function behaviourOf(value: unknown): Behaviour {
  const found = BEHAVIOURS.find(b => b.toLowerCase() === String(value).toLowerCase().replaceAll('_', ''));
  if (found) return found;
  throw new BadInput({
    problem: `the behavior ${quote(value)} is not known`,
    expected: BEHAVIOURS.join(', '),
    fix: 'correct the file',
  });
}

type Finder = RegExp;
const finder = (pattern: RegExp | string): Finder =>
  typeof pattern === 'string' ? new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu') : pattern;

/** Cuts at the matches of a pattern; what becomes of them is the behaviour's. */
function splitter(pattern: RegExp, behaviour: Behaviour, invert: boolean): PreTokenizer {
  const spans = (text: string) => cutAt(text, pattern, behaviour, invert);
  const apply = (m: Mapped) => spans(m.text).map(([from, to]) => m.slice(from, to));
  if (behaviour === 'Removed') return { apply };
  const slow = (text: string) => spans(text).map(([from, to]) => text.slice(from, to));
  if (behaviour !== 'Isolated') return { apply, cut: slow };
  // Most patterns match every character of a text; then the matches are the pieces.
  const cut = (text: string): string[] => {
    const found = text.match(pattern);
    if (!found) return [text];
    let length = 0;
    for (const piece of found) length += piece.length;
    return length === text.length && !found.includes('') ? found : slow(text);
  };
  return { apply, cut };
}

/** Stretches of a text, alternately not matched and matched, joined or dropped as the behaviour says (Rust: `NormalizedString::split`). */
function cutAt(text: string, pattern: RegExp, behaviour: Behaviour, invert: boolean): [number, number][] {
  const found: { span: [number, number]; match: boolean }[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    const to = match.index + match[0].length;
    if (match.index > from) found.push({ span: [from, match.index], match: invert });
    found.push({ span: [match.index, to], match: !invert });
    from = to;
  }
  if (from < text.length) found.push({ span: [from, text.length], match: invert });
  const out: [number, number][] = [];
  let before = false;
  if (behaviour === 'MergedWithNext') {
    for (const { span, match } of found.reverse()) {
      if (match && !before && out.length > 0) out.at(-1)![0] = span[0];
      else out.push(span);
      before = match;
    }
    out.reverse();
  } else {
    for (const { span, match } of found) {
      const join = behaviour === 'Contiguous' ? match === before : behaviour === 'MergedWithPrevious' && match && !before;
      if (behaviour === 'Removed' && match) continue;
      if (join && out.length > 0) out.at(-1)![1] = span[1];
      else out.push(span);
      before = match;
    }
  }
  return out.filter(([a, b]) => b > a);
}

/** True at the beginning of text that continues what is tokenised already. */
const continues = (m: Mapped, { origin, position }: Place) => position === 'inside' && m.start(0) === origin;

const prefixSpace: PreTokenizer = {
  apply: (m, place) => [m.text.startsWith(' ') || continues(m, place) ? m : prepend(m, ' ')],
};

function metaspace(component: Component): PreTokenizer {
  const marker = String(component.replacement ?? '\u2581');
  const scheme = component.add_prefix_space === false ? 'never' : String(component.prepend_scheme ?? 'always').toLowerCase();
  const parts = splitter(finder(marker), 'MergedWithNext', false);
  return {
    apply(input, place) {
      let m =
        marker.length === 1
          ? input.with(input.text.replaceAll(' ', marker))
          : mapCodePoints(input, char => (char === ' ' ? marker : char));
      const wanted = scheme === 'always' || (scheme === 'first' && place.position === 'start' && m.start(0) === place.origin);
      if (wanted && !m.text.startsWith(marker) && !continues(m, place)) m = prepend(m, marker);
      return component.split === false ? [m] : parts.apply(m, place);
    },
  };
}

function fixedLength(length: number): PreTokenizer {
  const apply = (m: Mapped) => {
    const out: Mapped[] = [];
    let from = 0;
    let at = 0;
    let count = 0;
    for (const char of m.text) {
      at += char.length;
      if (++count % length !== 0) continue;
      out.push(m.slice(from, at));
      from = at;
    }
    if (from < m.text.length) out.push(m.slice(from, m.text.length));
    return out;
  };
  return { apply };
}
