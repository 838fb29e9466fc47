// Control characters in a name from a file would garble the terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text from a file as one printable line. */
export function plainLine(text: unknown): string {
  return String(text).replace(UNPRINTABLE, ' ');
}

/** Rows as aligned columns, the first row above a rule. Columns of numbers are set to the right. */
export function alignedColumns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map(row => row.map(plainLine));
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map(row => row[i]!.length)));
  const right = head.map((_, i) => cells.every(row => /^([\d.,e+-]+|–|)$/.test(row[i]!)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map(width => '─'.repeat(width)).join('  '), ...cells.map(line), ''].join('\n');
}

/** A number with four digits that count; a dash where there is none. */
export function shortNumber(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
