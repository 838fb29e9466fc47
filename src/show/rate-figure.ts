import { CONVERSATION_CSS, type ConversationMessage, conversation } from './conversation.js';
import { type Figure, figure } from './figure.js';
import { CARDS_CSS } from './samples-cards.js';
import { cut, escapeHtml, oneLine, printable } from './text.js';

/** Characters shown of an answer. */
const ANSWER = 8000;

/** A pair as a rater sees it: two answers without their authors. */
export interface PairData {
  prompt: readonly ConversationMessage[];
  task?: string;
  a: string;
  b: string;
  /** How far the work is, e.g. `pair 3 of 12`. */
  place?: string;
}

/** A prompt and two answers side by side, called A and B: what a rater is shown by `show.rate`. */
export function pair({ prompt, task, a, b, place }: PairData): Figure {
  const talk = conversation(prompt);
  const side = (name: string, text: string) =>
    `<div class="tb-side"><b>${name}</b><div class="tb-said" dir="auto">${escapeHtml(cut(text, ANSWER, printable)) || '<i>(nothing)</i>'}</div></div>`;
  const about = [place, task].flatMap(each => (each === undefined ? [] : [oneLine(cut(each, 60))])).join(' · ');
  const said = (name: string, text: string) =>
    `${name}  ${cut(text, ANSWER, printable).replaceAll('\n', '\n   ') || '(nothing)'}`;
  return figure({
    kind: 'pair',
    html:
      `<style>${CONVERSATION_CSS}${CARDS_CSS}</style><div class="tb-figure tb-cards">${about === '' ? '' : `<p class="tb-note">${escapeHtml(about)}</p>`}` +
      `${talk.html ?? ''}<div class="tb-card" style="border:1px solid #8a8a8a"><div class="tb-sides">${side('A', a)}${side('B', b)}</div></div></div>`,
    text: [...(about === '' ? [] : [about]), talk.text, '', said('A', a), '', said('B', b)].join('\n'),
    alt: `Two answers, A and B, to one prompt. ${talk.alt}`,
  });
}
