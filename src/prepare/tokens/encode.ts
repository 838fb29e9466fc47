import { BadInput, quote } from '../../base/core/index.js';
import type { Message, Row } from '../data/index.js';
import { get, type RenderOptions, type Segment, type Template } from '../templates/index.js';
import { checkEncodeOptions } from './encode-options.js';
import { type EncodedParts, EncodedRow, IGNORED } from './encoded.js';
import type { Pieces } from './engine.js';
import type { Part } from './pipeline/added.js';
import { type MaskOptions, segmentWeights } from './strategy.js';
import type { Tokenizer } from './tokenizer.js';
import { type TruncateOptions, truncate } from './truncate.js';
import { verify } from './verify.js';

/** How a conversation is written, for encoding and for prompts alike. */
export interface WriteOptions extends Pick<RenderOptions, 'tools' | 'documents' | 'thinking'> {
  tokenizer: Tokenizer;
  /** A template or its name. */
  template: Template | string;
  /** Overrides the template's own: see `Template.boundary`. */
  boundary?: 'split' | 'whole';
}

export interface EncodeOptions extends WriteOptions, MaskOptions, TruncateOptions {}

/** A conversation: its messages, or a row with its tools and documents. */
export type Conversation = readonly Message[] | Pick<Row, 'messages' | 'tools' | 'documents'>;

/**
 * Encode one conversation with its mask.
 *
 * Ids and labels are made together: text written by the template may hold special tokens, which become their ids; text
 * from the conversation never does. Each run of text between special tokens is tokenised at once, cut only where a response
 * begins or ends (`boundary: 'split'`). Labels follow from the offsets of the tokens, and the row is verified.
 * @returns ids, labels (unshifted, −100 where not trained; the first is always −100) and what is needed to show them.
 * @throws BadInput when the template cannot hold the conversation, or the tokenizer lacks the end-of-turn token.
 */
export function encode(conversation: Conversation, options: EncodeOptions): EncodedRow {
  const parts = build(conversation, options);
  const row = new EncodedRow(parts, options.tokenizer, () => build(conversation, options));
  verify(row);
  return row;
}

/**
 * Ids of the prompt that asks for the next assistant turn, or, with `continueFinalMessage`, for the rest of the last one. With
 * `boundary: 'split'` they are exactly the beginning of what {@link encode} gives for the same conversation with its answer.
 */
export function encodePrompt(
  conversation: Conversation,
  options: WriteOptions & Pick<RenderOptions, 'continueFinalMessage'>,
): number[] {
  const { continueFinalMessage = false } = options;
  return assemble(conversation, options, { addGenerationPrompt: !continueFinalMessage, continueFinalMessage }).ids;
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

/**
 * What ends an assistant turn, for generation: {@link stopIds}, and beside them the texts that this tokenizer has no token for, as templates of
 * plain text end their turns.
 */
export function stopsOf(template: Template | string, tokenizer: Tokenizer): { ids: number[]; texts: string[] } {
  const { name, stop } = resolve(template);
  const isToken = (text: string) => text === 'eos' || tokenizer.splitAdded(text)[0]?.id !== undefined;
  const ids = stop.filter(isToken).map(text => (text === 'eos' ? needEos(name, tokenizer) : tokenizer.splitAdded(text)[0]!.id!));
  return { ids: [...new Set([...ids, ...tokenizer.stopIds])], texts: stop.filter(text => !isToken(text)) };
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

/** Text that belongs to a template is split again and again: what was found is kept, by tokenizer. */
const found = new WeakMap<Tokenizer, Map<string, Part[]>>();

function splitControl(tokenizer: Tokenizer, text: string): Part[] {
  let known = found.get(tokenizer);
  if (!known) {
    known = new Map();
    found.set(tokenizer, known);
  }
  let parts = known.get(text);
  if (!parts) {
    parts = tokenizer.splitAdded(text);
    // Templates print few different texts; a Jinja template may print more, which must not fill the memory.
    if (known.size < 1000) known.set(text, parts);
  }
  return parts;
}

/** The conversation as a row; what is none is left for the template to refuse. */
function rowOf(conversation: Conversation): Pick<Row, 'tools' | 'documents'> & { messages: readonly Message[] } {
  const row = conversation as Partial<Row> | null | undefined;
  return Array.isArray(row?.messages) ? (row as Row) : { messages: conversation as readonly Message[] };
}

function assemble(
  conversation: Conversation,
  options: WriteOptions,
  ask: Pick<RenderOptions, 'addGenerationPrompt' | 'continueFinalMessage'>,
): Assembly {
  checkEncodeOptions(options);
  const { tokenizer, template, boundary, tools, documents, thinking } = options;
  const form = resolve(template);
  if (form.stop.includes('eos')) needEos(form.name, tokenizer);
  const { bosToken, eosToken, bosId } = tokenizer;
  const row = rowOf(conversation);
  const segments = form.render(row.messages, {
    ...ask,
    bosToken: bosToken ?? '',
    eosToken: eosToken ?? '',
    tools: row.tools ?? tools,
    documents: row.documents ?? documents,
    thinking,
  });
  const first = segments[0];
  const printsBos = first?.control === true && splitControl(tokenizer, first.text)[0]?.id === bosId;
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
    for (const part of segment.control ? splitControl(tokenizer, segment.text) : [{ text: segment.text, id: undefined }]) {
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

function build(conversation: Conversation, options: EncodeOptions): EncodedParts {
  const { ids, starts, ends, segments: rendered, text } = assemble(conversation, options, {});
  const weightOf = segmentWeights(rendered, rowOf(conversation).messages, options);
  const segments = rendered.map((segment, i) => weighted(segment, weightOf[i]!));
  const labels: number[] = new Array(ids.length);
  const weights: number[] = new Array(ids.length);
  const segmentOf: number[] = new Array(ids.length);
  let straddling = 0;
  let anyWeight = false;
  let s = 0;
  let segmentEnd = segments[0]?.text.length ?? 0;
  for (let i = 0; i < ids.length; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    // Starts never fall back behind the current segment: tokens come in the order of the text.
    while (s + 1 < segments.length && start >= segmentEnd) segmentEnd += segments[++s]!.text.length;
    segmentOf[i] = s;
    // A token over several segments has the smallest of their weights; over trained and untrained text it is masked.
    let weight = weightOf[s]!;
    let most = weight;
    for (let t = s, reach = segmentEnd; end > reach && t + 1 < segments.length; reach += segments[t]!.text.length) {
      const next = weightOf[++t]!;
      if (next < weight) weight = next;
      if (next > most) most = next;
    }
    if (weight === 0 && most > 0) straddling++;
    if (i === 0) weight = 0;
    labels[i] = weight > 0 ? ids[i]! : IGNORED;
    weights[i] = weight;
    if (weight !== 0 && weight !== 1) anyWeight = true;
  }
  const offsets = ids.map((_, i): [number, number] => [starts[i]!, ends[i]!]);
  const parts: EncodedParts = { ids, labels, text, offsets, segments, segmentOf, straddling, truncated: false };
  if (anyWeight) parts.weights = weights;
  return truncate(parts, options, options.tokenizer.bosId);
}

/** The segment as this row trains it. */
function weighted(segment: Segment, weight: number): Segment {
  if (segment.trained === weight > 0 && segment.weight === undefined && (weight === 0 || weight === 1)) return segment;
  const { weight: _, ...rest } = segment;
  return weight === 0 || weight === 1 ? { ...rest, trained: weight > 0 } : { ...rest, trained: true, weight };
}
