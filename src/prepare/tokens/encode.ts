import { BadInput, quote } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { get, type Segment, type Template } from '../templates/index.js';
import { type EncodedParts, EncodedRow, IGNORED } from './encoded.js';
import type { Pieces } from './engine.js';
import type { Tokenizer } from './tokenizer.js';
import { verify } from './verify.js';

export interface EncodeOptions {
  tokenizer: Tokenizer;
  /** A template or its name. */
  template: Template | string;
  /**
   * What carries loss. `response` (the default): every assistant turn with its end of turn; `last`: only the last one;
   * `all`: every token but the first, which nothing predicts. An assistant message with weight 0 is left out.
   */
  train?: 'response' | 'last' | 'all';
  /** Overrides the template's own: see `Template.boundary`. */
  boundary?: 'split' | 'whole';
  /** Longest row in tokens. Without it rows may have any length. */
  maxLength?: number;
  /**
   * What to do with a longer row. `right` (the default) cuts its end, and no EOS is put in place of what was cut; `left`
   * cuts its beginning but keeps the BOS; `drop` refuses the row.
   */
  truncation?: 'right' | 'left' | 'drop';
}

/**
 * Encode one conversation with its mask.
 *
 * Ids and labels are made together: text written by the template may hold special tokens, which become their ids; text
 * from the conversation never does. Each run of text between special tokens is tokenised at once, cut only where a response
 * begins or ends (`boundary: 'split'`). Labels follow from the offsets of the tokens, and the row is verified.
 * @returns ids, labels (unshifted, −100 where not trained; the first is always −100) and what is needed to show them.
 * @throws BadInput when the template cannot hold the conversation, or the tokenizer lacks the end-of-turn token.
 */
export function encode(messages: readonly Message[], options: EncodeOptions): EncodedRow {
  const parts = build(messages, options);
  const row = new EncodedRow(parts, () => build(messages, options));
  verify(row);
  return row;
}

/**
 * Ids of the prompt that asks for the next assistant turn. With `boundary: 'split'` they are exactly the beginning of what
 * {@link encode} gives for the same conversation with its answer.
 */
export function encodePrompt(
  messages: readonly Message[],
  options: Pick<EncodeOptions, 'tokenizer' | 'template' | 'boundary'>,
): number[] {
  return assemble(messages, options, true).ids;
}

/** Ids that end an assistant turn of this template with this tokenizer: for `stopIds` of generation. */
export function stopIds(template: Template | string, tokenizer: Tokenizer): number[] {
  const { name, stop } = resolve(template);
  const ids = stop.map(text => {
    if (text === 'eos') return needEos(name, tokenizer);
    const id = tokenizer.splitAdded(text)[0]?.id;
    if (id !== undefined) return id;
    throw new BadInput({
      problem: `template ${name} ends a turn with ${quote(text)}, which is no token of this tokenizer`,
      expected: `${quote(text)} among its added tokens, so that generation can stop on it`,
      fix: `train the tokenizer with specialTokens: […, ${quote(text)}], or use the template alpaca, which ends turns with EOS`,
    });
  });
  return [...new Set([...ids, ...tokenizer.stopIds])];
}

function resolve(template: Template | string): Template {
  return typeof template === 'string' ? get(template) : template;
}

function needEos(name: string, { eosId }: Tokenizer): number {
  if (eosId !== undefined) return eosId;
  throw new BadInput({
    problem: `template ${name} ends a turn with the EOS token, and this tokenizer names none`,
    expected: '"eos_token" in tokenizer_config.json',
    fix: "name it: Tokenizer.fromFile(dir, {eosToken: '</s>'})",
  });
}

/** Ids, offsets and segments, before anything is known of labels. */
interface Assembly extends Pieces {
  segments: Segment[];
  text: string;
}

function assemble(
  messages: readonly Message[],
  { tokenizer, template, boundary }: Pick<EncodeOptions, 'tokenizer' | 'template' | 'boundary'>,
  addGenerationPrompt: boolean,
): Assembly {
  const form = resolve(template);
  if (form.stop.includes('eos')) needEos(form.name, tokenizer);
  const { bosToken, eosToken, bosId } = tokenizer;
  const segments = form.render(messages, { addGenerationPrompt, bosToken, eosToken });
  const first = segments[0];
  const printsBos = first?.control === true && tokenizer.splitAdded(first.text)[0]?.id === bosId;
  const addBos = tokenizer.addsBos && bosId !== undefined && !printsBos;
  if (addBos) segments.unshift({ text: bosToken!, role: 'template', control: true, trained: false });
  const split = (boundary ?? form.boundary) === 'split';

  const out: Assembly = { ids: [], starts: [], ends: [], segments, text: segments.map(s => s.text).join('') };
  let run = '';
  let runStart = 0;
  let cuts: number[] = [];
  // A BOS that the tokenizer adds is not part of the text, so the text after it stands at the start.
  let atStart = true;
  const flush = () => {
    let from = 0;
    for (const to of [...cuts, run.length]) {
      if (to > from)
        tokenizer.encodeInto(run.slice(from, to), from > 0 ? 'inside' : atStart ? 'start' : 'section', out, runStart + from);
      from = Math.max(from, to);
    }
    if (run !== '') atStart = false;
    run = '';
    cuts = [];
  };
  let at = 0;
  for (const [i, segment] of segments.entries()) {
    if (split && run !== '' && segment.trained !== segments[i - 1]?.trained) cuts.push(run.length);
    for (const part of segment.control ? tokenizer.splitAdded(segment.text) : [{ text: segment.text, id: undefined }]) {
      if (part.id === undefined) {
        if (run === '') runStart = at;
        run += part.text;
      } else {
        flush();
        out.ids.push(part.id);
        out.starts.push(at);
        out.ends.push(at + part.text.length);
        if (!(addBos && i === 0)) atStart = false;
      }
      at += part.text.length;
    }
  }
  flush();
  return out;
}

