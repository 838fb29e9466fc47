/** What the executor answers to a completion; offsets in UTF-16 units. */
export interface Completion {
  status: 'ok';
  start: number;
  end: number;
  items: { text: string; start: number; end: number }[];
}

/** Jupyter counts code points, JavaScript UTF-16 units. Anything that is no position is the end of the text. */
export function utf16Offset(text: string, points: unknown): number {
  if (typeof points !== 'number' || !(points >= 0)) return text.length;
  return [...text].slice(0, points).join('').length;
}

function codePoints(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}

/** Content of a `complete_reply`. */
export function completeReply(code: string, { status, start, end, items }: Completion): object {
  const cursor_start = codePoints(code, start);
  const cursor_end = codePoints(code, end);
  const types = items.map(item => ({ ...item, start: cursor_start, end: cursor_end }));
  const matches = items.map(({ text }) => text);
  return { status, cursor_start, cursor_end, matches, metadata: { _jupyter_types_experimental: types } };
}
