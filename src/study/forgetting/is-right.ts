import { contentText, type Row } from '../../prepare/data/index.js';
import { check, fromSaved } from '../../prepare/tasks/index.js';
import { normalise } from '../evaluate/index.js';

/** Whether an answer to a row is right: its own checker says so; where it has none, the text is the row's up to case and white space. */
export function isRight(answer: string, row: Row): boolean {
  if (fromSaved(row).checker ?? row.meta?.checker) return check(row, answer).correct;
  return normalise(answer) === normalise(contentText(row.messages.at(-1)!));
}
