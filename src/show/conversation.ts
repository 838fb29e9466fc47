import { BadInput, quote } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { cut, escapeHtml, formatCell, oneLine, printable } from './text.js';
import { htmlVars } from './theme.js';

/** One message as it is shown; rows' messages are such. */
export interface ConversationMessage {
  /** Who speaks: `system`, `user`, `assistant`, `tool`. */
  role: string;
  content: string | readonly { text: string }[];
  /** A passage that goes with the message. */
  input?: string;
  /** What the assistant reasoned before. */
  thinking?: string;
  toolCalls?: readonly { name: string; arguments: unknown }[];
}

/** What a conversation's view holds. */
export interface ConversationData {
  messages: readonly ConversationMessage[];
  /** The last message is still being written. */
  writing?: boolean;
  /** A line below, e.g. how many tokens the last reply took. */
  note?: string;
  /** The messages stand above in the notebook already: the note alone is shown. */
  noteOnly?: boolean;
  title?: string;
}

/** Characters shown of one message, and messages shown of a conversation. */
const LONG = 20_000;
const MANY = 200;

/** A conversation, message by message, each with who says it. Texts are escaped: nothing in them is HTML or Markdown. */
export function conversation(source: ConversationData | readonly ConversationMessage[]): Figure {
  const data = isMessages(source) ? { messages: source } : source;
  const { messages, note, title } = data ?? {};
  const good = (message: Partial<ConversationMessage> | null): message is ConversationMessage =>
    typeof message?.role === 'string' && (typeof message.content === 'string' || Array.isArray(message.content));
  if (!Array.isArray(messages) || !messages.every(good))
    throw new BadInput({
      problem: 'there is no conversation to show',
      expected: 'messages with role and content',
      found: quote(source),
      fix: "show.conversation([{ role: 'user', content: 'Hello' }])",
    });
  const shown = data.noteOnly ? [] : messages.slice(-MANY);
  const alt = describe(data);
  const turns = shown.map((message, i) => turn(message, data.writing === true && i === shown.length - 1));
  const heading = title === undefined ? '' : `<p class="tb-title">${escapeHtml(printable(cut(title, 200)))}</p>`;
  const skipped = data.noteOnly ? 0 : messages.length - shown.length;
  const before = skipped > 0 ? `<p class="tb-note">${skipped} messages before these</p>` : '';
  const below = note === undefined ? '' : `<p class="tb-note">${escapeHtml(printable(cut(note, 300)))}</p>`;
  return figure({
    kind: 'conversation',
    ...(title === undefined ? {} : { title }),
    html:
      `<style>${CONVERSATION_CSS}</style><div class="tb-figure tb-talk">${heading}${before}` +
      `${turns.length > 0 ? `<div role="list" aria-label="${escapeHtml(alt)}">${turns.join('\n')}</div>` : ''}${below}</div>`,
    text: [
      ...(title === undefined ? [] : [oneLine(cut(title, 200))]),
      ...(skipped > 0 ? [`(${skipped} messages before these)`] : []),
      ...shown.map((message, i) => plain(message, data.writing === true && i === shown.length - 1)),
      ...(note === undefined ? [] : [printable(cut(note, 300))]),
    ].join('\n'),
    alt,
  });
}

function isMessages(source: unknown): source is readonly ConversationMessage[] {
  return Array.isArray(source);
}

function describe({ messages, writing }: ConversationData): string {
  const last = messages.at(-1);
  const count = `A conversation of ${messages.length} message${messages.length === 1 ? '' : 's'}`;
  if (!last) return `${count}.`;
  return `${count}; ${oneLine(cut(last.role, 40))}${writing ? ' is writing' : ` said last: ${oneLine(cut(textOf(last), 200))}`}`;
}

const textOf = ({ content }: ConversationMessage): string =>
  typeof content === 'string' ? content : content.map(part => String(part?.text ?? '')).join('');

/** The parts of a message in their order, with what each is. */
function partsOf(message: ConversationMessage): { kind: 'thinking' | 'content' | 'input' | 'call'; text: string }[] {
  const calls = Array.isArray(message.toolCalls) ? message.toolCalls : [];
  return [
    ...(typeof message.thinking === 'string' ? [{ kind: 'thinking' as const, text: message.thinking }] : []),
    ...(textOf(message) !== '' || calls.length === 0 ? [{ kind: 'content' as const, text: textOf(message) }] : []),
    ...(typeof message.input === 'string' && message.input !== '' ? [{ kind: 'input' as const, text: message.input }] : []),
    ...calls.map(call => ({ kind: 'call' as const, text: `${call?.name}(${formatCell(call?.arguments)})` })),
  ];
}

/** Roles that have a colour of their own; any other looks like a system message. */
const COLORS: Record<string, string> = { user: '#8a8a8a', assistant: '#1f84c4', tool: '#009e73' };

function turn(message: ConversationMessage, writing: boolean): string {
  const color = Object.hasOwn(COLORS, message.role) ? COLORS[message.role]! : '#c16b9a';
  const parts = partsOf(message).map(({ kind, text }, i, all) => {
    const shown = escapeHtml(cut(text, LONG, printable)).replaceAll('\n', '<br>');
    const pen = writing && i === all.length - 1 ? '<b class="tb-pen" title="is writing">▍</b>' : '';
    if (kind === 'content') return `<p dir="auto">${shown}${pen}</p>`;
    if (kind === 'call') return `<p class="tb-aside" dir="auto">calls <code>${shown}</code>${pen}</p>`;
    return `<p class="tb-aside" dir="auto">${kind === 'thinking' ? '<i>thinking</i> ' : ''}${shown}${pen}</p>`;
  });
  // Inline, because JupyterLab takes style sheets (but not these) away from a notebook it does not trust.
  return (
    `<div class="tb-turn" role="listitem" style="border-left:3px solid ${color}">` +
    `<b class="tb-who">${escapeHtml(oneLine(cut(message.role, 40)))}</b>${parts.join('')}</div>`
  );
}

/** Columns of the role in the text form. */
const WHO = 11;

function plain(message: ConversationMessage, writing: boolean): string {
  const text = partsOf(message)
    .map(({ kind, text }) => `${kind === 'content' || kind === 'input' ? '' : `(${kind}) `}${cut(text, LONG, printable)}`)
    .join('\n');
  const who = oneLine(cut(message.role, 40)).padEnd(WHO);
  return `${who}${text.replaceAll('\n', `\n${' '.repeat(WHO)}`)}${writing ? '▍' : ''}`.trimEnd();
}

/** Style of a conversation. */
export const CONVERSATION_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-figure{color:var(--tb-ink);font:14px/1.45 Inter,system-ui,sans-serif;margin:6px 0}.tb-talk{max-width:52em;line-height:1.5}' +
  '.tb-talk .tb-title{font-weight:600;font-size:15px;margin:0 0 6px}' +
  '.tb-talk .tb-turn{margin:0 0 10px;padding:1px 0 1px 12px;overflow-wrap:anywhere}' +
  '.tb-talk .tb-who{display:block;font-size:12px;font-weight:600;color:var(--tb-soft)}' +
  '.tb-talk .tb-turn p{margin:2px 0;color:var(--tb-ink);white-space:pre-wrap}.tb-talk .tb-turn .tb-aside{color:var(--tb-faint);font-size:13px}' +
  '.tb-talk .tb-pen{color:var(--tb-on);font-weight:400}.tb-talk .tb-note{color:var(--tb-faint);font-size:12px;margin:6px 0 0}';
