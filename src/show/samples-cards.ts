import type { Sample } from './samples.js';
import { tasksOf } from './samples-filter.js';
import { cut, escapeHtml, formatNumber, oneLine, printable, short } from './text.js';
import { htmlVars } from './theme.js';
import { type DiffPart, wordDiff } from './word-diff.js';

/** Characters shown of a prompt, and of an answer. */
const PROMPT = 2000;
const ANSWER = 4000;
/** Tasks that have a box to tick; the rest is filtered by the option `task`. */
const BOXES = 24;

/** A sample and what else is known of it. */
export interface CardSample extends Sample {
  index?: number;
  /** The first thing wrong with the answer. */
  why?: string;
  metrics?: Readonly<Record<string, number>>;
  supervision?: string;
}

/**
 * Samples as cards: what was asked, what was expected and what was said, with the words in which the two differ marked. Boxes to tick
 * show and hide right and wrong answers and tasks; that is style sheet alone, so it works in a page without script or kernel.
 */
export function cardsHtml(shown: readonly CardSample[]): string {
  const tasks = tasksOf(shown).slice(0, BOXES);
  const verdicts = [true, false].filter(correct => shown.some(item => item.correct === correct));
  const box = (kind: string, name: string) =>
    `<label class="tb-box"><input type="checkbox" class="tb-${kind}" checked>${name}</label>`;
  const boxes = [
    ...(verdicts.length > 1 ? [box('f-right', '✓ right'), box('f-wrong', '✗ wrong')] : []),
    ...(tasks.length > 1 ? tasks.map((task, i) => box(`f-t${i}`, escapeHtml(oneLine(short(task, 40))))) : []),
  ];
  const filter = boxes.length > 0 ? `<details class="tb-filter"><summary>Filter</summary>${boxes.join('')}</details>` : '';
  return filter + shown.map(item => card(item, tasks.indexOf(item.task ?? ''))).join('\n');
}

function card(item: CardSample, task: number): string {
  const said = item.got ?? item.after ?? '';
  const names = [item.correct === undefined ? '' : item.correct ? 'tb-right' : 'tb-wrong', task >= 0 ? `tb-t${task}` : ''];
  const verdict =
    item.correct === undefined ? '' : `<span class="${item.correct ? 'tb-good">✓ right' : 'tb-bad">✗ wrong'}</span> `;
  const about = [item.task, item.supervision, item.index === undefined ? undefined : `row ${item.index}`]
    .filter(text => text !== undefined)
    .map(text => escapeHtml(oneLine(short(text, 60))));
  const parts = diffOf(item.expected, said);
  const sides =
    item.expected === undefined || item.expected === said
      ? side('answer', escapeHtml(printable(cut(said, ANSWER))))
      : side('expected', marked(parts, 'new', 'del')) + side('answer', marked(parts, 'gone', 'ins'));
  const notes = [
    ...(item.why ? [escapeHtml(printable(cut(item.why, 300)))] : []),
    ...(item.metrics ? [escapeHtml(metricsLine(item.metrics))] : []),
  ];
  return (
    // Of a notebook that is not trusted JupyterLab shows no style sheets, but such a border.
    // `open` has a value because the page of a notebook keeps attributes that have one.
    `<details open="" class="tb-card ${names.filter(Boolean).join(' ')}" style="border:1px solid #8a8a8a">` +
    `<summary>${verdict}<span class="tb-note">${about.join(' · ')}</span></summary>` +
    `<div class="tb-ask" dir="auto">${escapeHtml(printable(cut(item.prompt ?? '', PROMPT)))}</div>` +
    `<div class="tb-sides">${sides}</div>${notes.length > 0 ? `<p class="tb-note">${notes.join(' — ')}</p>` : ''}</details>`
  );
}

const side = (name: string, html: string) =>
  `<div class="tb-side"><b>${name}</b><div class="tb-said" dir="auto">${html || '<i>(nothing)</i>'}</div></div>`;

/** Words of the expected answer and of what was said; both cut to what is shown. */
function diffOf(expected: string | undefined, said: string): DiffPart[] {
  // The white space behind a word belongs to it: so that a last word equals the same one further in front, all have some.
  const words = (text: string) => cut(text, ANSWER, printable).replace(/(\S)$/, '$1 ');
  return wordDiff(words(expected ?? ''), words(said));
}

