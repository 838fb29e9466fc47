import type { Message, Row } from '../types.js';
import { describe, isObject, malformed, own, unusable } from './fields.js';
import type { Context, Converted, Gatherer, Layout, Origin } from './layout.js';

/** A message of an OpenAssistant tree, as both forms have it. */
interface Node {
  id: string;
  role: string;
  text: string;
  /** Best is 0; unranked replies come after the ranked ones. */
  rank: number;
  lang: string | undefined;
  replies: Node[];
}

/**
 * OpenAssistant (Köpf et al. 2023): message trees, as exported ({message_tree_id, prompt: {text, role, replies: […]}}, one tree a
 * line) or flat ({message_id, parent_id, text, role}, one message a row, as on the Hugging Face hub). A row is the way from the
 * prompt to an assistant's leaf: the best-ranked reply at each step, or with `oasst: {paths: 'all'}` every way there is.
 */
export const oasst: Layout = {
  name: 'oasst',
  kind: 'rows',
  like: '{"message_tree_id", "prompt": {"text", "role", "replies"}} or {"message_id", "parent_id", "text", "role"} (OASST)',
  structured: ['prompt', 'replies'],
  detect: value => isTree(value) || isFlat(value),
  convert(value, context) {
    const root = isObject(value.prompt) ? value.prompt : value;
    const read = readNode(root, 'prompt');
    if ('kind' in read) return read;
    return paths(read, treeId(value) ?? read.id, context);
  },
  gather: (value, context) => (isTree(value) ? undefined : new Trees(context)),
};

const isTree = (value: Record<string, unknown>) =>
  (isObject(value.prompt) && 'text' in value.prompt && ('replies' in value.prompt || 'message_tree_id' in value)) ||
  (Array.isArray(value.replies) && 'text' in value);
const isFlat = (value: Record<string, unknown>) =>
  'message_id' in value && 'parent_id' in value && 'text' in value && 'role' in value;

function treeId(value: Record<string, unknown>): string | undefined {
  const id = own(value, 'message_tree_id');
  return typeof id === 'string' ? id : undefined;
}

/** Reads a whole tree without recursion: a hostile one may be as deep as its file is long. */
function readNode(root: Record<string, unknown>, at: string): Node | Converted {
  const top = nodeOf(root, at);
  if ('kind' in top) return top;
  const open: [Record<string, unknown>, Node][] = [[root, top]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [raw, node] = next;
    const replies = own(raw, 'replies') ?? [];
    if (!Array.isArray(replies))
      return malformed(`${at}.replies`, 'replies is not a list', 'an array of messages', describe(replies));
    for (const [i, reply] of replies.entries()) {
      const child = isObject(reply) ? nodeOf(reply, `replies[${i}]`) : nodeOf({}, `replies[${i}]`);
      if ('kind' in child) return child;
      if (own(reply, 'deleted') === true) continue;
      node.replies.push(child);
      open.push([reply, child]);
    }
  }
  return top;
}

function nodeOf(raw: Record<string, unknown>, at: string): Node | Converted {
  const [text, role] = [own(raw, 'text'), own(raw, 'role')];
  if (typeof text !== 'string') return malformed(`${at}.text`, 'a message has no text', 'a string in "text"', describe(text));
  if (role !== 'prompter' && role !== 'assistant')
    return malformed(`${at}.role`, 'unknown role', 'prompter or assistant', describe(role));
  const [id, rank, lang] = [own(raw, 'message_id'), own(raw, 'rank'), own(raw, 'lang')];
  return {
    id: typeof id === 'string' ? id : '',
    role,
    text,
    rank: typeof rank === 'number' && !Number.isNaN(rank) ? rank : Number.POSITIVE_INFINITY,
    lang: typeof lang === 'string' ? lang : undefined,
    replies: [],
  };
}

