/** For each UTF-16 unit of a normalised text, where it came from: [start, end) in the original. */
export interface CharMap {
  starts: number[];
  ends: number[];
}

// What normalisers change as one: a run of spaces, a Hangul syllable in pieces, a character with its marks.
const ATOM = / +|[\u1100-\u115f][\u1160-\u11a7]?[\u11a8-\u11ff]?|\P{M}\p{M}*|\p{M}+/gsu;
const MARKER = '\u2581';

/**
 * Map a normalised text back to its original, by normalising small pieces and walking both. Undefined when the pieces do
 * not add up to the whole, so that offsets would be a guess.
 */
export function mapNormalised(text: string, whole: string, normalise: (text: string) => string): CharMap | undefined {
  const map: CharMap = { starts: [], ends: [] };
  const put = (units: number, start: number, end: number) => {
    for (let i = 0; i < units; i++) {
      map.starts.push(start);
      map.ends.push(end);
    }
  };
  let p = 0;
  for (const match of text.matchAll(ATOM)) {
    const atom = match[0];
    const start = match.index;
    const space = atom.trim() === '';
    const own = normalise(atom);
    // Prepend acts on every piece; in the whole it stands only at the beginning.
    const bare = own.startsWith(MARKER) && !space && !atom.startsWith(MARKER) ? own.slice(1) : own;
    const forms = space ? [...(start === 0 ? [own] : []), atom, MARKER.repeat(atom.length), own, ' ', MARKER] : [bare];
    let found = forms.find(form => form !== '' && whole.startsWith(form, p));
    if (start === 0 && !space && (whole[0] === MARKER || whole[0] === ' ') && !bare.startsWith(whole[0])) {
      // The marker in front of the text shares the place of the first character.
      put(1, 0, String.fromCodePoint(text.codePointAt(0)!).length);
      p = 1;
      found = forms.find(form => form !== '' && whole.startsWith(form, p));
    }
    if (found === undefined) {
      if (!space && bare !== '') return undefined;
      continue;
    }
    p += found.length;
    const extra = space && start === 0 && found === own ? own.length - atom.length : 0;
    if (found === atom || (space && found.length >= atom.length)) {
      put(Math.max(0, extra), start, start + 1);
      let at = start;
      for (const c of atom) {
        put(c.length, at, at + c.length);
        at += c.length;
      }
    } else {
      put(found.length, start, start + atom.length);
    }
  }
  return p === whole.length ? map : undefined;
}

/** How tokens of a model are spelled. */
export interface Spelling {
  /** WordPiece's mark of a continued word, `##`. */
  continuing?: string;
  /** What ends a word, `</w>`. */
  endOfWord?: string;
  /** `<0x41>` stands for a byte. */
  byteFallback: boolean;
  unknown?: string;
}

const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Find each token of a pre-tokenised text in the normalised text, from left to right.
 * @returns [start, end) of each token in UTF-16 units of `text`, or undefined when tokens and text do not fit together.
 */
export function alignTokens(
  tokens: readonly string[],
  text: string,
  spelling: Spelling,
): { starts: number[]; ends: number[] } | undefined {
  const starts: number[] = [];
  const ends: number[] = [];
  let p = 0;
  let bytesLeft = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const unknown = token === spelling.unknown;
    if (spelling.byteFallback && BYTE.test(token)) {
      // The bytes of one character share its place.
      const units = p < text.length ? String.fromCodePoint(text.codePointAt(p)!).length : 0;
      if (units === 0) return undefined;
      if (bytesLeft === 0) bytesLeft = new TextEncoder().encode(text.slice(p, p + units)).length;
      starts.push(p);
      ends.push(p + units);
      if (--bytesLeft === 0) p += units;
      continue;
    }
    if (bytesLeft > 0) return undefined;
    if (unknown) {
      p = skipSpace(text, p);
      const next = tokens.slice(i + 1).find(t => t !== spelling.unknown);
      // The unknown stretch ends where the next known token begins; two unknowns in a row cannot be told apart inside one word.
      let end = p;
      if (tokens[i + 1] === spelling.unknown || next === undefined) {
        const rest = /^\S+/.exec(text.slice(p))?.[0] ?? '';
        end = p + rest.length;
      } else {
        const piece = surface(next, spelling);
        do end += Math.max(1, String.fromCodePoint(text.codePointAt(end) ?? 32).length);
        while (end < text.length && !/\s/.test(text[end]!) && matchAt(text, end, piece) === undefined);
      }
      if (end <= p || end > text.length) return undefined;
      starts.push(p);
      ends.push(end);
      p = end;
      continue;
    }
    const piece = surface(token, spelling);
    let end = matchAt(text, p, piece);
    if (end === undefined) {
      p = skipSpace(text, p);
      end = matchAt(text, p, piece);
    }
    if (end === undefined && piece.startsWith('\u2581')) end = matchAt(text, p, piece.slice(1));
    if (end === undefined) return undefined;
    starts.push(p);
    // A marker put in front of the text shares the place of the first character, as in Hugging Face's offsets.
    ends.push(end > p || p >= text.length ? end : p + String.fromCodePoint(text.codePointAt(p)!).length);
    p = end;
  }
  return bytesLeft === 0 && skipSpace(text, p) === text.length ? { starts, ends } : undefined;
}

function surface(token: string, { continuing, endOfWord }: Spelling): string {
  let piece = token;
  if (continuing && piece.startsWith(continuing) && piece.length > continuing.length) piece = piece.slice(continuing.length);
  if (endOfWord && piece.endsWith(endOfWord)) piece = piece.slice(0, -endOfWord.length);
  return piece;
}

/** Where `piece` ends when it stands at `p`; the marker U+2581 also matches a space. */
function matchAt(text: string, p: number, piece: string): number | undefined {
  for (let i = 0; i < piece.length; i++) {
    const want = piece[i];
    const have = text[p + i];
    if (have !== want && !(want === '\u2581' && have === ' ')) return undefined;
  }
  return p + piece.length;
}

function skipSpace(text: string, p: number): number {
  let q = p;
  while (q < text.length && /\s/.test(text[q]!)) q++;
  return q;
}