function build(messages: readonly Message[], options: EncodeOptions): EncodedParts {
  const { ids, starts, ends, segments: rendered, text } = assemble(messages, options, false);
  const { segments, weightOf } = strategy(rendered, messages, options.train ?? 'response');
  const labels: number[] = new Array(ids.length);
  const weights: number[] = new Array(ids.length);
  const segmentOf: number[] = new Array(ids.length);
  let straddling = 0;
  let weighted = false;
  let s = 0;
  let segmentEnd = segments[0]?.text.length ?? 0;
  for (let i = 0; i < ids.length; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    // Starts never fall back behind the current segment: tokens come in the order of the text.
    while (s + 1 < segments.length && start >= segmentEnd) segmentEnd += segments[++s]!.text.length;
    segmentOf[i] = s;
    const trained = segments[s]!.trained;
    let mixed = false;
    for (let t = s, reach = segmentEnd; end > reach && t + 1 < segments.length; reach += segments[t]!.text.length) {
      if (segments[++t]!.trained !== trained) mixed = true;
    }
    if (mixed) straddling++;
    const use = trained && !mixed && i > 0;
    labels[i] = use ? ids[i]! : IGNORED;
    weights[i] = use ? weightOf[s]! : 0;
    if (use && weightOf[s] !== 1) weighted = true;
  }
  const offsets = ids.map((_, i): [number, number] => [starts[i]!, ends[i]!]);
  const parts: EncodedParts = { ids, labels, text, offsets, segments, segmentOf, straddling, truncated: false };
  if (weighted) parts.weights = weights;
  return truncate(parts, options);
}

/** Which segments are trained in the end, and with what weight. */
function strategy(
  rendered: readonly Segment[],
  messages: readonly Message[],
  train: string,
): { segments: Segment[]; weightOf: number[] } {
  if (train !== 'response' && train !== 'last' && train !== 'all') {
    throw new BadInput({
      problem: `unknown value of train: ${quote(train)}`,
      expected: 'response, last or all',
      fix: "leave it out for 'response'",
    });
  }
  const last = rendered.findLast(segment => segment.trained)?.message;
  const weightOf = rendered.map(({ message }) => (message === undefined ? undefined : messages[message]?.weight) ?? 1);
  const segments = rendered.map((segment, i) => {
    const wanted = train === 'all' || (segment.trained && (train === 'response' || segment.message === last));
    return { ...segment, trained: wanted && weightOf[i]! > 0 };
  });
  return { segments, weightOf };
}

function truncate(parts: EncodedParts, { maxLength, truncation = 'right', tokenizer }: EncodeOptions): EncodedParts {
  const n = parts.ids.length;
  if (maxLength === undefined || n <= maxLength) return parts;
  if (!Number.isInteger(maxLength) || maxLength < 2) {
    throw new BadInput({
      problem: 'maxLength is no length',
      expected: 'a whole number of at least 2',
      found: quote(maxLength),
      fix: 'leave it out for no limit',
    });
  }
  if (truncation === 'drop') {
    throw new BadInput({
      problem: `the row has ${n} tokens`,
      expected: `at most ${maxLength} (maxLength)`,
      fix: "raise maxLength, or cut such rows with truncation: 'right'",
    });
  }
  const keepBos = truncation === 'left' && parts.ids[0] === tokenizer.bosId && tokenizer.bosId !== undefined;
  const cut = <T>(list: T[]): T[] => {
    if (truncation === 'right') return list.slice(0, maxLength);
    return keepBos ? [list[0]!, ...list.slice(n - maxLength + 1)] : list.slice(n - maxLength);
  };
  const { ids, labels, weights, offsets, segmentOf } = parts;
  const kept: EncodedParts = {
    ...parts,
    ids: cut(ids),
    labels: cut(labels),
    offsets: cut(offsets),
    segmentOf: cut(segmentOf),
    truncated: true,
  };
  if (weights) kept.weights = cut(weights);
  // Nothing predicts the first token, whichever it is now.
  kept.labels[0] = IGNORED;
  return kept;
}
