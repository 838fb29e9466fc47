import { contentText, type Message, type Row } from '../../../prepare/data/index.js';
import { fromSaved, HELD_OUT_STYLES, reword, type SuiteRow, TRAINED_STYLES } from '../../../prepare/tasks/index.js';
import { field } from '../questions.js';

/** What a request consists of. */
export interface RequestParts {
  /** What is to be done. */
  instruction: string;
  /** What it is to be done to; empty where the instruction says all. */
  input: string;
}

/**
 * Instruction and input of a row: its own fields of these names (rows of `tasks.suite` have them), else the last user message and its
 * passage, else what stands before and after the first blank line, line break or colon.
 */
export function requestParts(row: Row): RequestParts {
  const user = row.messages.findLast(message => message.role === 'user');
  const content = user ? contentText(user) : '';
  const instruction = field(row, 'instruction');
  if (instruction !== undefined) return { instruction, input: field(row, 'input') ?? '' };
  if (user?.input) return { instruction: content, input: user.input };
  for (const border of ['\n\n', '\n', ' : ', ': ']) {
    const at = content.indexOf(border);
    if (at > 0 && at + border.length < content.length)
      return { instruction: content.slice(0, at + border.length).trim(), input: content.slice(at + border.length).trim() };
  }
  return { instruction: content, input: '' };
}

/** The row with something else in the place of its last request. Rows of `tasks.suite` keep their layout. */
export function withRequest(row: Row, request: RequestParts): Row {
  const task = fromSaved<SuiteRow>(row);
  const styles: readonly string[] = [...TRAINED_STYLES, ...HELD_OUT_STYLES];
  if (styles.includes(task.style) && task.input === request.input) return reword(task, { instruction: request.instruction });
  const at = row.messages.findLastIndex(message => message.role === 'user');
  if (at < 0) return row;
  const user = row.messages[at]!;
  const whole = contentText(user);
  const before = requestParts(row);
  const { input: passage, ...rest } = user;
  let changed: Message;
  if (passage && request.instruction !== '') changed = { ...rest, content: request.instruction, input: request.input };
  // What stands between instruction and input stays: line breaks, a label.
  else if (request.instruction !== '' && before.instruction !== '' && request.input === before.input)
    changed = { ...rest, content: whole.replace(before.instruction, () => request.instruction) };
  else changed = { ...rest, content: [request.instruction, request.input].filter(Boolean).join('\n') };
  return { ...row, messages: row.messages.with(at, changed) };
}
