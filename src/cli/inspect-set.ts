import type { Rows } from '../prepare/data/index.js';
import type { Template } from '../prepare/templates/index.js';
import type { EncodeSummary } from '../prepare/tokens/index.js';

/** What became of a file's rows when they were read, in lines. */
export function describeRows({ report }: Rows): string {
  return [
    `${report.source} (${report.format}): ${report.read} rows read, ${report.kept} usable, ${report.skipped.length} skipped`,
    ...list(report.skipped),
  ].join('\n');
}

/** What became of a data set when it was encoded, in lines. */
export function describeSet(template: Template, summary: EncodeSummary): string {
  return [
    `with template ${template.name}: ${summary.kept} rows, ${summary.tokens.toLocaleString('en-US')} tokens, ` +
      `${(100 * summary.trainedShare).toFixed(1)} % trained, longest ${summary.longest}`,
    `  truncated ${summary.truncated}, dropped ${summary.dropped.length}, straddling tokens ${summary.straddling}`,
    ...list(summary.dropped),
    ...summary.warnings.map(warning => `  warning: ${warning}`),
  ].join('\n');
}

function list(rows: readonly { index: number; line?: number; reason: string }[]): string[] {
  const lines = rows
    .slice(0, 10)
    .map(row => `  ${row.line === undefined ? `row ${row.index}` : `line ${row.line}`}: ${row.reason}`);
  return [...lines, ...(rows.length > 10 ? [`  … and ${rows.length - 10} more`] : [])];
}
