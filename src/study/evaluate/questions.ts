import { BadInput } from '../../base/core/index.js';
import { contentText, type Row } from '../../prepare/data/index.js';
import { fromSaved } from '../../prepare/tasks/index.js';
import type { Template } from '../../prepare/templates/index.js';

/** What a row asks: its messages without the answer at the end. */
export function promptOf(row: Row, index: number): Row['messages'] {
  if (row.messages.at(-1)?.role !== 'assistant')
    throw new BadInput({
      problem: `row ${index} does not end with an answer`,
      where: { file: row.source, line: row.line },
      expected: 'an assistant message at the end',
      found: row.messages.at(-1)?.role ?? 'no messages',
      fix: 'leave such rows out of the held-out set',
    });
  return row.messages.slice(0, -1);
}

/** The last user message with its context passage. */
export function question(row: Row): string {
  const user = row.messages.findLast(message => message.role === 'user');
  return [user ? contentText(user) : '', user?.input ?? ''].filter(Boolean).join('\n');
}

/** All that stands before the answer, as plain text: a system message, earlier turns, the question with its passage. */
export function plainPrompt(row: Row): string {
  return row.messages
    .slice(0, -1)
    .flatMap(message => [contentText(message), message.input ?? ''])
    .filter(Boolean)
    .join('\n');
}

/** The answer a row ends with. */
export function answerOf(row: Row): string {
  return contentText(row.messages.at(-1)!);
}

/** A text field of a row that says more than a Row must: `cluster` of a task row, say; of a row from a file it lies in `meta`. */
export function field(row: Row, name: string): string | undefined {
  const value = (fromSaved(row) as unknown as Record<string, unknown>)[name] ?? row.meta?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Without a template nothing can be asked. */
export function needTemplate(template: Template | undefined): void {
  if (template !== undefined && template !== null) return;
  throw new BadInput({
    problem: 'there is no template to write the rows with',
    where: { key: 'template' },
    fix: "give template: templates.get('chatml'), or the one the model was tuned with",
  });
}

/** Rows there are none of cannot be scored. */
export function needRows(rows: readonly Row[]): void {
  if (!Array.isArray(rows) || rows.length === 0)
    throw new BadInput({
      problem: 'there are no rows to score',
      where: { key: 'rows' },
      fix: 'hold some rows out with data.split',
    });
}
