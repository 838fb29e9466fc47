export const median = values => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const sum = values => values.reduce((a, b) => a + b, 0);

/** Median with the range of the rounds: what a noisy machine makes of it. */
export const spread = (values, digits = 0) => {
  const show = x => x.toFixed(digits);
  if (values.length === 1) return show(values[0]);
  return `${show(median(values))} (${show(Math.min(...values))}–${show(Math.max(...values))})`;
};

/** Columns padded to equal width; the first is flush left. */
export function table(rows) {
  const widths = rows[0].map((_, c) => Math.max(...rows.map(row => String(row[c]).length)));
  return rows
    .map(row => row.map((cell, c) => (c ? String(cell).padStart(widths[c]) : String(cell).padEnd(widths[c]))).join('  '))
    .join('\n');
}
