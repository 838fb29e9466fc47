/** A run of words: in both texts, only in the first, or only in the second. */
export interface DiffPart {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

/** Words compared at most on each side; beyond them the rest counts as replaced. The table grows with the square of this. */
const WORDS = 1200;

/**
 * What changed from one text to another, word by word (a longest common subsequence; white space belongs to the word before it).
 * Joined, the parts that are not `new` are the first text, those that are not `gone` the second.
 */
export function wordDiff(before: string, after: string): DiffPart[] {
  const [a, b] = [pieces(before), pieces(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const parts: DiffPart[] = [];
  const add = (kind: DiffPart['kind'], text: string) => {
    if (text === '') return;
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  add('same', a.slice(0, start).join(''));
  const [x, y] = [a.slice(start, endA), b.slice(start, endB)];
  if (x.length > WORDS || y.length > WORDS) {
    add('gone', x.join(''));
    add('new', y.join(''));
  } else {
    const common = table(x, y);
    const width = y.length + 1;
    let [i, j] = [0, 0];
    // What goes stands before what comes, so that a replaced phrase reads as one.
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) {
        add('same', x[i]!);
        i++;
        j++;
      } else if (i < x.length && (j === y.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!))
        add('gone', x[i++]!);
      else add('new', y[j++]!);
    }
  }
  add('same', a.slice(endA).join(''));
  return parts;
}

/** Words with the white space behind them; of scripts without spaces each character is a word. */
function pieces(text: string): string[] {
  return (
    text.match(
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]\s*|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+\s*|\s+/gu,
    ) ?? []
  );
}

/** Lengths of the longest common subsequence of every pair of ends, as rows of `y.length + 1`. */
function table(x: readonly string[], y: readonly string[]): Uint16Array {
  const width = y.length + 1;
  const lengths = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      const [down, right] = [lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!];
      lengths[i * width + j] = x[i] === y[j] ? lengths[(i + 1) * width + j + 1]! + 1 : Math.max(down, right);
    }
  }
  return lengths;
}