/** The conversations of one tree. */
function paths(root: Node, tree: string, { options }: Context): Converted[] {
  const all = options.oasst?.paths === 'all';
  const rows: Converted[] = [];
  // Each way still to go: the node it has reached and the way back.
  interface Way {
    node: Node;
    back?: Way;
  }
  const open: Way[] = [{ node: root }];
  for (let way = open.pop(); way; way = open.pop()) {
    const { node } = way;
    // A question nobody answered is no way onward.
    const onward = node.replies.filter(reply => (reply.role === 'assistant' ? says(reply) : reply.replies.some(says)));
    if (onward.length === 0) {
      if (says(node)) rows.push(rowOf(way, tree));
      continue;
    }
    const ranked = onward.toSorted((a, b) => a.rank - b.rank || 0);
    for (const reply of (all ? ranked : ranked.slice(0, 1)).reverse()) open.push({ node: reply, back: way });
  }
  return rows.length ? rows : [unusable('the tree has no answer')];
}

const says = (node: Node) => node.role === 'assistant' && node.text.trim() !== '';

function rowOf(leaf: { node: Node; back?: { node: Node } }, tree: string): Converted {
  const messages: Message[] = [];
  let lang: string | undefined;
  for (let way: { node: Node; back?: { node: Node } } | undefined = leaf; way; way = way.back) {
    messages.push({ role: way.node.role === 'prompter' ? 'user' : 'assistant', content: way.node.text });
    lang = way.node.lang;
  }
  const row: Row = { messages: messages.reverse(), meta: { message_tree_id: tree, ...(lang === undefined ? {} : { lang }) } };
  return { kind: 'row', row };
}

/**
 * Flat messages until their trees are whole. The messages of a tree stand together in the published files, parents first or not;
 * a tree is finished when `WAIT` messages of other trees have gone by, so that a stream of trees needs little memory.
 */
const WAIT = 20_000;

class Trees implements Gatherer {
  readonly #context: Context;
  readonly #open = new Map<string, { raw: Map<string, { value: Record<string, unknown>; origin: Origin }>; last: number }>();
  /** Where messages without a message_tree_id went. */
  readonly #homes = new Map<string, string>();
  #seen = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  *add(value: unknown, origin: Origin): Iterable<Converted & { origin: Origin }> {
    const raw = isObject(value) ? value : {};
    const id = own(raw, 'message_id');
    const parent = own(raw, 'parent_id');
    const tree = treeId(raw) ?? this.#homes.get(String(parent)) ?? id;
    if (typeof id !== 'string' || typeof tree !== 'string') {
      yield { ...malformed('message_id', 'the message has no id', 'a string in "message_id"', describe(id)), origin };
      return;
    }
    if (treeId(raw) === undefined) this.#homes.set(id, tree);
    const group = this.#open.get(tree) ?? { raw: new Map(), last: 0 };
    this.#open.set(tree, group);
    group.raw.set(id, { value: raw, origin });
    group.last = ++this.#seen;
    if (this.#seen % WAIT === 0) {
      for (const [name, { last }] of this.#open) if (last <= this.#seen - WAIT) yield* this.#close(name);
    }
  }

  *end(): Iterable<Converted & { origin: Origin }> {
    for (const name of [...this.#open.keys()]) yield* this.#close(name);
  }

  *#close(tree: string): Iterable<Converted & { origin: Origin }> {
    const { raw } = this.#open.get(tree)!;
    this.#open.delete(tree);
    const nodes = new Map<string, Node>();
    for (const [id, { value, origin }] of raw) {
      const node = nodeOf(value, id);
      if ('kind' in node)
        yield { ...node, key: (node as { key?: string }).key?.split('.').at(-1), origin } as Converted & { origin: Origin };
      else if (own(value, 'deleted') !== true) nodes.set(id, node);
    }
    let root: Node | undefined;
    for (const [id, node] of nodes) {
      const { value, origin } = raw.get(id)!;
      const parent = own(value, 'parent_id');
      if (typeof parent !== 'string' || parent === '') root ??= node;
      else if (parent === id || !nodes.has(parent))
        yield { kind: 'unusable', reason: `its parent ${parent.slice(0, 40)} is not in the file`, origin };
      else nodes.get(parent)!.replies.push(node);
    }
    const { origin } = raw.get(root?.id ?? [...raw.keys()][0]!)!;
    if (!root) {
      yield { kind: 'unusable', reason: `the tree ${tree.slice(0, 40)} has no first message`, origin };
      return;
    }
    for (const made of paths(root, tree, this.#context)) yield { ...made, origin };
  }
}
