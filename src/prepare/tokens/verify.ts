import { quote, TunebookError } from '../../base/core/index.js';
import { type EncodedRow, IGNORED } from './encoded.js';

/**
 * Check a row's mask against its text, independently of how it was made: labels are the ids or −100, no trained token
 * holds an untrained character, every trained character that was kept is held by a trained token – those of masked
 * straddling tokens and of the first token after a cut or the beginning excepted – and every weight is that of its text. One walk over tokens and segments, so linear in the row.
 * @throws TunebookError at the first violation; it names token and text.
 */
export function verify(row: EncodedRow): void {
  const { ids, labels, weights, offsets, segments, text, truncated, gap = 0 } = row;
  const n = ids.length;
  if (labels.length !== n || offsets.length !== n || (weights && weights.length !== n))
    throw broken(`lengths differ: ${n} ids, ${labels.length} labels`);

  // Trained stretches of the text, neighbours joined.
  const spans: [number, number][] = [];
  let at = 0;
  for (const segment of segments) {
    const end = at + segment.text.length;
    if (segment.trained && end > at) {
      const before = spans.at(-1);
      if (before?.[1] === at) before[1] = end;
      else spans.push([at, end]);
    }
    at = end;
  }
  if (at !== text.length) throw broken('the segments do not add up to the text');

  let s = 0;
  // Up to here every trained character is accounted for.
  let covered = truncated && gap === 0 ? (offsets[1]?.[0] ?? 0) : 0;
  let straddling = 0;
  for (let i = 0; i < n; i++) {
    const [start, end] = offsets[i]!;
    // What was cut out before this token needs no label.
    if (i > 0 && i === gap) covered = Math.max(covered, start);
    while (s < spans.length && spans[s]![1] <= start) {
      if (covered < spans[s]![1])
        throw broken(`trained text ${quote(text.slice(Math.max(covered, spans[s]![0]), spans[s]![1]))} has no label`);
      s++;
    }
    const span = spans[s];
    const inside = span !== undefined && start >= span[0] && end <= span[1];
    const touches = span !== undefined && end > span[0];
    if (labels[i] !== IGNORED) {
      if (labels[i] !== ids[i]) throw broken(`label ${labels[i]} at token ${i} is not its id ${ids[i]}`);
      if (!inside || i === 0 || i === gap)
        throw broken(`token ${i} ${quote(text.slice(start, end))} is trained and holds text that is not`);
      if (Math.max(covered, span[0]) < start)
        throw broken(`trained text ${quote(text.slice(Math.max(covered, span[0]), start))} has no token`);
    } else if (inside && end > start && i > 0 && i !== gap) {
      throw broken(`token ${i} ${quote(text.slice(start, end))} should be trained and is not`);
    } else if (touches && !inside) straddling++;
    covered = Math.max(covered, end);
  }
  if (!truncated) {
    for (; s < spans.length; s++)
      if (covered < spans[s]![1])
        throw broken(`trained text ${quote(text.slice(Math.max(covered, spans[s]![0]), spans[s]![1]))} has no token`);
    if (straddling !== row.straddling) throw broken(`${straddling} tokens straddle a boundary, ${row.straddling} were counted`);
  }
  checkWeights(row);
}

/** Every trained token weighs what its text does, the least of it where segments meet; a masked one weighs nothing. */
function checkWeights({ ids, labels, weights, offsets, segments }: EncodedRow): void {
  let s = 0;
  let segmentEnd = segments[0]?.text.length ?? 0;
  for (let i = 0; i < ids.length; i++) {
    const found = weights ? weights[i]! : labels[i] === IGNORED ? 0 : 1;
    const [start, end] = offsets[i]!;
    while (s + 1 < segments.length && start >= segmentEnd) segmentEnd += segments[++s]!.text.length;
    let expected = segments[s]?.weight ?? 1;
    for (let t = s, reach = segmentEnd; end > reach && t + 1 < segments.length; reach += segments[t]!.text.length)
      expected = Math.min(expected, segments[++t]!.weight ?? 1);
    if (labels[i] === IGNORED) expected = 0;
    if (found !== expected) throw broken(`token ${i} weighs ${found}, its text ${expected}`);
  }
}

function broken(found: string): TunebookError {
  return new TunebookError({
    problem: 'the mask of a row failed its verification',
    expected: 'labels on exactly the trained text',
    found,
    fix: 'please report this with the row and the tokenizer; do not train on it',
  });
}
