import type { ErrorParts } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { TABLE_CSS } from './table.js';
import { cut, escapeHtml, printable } from './text.js';

/** What is shown of an error of ours. */
export interface ErrorData {
  name: string;
  parts: ErrorParts;
}

const ERROR_CSS: string =
  `${TABLE_CSS}.tb-facts .tb-bad{margin:0 0 4px;font-size:14px}` +
  '.tb-figure.tb-table.tb-facts th{color:var(--tb-soft);font-weight:600;white-space:nowrap}';

/** Characters shown of one part. */
const LONG = 1000;

/** Whether a value is an error that says what was expected, what was found and what to do: also of another copy of tunebook. */
export function isTeachingError(value: unknown): value is Error & ErrorData {
  const problem = (value as { parts?: { problem?: unknown } } | null | undefined)?.parts?.problem;
  return value instanceof Error && typeof problem === 'string';
}

/** An error of ours as what it is: a place, a problem, what was expected, what was found, what to do. */
export function errorView({ name, parts }: ErrorData): Figure {
  const { where, problem, expected, found, fix } = parts;
  const place = [where?.file && `${where.file}${where.line ? `:${where.line}` : ''}`, where?.key && `"${where.key}"`];
  const lines = (
    [
      ['Where', place.filter(Boolean).join(', ')],
      ['Expected', expected],
      ['Found', found],
      ['Fix', fix],
    ] as [string, string | undefined][]
  )
    .filter(([, text]) => text !== undefined && text !== '')
    .map(([term, text]) => [term, printable(cut(String(text), LONG))] as const);
  const title = printable(cut(`${name}: ${problem}`, LONG));
  const rows = lines.map(
    ([term, text]) => `<tr><th scope="row">${term}</th><td class="tb-long" dir="auto">${escapeHtml(text)}</td></tr>`,
  );
  return figure({
    kind: 'error',
    html:
      `<style>${ERROR_CSS}</style><div class="tb-figure tb-table tb-facts"><p class="tb-bad">${escapeHtml(title)}</p><table>` +
      `<tbody>${rows.join('\n')}</tbody></table></div>`,
    text: [title, ...lines.map(([term, text]) => `  ${`${term}:`.padEnd(10)}${text.replaceAll('\n', '\n            ')}`)].join(
      '\n',
    ),
    alt: title,
  });
}
