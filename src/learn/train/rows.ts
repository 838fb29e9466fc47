import { BadInput, type ErrorParts, quote } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { type EncodeSummary, encodeRows, encodeSeq2SeqRows, type PackReport, pack } from '../../prepare/tokens/index.js';
import { countLabels } from './labels.js';
import type { SftOptions } from './options.js';
import { isSeq2Seq, type TrainRow } from './types.js';

/** What of the options says how rows are made ready. */
export type RowOptions = Pick<
  SftOptions,
  'model' | 'tokenizer' | 'template' | 'maxLength' | 'packing' | 'seed' | 'promptLossWeight'
>;

export interface Prepared {
  rows: TrainRow[];
  summary: EncodeSummary | undefined;
  packed: PackReport | undefined;
}

/** Rows ready for the model: encoded when they are conversations, cut to length, checked, and packed where asked. */
export function prepare(key: string, rows: unknown, options: RowOptions): Prepared {
  if (!Array.isArray(rows) || rows.length === 0) {
    const passing = !Array.isArray(rows) && isIterable(rows);
    throw new BadInput({
      problem: 'There are no rows to train on',
      where: { key },
      expected: 'an array of conversations or encoded rows',
      found: passing ? 'something to go through once' : Array.isArray(rows) ? 'an empty array' : quote(rows),
      fix: passing
        ? 'give a function that opens it anew for every pass: rows: () => data.streamRows(file)'
        : 'read some with await data.readRows(file)',
    });
  }
  const conversations = rows.filter(isConversation);
  const { rows: ready, summary } =
    conversations.length === 0
      ? { rows: rows.map((row, index) => checkedRow(key, row, index, options)), summary: undefined }
      : encodeConversations(key, conversations, rows.length, options);
  if (!ready.some(row => countLabels(row, isSeq2Seq(options.model)) > 0))
    throw new BadInput({
      problem: `None of the ${rows.length} rows has a token that carries loss`,
      where: { key },
      expected: 'labels other than −100 in at least one row',
      fix:
        options.maxLength === undefined
          ? 'encode the rows with labels on the response'
          : 'raise maxLength: the responses may have been cut off',
    });
  ready.forEach((row, index) => {
    refuseUnknownTokens(key, row, index, options.model);
  });
  const weighed = ready.map(row => weighPrompt(row, options.promptLossWeight));
  const made = options.packing
    ? { ...packed(weighed, options.packing, options.seed ?? 0), summary }
    : { rows: weighed, summary, packed: undefined };
  refuseTooLong(key, made.rows, options);
  return made;
}

/**
 * A row whose prompt is trained too, with a weight: every token without a label but the first, which nothing predicts. The
 * weights of the others stay.
 */
export function weighPrompt(row: TrainRow, weight: number | undefined): TrainRow {
  if (!weight) return row;
  const prompt = row.labels.map((label, i) => i > 0 && label === -100);
  return {
    ...row,
    labels: row.labels.map((label, i) => (prompt[i] ? row.ids[i]! : label)),
    weights: row.labels.map((_, i) => (prompt[i] ? weight : (row.weights?.[i] ?? 1))),
  };
}

/** Rows in packs, which know the lines they came from. */
export function packed(
  rows: readonly TrainRow[],
  packing: NonNullable<SftOptions['packing']>,
  seed: number | string,
): { rows: TrainRow[]; packed: PackReport } {
  const { rows: packs, report } = pack(rows, { ...packing, seed });
  const made = packs.map(({ ids, labels, weights, segmentIds, rows: members }) => {
    const line = members.flatMap(row => rows[row]!.line ?? []);
    const tasks = new Set(members.map(row => rows[row]!.task));
    const task = tasks.size === 1 ? [...tasks][0] : undefined;
    return { ids, labels, weights, segmentIds, ...(line.length > 0 && { line }), ...(task !== undefined && { task }) };
  });
  return { rows: made, packed: report };
}

export function isConversation(row: unknown): row is Row {
  return Array.isArray((row as Row | undefined)?.messages);
}

function encodeConversations(key: string, rows: Row[], total: number, options: RowOptions): Omit<Prepared, 'packed'> {
  const { tokenizer, template, maxLength } = options;
  if (!tokenizer || !template || rows.length < total) throw new BadInput(whyNotEncodable(key, total - rows.length, options));
  const encode = isSeq2Seq(options.model) ? encodeSeq2SeqRows : encodeRows;
  const { rows: encoded, summary } = encode(rows, { tokenizer, template, maxLength });
  // The encoder drops rows that train nothing; the others keep the line they came from.
  const dropped = new Set(summary.dropped.map(({ index }) => index));
  const kept = rows.filter((_, index) => !dropped.has(index));
  const ready = encoded.map(({ ids, labels, weights }, i) => {
    const { line, task } = kept[i]!;
    return { ids, labels, weights, line, ...(task !== undefined && { task }) };
  });
  return { rows: ready, summary };
}

