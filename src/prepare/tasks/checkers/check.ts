import { BadInput, quote } from '../../../base/core/index.js';
import { contentText, type Row } from '../../data/index.js';
import type { CheckerSpec, TaskRow, Verdict } from '../types.js';
import { facts, final, grounded, refusal, shape, words } from './free.js';
import { json, tool } from './structured.js';
import { choice, exact, list, number } from './text.js';
import type { Judge } from './verdict.js';

const CHECKERS: {
  [K in CheckerSpec['kind']]: (spec: Extract<CheckerSpec, { kind: K }>, answer: string, judge: Judge) => Verdict;
} = {
  exact,
  choice,
  number,
  list,
  json,
  tool,
  final,
  facts,
  refusal,
  grounded,
  words,
  shape,
};

const judgeBy: Judge = (spec, answer) => {
  if (typeof spec?.kind !== 'string' || !Object.hasOwn(CHECKERS, spec.kind))
    throw new BadInput({
      problem: 'no checker is of this kind',
      where: { key: 'checker.kind' },
      expected: `one of ${Object.keys(CHECKERS).join(', ')}`,
      found: quote(spec?.kind ?? spec ?? null),
    });
  const checker = CHECKERS[spec.kind] as (spec: CheckerSpec, answer: string, judge: Judge) => Verdict;
  return checker(spec, answer, judgeBy);
};

/**
 * Judge an answer by a checker alone. `tasks.judge({kind: 'number', value: 3}, 'three').correct` is true.
 * @throws BadInput for a checker that lacks what its kind needs, and an answer that is no text.
 */
export function judge(spec: CheckerSpec, answer: string): Verdict {
  return judged(spec, answer, {});
}

/**
 * Judge an answer to a row: right or wrong, partial credit, and the first thing wrong with it. A row without a checker
 * ends with its reference answer, or lists several in `meta.references`: there, an equal text is right.
 * `tasks.check(row, 'pen red cat').correct`
 * @throws BadInput when the row has neither a checker nor an answer.
 */
export function check(row: Row, answer: string): Verdict {
  const checker = checkerOf(row) ?? { kind: 'exact', answers: references(row) };
  return judged(checker, answer, { file: row.source, line: row.line });
}

function judged(checker: CheckerSpec, answer: string, at: { file?: string; line?: number }): Verdict {
  if (typeof answer !== 'string')
    throw new BadInput({
      problem: 'this is no answer',
      where: { key: 'answer' },
      expected: 'a text',
      found: quote(answer ?? null),
    });
  try {
    return judgeBy(checker, answer);
  } catch (cause) {
    if (cause instanceof BadInput) throw cause;
    // It came from a file: what its kind needs may be missing, or nested without end.
    throw new BadInput({
      problem: 'this checker cannot judge anything',
      where: { key: 'checker', ...at },
      expected: `the fields of a checker of the kind ${quote(checker.kind)}`,
      found: quote(checker),
      cause,
    });
  }
}

/** The row's checker, also where a row was read from a file and not yet taken through `fromSaved`. */
function checkerOf({ meta, ...row }: Row & Pick<TaskRow, 'checker'>): CheckerSpec | undefined {
  const saved = meta?.taskRow as Partial<TaskRow> | undefined;
  return row.checker ?? saved?.checker ?? (meta?.checker as CheckerSpec | undefined) ?? undefined;
}

/** The answers a row calls right: `meta.references` and its last message. */
export function references(row: Row): string[] {
  const last = row.messages.at(-1);
  const listed: unknown = row.meta?.references;
  const answers = Array.isArray(listed) ? listed.filter((text): text is string => typeof text === 'string') : [];
  if (last?.role === 'assistant') answers.push(contentText(last));
  if (answers.length === 0)
    throw new BadInput({
      problem: 'this row cannot be judged',
      where: { key: 'messages', line: row.line, file: row.source },
      expected: 'a "checker", or an assistant message at the end',
      found: `a last message from ${quote(last?.role ?? 'nobody')}`,
    });
  return [...new Set(answers)];
}