function marked(parts: readonly DiffPart[], leave: DiffPart['kind'], mark: string): string {
  return parts
    .filter(part => part.kind !== leave)
    .map(({ kind, text }) => (kind === 'same' ? escapeHtml(text) : `<${mark}>${escapeHtml(text)}</${mark}>`))
    .join('');
}

function metricsLine(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .filter(([, value]) => typeof value === 'number')
    .slice(0, 12)
    .map(([name, value]) => `${oneLine(short(name, 30))} ${formatNumber(Number(value.toPrecision(3)))}`)
    .join(', ');
}

/** The same for a terminal. */
export function cardsText(shown: readonly CardSample[]): string[] {
  return shown.flatMap(item => {
    const said = item.got ?? item.after ?? '';
    const verdict = item.correct === undefined ? '' : item.correct ? '✓ right  ' : '✗ wrong  ';
    const head = [item.task, item.index === undefined ? undefined : `row ${item.index}`].filter(text => text !== undefined);
    const line = (text: string) => oneLine(short(text, 160));
    const parts = diffOf(item.expected, said);
    const plain = parts.map(({ kind, text }) =>
      kind === 'same' ? text : kind === 'gone' ? `[-${text.trimEnd()}-] ` : `{+${text.trimEnd()}+} `,
    );
    const answer =
      item.expected === undefined || item.correct === true
        ? [`    answer    ${line(said) || '(nothing)'}`]
        : [`    expected  ${line(item.expected)}`, `    answer    ${line(said) || '(nothing)'}`];
    const changed = item.expected !== undefined && item.correct !== true && said !== '';
    return [
      `${verdict}${line(head.join(' · '))}`.trimEnd(),
      `  ${line(item.prompt ?? '')}`,
      ...answer,
      ...(changed ? [`    words     ${oneLine(short(plain.join(''), 200)).trimEnd()}`] : []),
      ...(item.why ? [`    why       ${line(item.why)}`] : []),
    ];
  });
}

/** Style of the cards, scoped by class. */
export const CARDS_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-cards{color:var(--tb-ink);font:14px/1.5 Inter,system-ui,sans-serif;margin:6px 0;max-width:64em}' +
  '.tb-cards .tb-title{font-weight:600;font-size:15px;margin:0 0 2px}.tb-cards .tb-note{color:var(--tb-faint);font-size:12px;margin:2px 0 6px}' +
  '.tb-cards summary{cursor:pointer}.tb-cards .tb-filter{margin:0 0 8px;font-size:13px;color:var(--tb-soft)}' +
  '.tb-cards .tb-box{display:inline-flex;align-items:center;gap:4px;margin:4px 14px 0 0;cursor:pointer}.tb-cards .tb-box input{accent-color:var(--tb-on);margin:0}' +
  '.tb-cards .tb-card{border:1px solid var(--tb-line)!important;border-radius:6px;margin:0 0 8px;padding:5px 12px}' +
  '.tb-cards .tb-card>.tb-note{margin:4px 0 2px}.tb-cards .tb-ask{white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0 4px;color:var(--tb-soft)}' +
  '.tb-cards .tb-sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:2px 16px}.tb-cards .tb-side{min-width:0}' +
  '.tb-cards .tb-side b{font-weight:600;font-size:12px;color:var(--tb-soft)}.tb-cards .tb-said{white-space:pre-wrap;overflow-wrap:anywhere}' +
  '.tb-cards del{color:var(--tb-bad);text-decoration:line-through;background:none}' +
  '.tb-cards ins{color:var(--tb-good);text-decoration:underline;text-underline-offset:2px;background:none;font-weight:600}' +
  '.tb-cards .tb-good{color:var(--tb-good);font-weight:600}.tb-cards .tb-bad{color:var(--tb-bad);font-weight:600}' +
  ['right', 'wrong', ...Array.from({ length: BOXES }, (_, i) => `t${i}`)]
    .map(name => `.tb-cards:has(.tb-f-${name}:not(:checked)) .tb-${name}`)
    .join(',') +
  '{display:none}';