/** Why conversations cannot be encoded, `others` of the rows being none. */
export function whyNotEncodable(key: string, others: number, { tokenizer, template }: RowOptions): ErrorParts {
  if (others > 0)
    return {
      problem: `${others} of the rows have no messages, the others have`,
      where: { key },
      fix: 'give conversations or encoded rows, not both',
    };
  if (!tokenizer)
    return {
      problem: 'Conversations need a tokenizer',
      where: { key: 'tokenizer' },
      fix: 'pass tokenizer: await tokens.Tokenizer.fromFile(dir), or encoded rows',
    };
  return {
    problem: 'Conversations need a template',
    where: { key: 'template' },
    found: quote(template),
    fix: "pass template: templates.get('chatml'), or encoded rows",
  };
}

/** An encoded row, cut to length; throws BadInput when it is none. */
export function checkedRow(key: string, row: TrainRow, index: number, { model, maxLength }: RowOptions): TrainRow {
  const seq2seq = isSeq2Seq(model);
  const problem =
    !Array.isArray(row?.ids) || !Array.isArray(row.labels)
      ? 'has no ids and labels'
      : seq2seq
        ? unequal(row, 'labels', ['weights']) || (row.segmentIds && 'has segmentIds, and an encoder–decoder takes no packs')
        : unequal(row, 'ids', ['labels', 'weights', 'segmentIds']);
  if (problem)
    throw new BadInput({
      problem: `Row ${index} ${problem}`,
      where: { key },
      expected: seq2seq
        ? 'a conversation {messages} or an encoded row {ids, labels}: what the encoder reads, what the decoder is to say'
        : 'a conversation {messages} or an encoded row {ids, labels} of equal lengths, labels unshifted, −100 where nothing is trained',
      found: quote(row),
      fix: seq2seq
        ? 'make rows with data.readRows(…) or tokens.encodeSeq2Seq(…)'
        : 'make rows with data.readRows(…) or tokens.encodeRows(…)',
    });
  if (maxLength === undefined || Math.max(row.ids.length, row.labels.length) <= maxLength) return row;
  return {
    ...row,
    ids: row.ids.slice(0, maxLength),
    labels: row.labels.slice(0, maxLength),
    weights: row.weights?.slice(0, maxLength),
    segmentIds: row.segmentIds?.slice(0, maxLength),
  };
}

export function isIterable(rows: unknown): boolean {
  const parts = rows as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  return typeof rows === 'object' && Boolean(parts?.[Symbol.asyncIterator] ?? parts?.[Symbol.iterator]);
}

/** Tokens of another tokenizer are found before the first step, not at the one that meets them. */
function refuseUnknownTokens(key: string, { ids, labels, line }: TrainRow, index: number, model: RowOptions['model']): void {
  const size = model.config?.vocabSize;
  if (size === undefined) return;
  const known = (id: number) => Number.isInteger(id) && id >= 0 && id < size;
  const wrong = ids.find(id => !known(id)) ?? labels.find(id => id !== -100 && !known(id));
  if (wrong === undefined) return;
  const lines = line === undefined ? '' : ` (line ${[line].flat().join(', ')})`;
  throw new BadInput({
    problem: `Row ${index}${lines} has a token that the model does not know`,
    where: { key },
    expected: `integers from 0 to ${size - 1}, and −100 for labels that are not trained`,
    found: String(wrong),
    fix: "encode with the tokenizer that belongs to the model, or give the model the tokenizer's vocabSize",
  });
}

/** Rows that the model has no positions for are found before the first step as well; all of them, so that they need be cut once. */
function refuseTooLong(key: string, rows: readonly TrainRow[], { model, maxLength }: RowOptions): void {
  const most = model.config?.maxPositionEmbeddings;
  if (most === undefined || isSeq2Seq(model)) return;
  const lengths = rows.map(longestSegment);
  const long = rows.filter((_, i) => lengths[i]! > most);
  if (long.length === 0) return;
  const { line } = long[0]!;
  throw new BadInput({
    problem: `${long.length} of the ${rows.length} rows are longer than the model's context`,
    where: { key },
    expected: `at most ${most} tokens`,
    found: `up to ${lengths.reduce((a, b) => Math.max(a, b), 0)}, first row ${rows.indexOf(long[0]!)}${line === undefined ? '' : ` (line ${[line].flat().join(', ')})`}`,
    fix: `cut them: maxLength: ${most}${maxLength === undefined ? '' : ` in place of ${maxLength}`}; or use a model with a longer context`,
  });
}

/** Tokens of a row; of a packed one those of its longest segment, each of which has positions of its own. */
function longestSegment({ ids, segmentIds }: TrainRow): number {
  if (!segmentIds) return ids.length;
  let [longest, start] = [0, 0];
  for (let at = 1; at <= segmentIds.length; at++) {
    if (at < segmentIds.length && segmentIds[at] === segmentIds[at - 1]) continue;
    longest = Math.max(longest, at - start);
    start = at;
  }
  return longest;
}

/** Which of these parts is not as long as another, in words. */
function unequal(row: TrainRow, measure: 'ids' | 'labels', parts: readonly ('labels' | 'weights' | 'segmentIds')[]): string {
  const length = row[measure].length;
  const wrong = parts.find(name => row[name] && row[name].length !== length);
  return wrong ? `has ${length} ${measure} but ${row[wrong]!.length} ${wrong}` : '';
}
