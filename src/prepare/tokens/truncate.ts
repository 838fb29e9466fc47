import { BadInput, quote, TunebookError } from '../../base/core/index.js';
import { type EncodedParts, IGNORED } from './encoded.js';

export interface TruncateOptions {
  /** Longest row in tokens. Without it rows may have any length. */
  maxLength?: number;
  /**
   * What to do with a longer row. `right` (the default) cuts its end, and no EOS is put in place of what was cut; `left` cuts
   * its beginning but keeps the BOS; `middle` keeps as much of the beginning as of the end; `drop` refuses the row, so that
   * `encodeRows` drops and counts it; `error` stops, in `encodeRows` too. The first token after a cut is not trained: what it
   * followed is gone.
   */
  truncation?: 'right' | 'left' | 'middle' | 'drop' | 'error';
}

const POLICIES: readonly string[] = ['right', 'left', 'middle', 'drop', 'error'];

/**
 * Cut a row to `maxLength`, or refuse it.
 * @param bosId BOS of the tokenizer, kept when the beginning is cut.
 * @throws BadInput with `drop`, TunebookError with `error`, when the row is longer.
 */
export function truncate(parts: EncodedParts, options: TruncateOptions, bosId: number | undefined): EncodedParts {
  const { maxLength, truncation = 'right' } = options;
  if (!POLICIES.includes(truncation)) {
    throw new BadInput({
      problem: `unknown value of truncation: ${quote(truncation)}`,
      expected: POLICIES.join(', '),
      fix: "leave it out for 'right'",
    });
  }
  if (maxLength === undefined) return parts;
  if (!Number.isInteger(maxLength) || maxLength < 2) {
    throw new BadInput({
      problem: 'maxLength is no length',
      expected: 'a whole number of at least 2',
      found: quote(maxLength),
      fix: 'leave it out for no limit',
    });
  }
  const n = parts.ids.length;
  if (n <= maxLength) return parts;
  const tooLong = {
    problem: `the row has ${n} tokens`,
    expected: `at most ${maxLength} (maxLength)`,
    fix: "raise maxLength, or cut such rows with truncation: 'right'",
  };
  if (truncation === 'drop') throw new BadInput(tooLong);
  if (truncation === 'error') throw new TunebookError(tooLong);
  const bos = bosId !== undefined && parts.ids[0] === bosId ? 1 : 0;
  const head = truncation === 'right' ? maxLength : truncation === 'left' ? bos : Math.ceil(maxLength / 2);
  return cut(parts, head, n - (maxLength - head));
}

/** Keep the tokens before `head` and those from `tail` on. */
function cut(parts: EncodedParts, head: number, tail: number): EncodedParts {
  const keep = <T>(list: T[]): T[] => [...list.slice(0, head), ...list.slice(tail)];
  const { ids, labels, weights, offsets, segmentOf } = parts;
  const kept: EncodedParts = {
    ...parts,
    ids: keep(ids),
    labels: keep(labels),
    offsets: keep(offsets),
    segmentOf: keep(segmentOf),
    truncated: true,
  };
  if (weights) kept.weights = keep(weights);
  if (tail < ids.length) {
    kept.gap = head;
    kept.labels[head] = IGNORED;
    if (kept.weights) kept.weights[head] = 0;
  }
  return kept;
}
