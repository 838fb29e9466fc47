import { BadInput, quote } from '../base/core/index.js';
import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import type { Sample } from './samples.js';
import { worded } from './samples-filter.js';
import { cut, escapeHtml, formatNumber, oneLine, printable } from './text.js';
import { htmlVars } from './theme.js';
import { type DiffPart, wordDiff } from './word-diff.js';

export interface GenerationsOptions {
  /** Defaults to `Before and after`. */
  title?: string;
  /** Samples shown at most; defaults to 12. */
  limit?: number;
}

/** Characters of a prompt, and of a generation, that are shown. */
const PROMPT = 800;
const TEXT = 4000;

/**
 * What a model said before training and what it says after, with the words that changed marked: struck through what is gone,
 * underlined what is new (so that colour is never alone). Both sides stand whole, next to each other where there is room.
 *
 * @throws BadInput for a sample without `before`.
 */
export function generations(given: readonly Sample[], options: GenerationsOptions = {}): Figure {
  const { title = 'Before and after', limit = 12 } = options;
  const items = objects(given, '[{ prompt, before, after }]').map(worded);
  items.forEach((item, index) => {
    if (typeof item?.before === 'string' && typeof (item.after ?? item.got) === 'string') return;
    throw new BadInput({
      problem: `sample ${index} lacks one of its two texts`,
      expected: '{ prompt, before, after }',
      found: quote(item),
      fix: 'for samples of one model alone use show.samples',
    });
  });
  const shown = items.slice(0, limit).map(item => {
    const [before, after] = [cut(item.before!, TEXT, printable), cut((item.after ?? item.got)!, TEXT, printable)];
    return { item, before, after, parts: wordDiff(before, after) };
  });
  const changed = items.filter(item => item.before !== (item.after ?? item.got)).length;
  const judged = items.filter(item => item.correct !== undefined);
  const right =
    judged.length > 0
      ? ` ${formatNumber(judged.filter(item => item.correct).length)} of ${formatNumber(judged.length)} are right after.`
      : '';
  const more = items.length > shown.length ? ` The first ${shown.length} are shown.` : '';
  const alt = `${formatNumber(changed)} of ${formatNumber(items.length)} answer${items.length === 1 ? '' : 's'} changed.${right}${more}`;
  const html =
    `<style>${GENERATIONS_CSS}</style><div class="tb-figure tb-gens"><p class="tb-title">${escapeHtml(printable(cut(title, 200)))}</p>` +
    `${shown.map(card).join('\n')}<p class="tb-note">${escapeHtml(alt)} <del>gone</del> <ins>new</ins></p></div>`;
  return figure({ kind: 'generations', title, html, text: asText(title, alt, shown), alt });
}

interface Shown {
  item: Sample;
  before: string;
  after: string;
  parts: readonly DiffPart[];
}

function card({ item, parts }: Shown): string {
  const side = (name: string, leave: DiffPart['kind'], mark: string) => {
    const text = parts
      .filter(part => part.kind !== leave)
      .map(part => (part.kind === 'same' ? escapeHtml(part.text) : `<${mark}>${escapeHtml(part.text)}</${mark}>`))
      .join('');
    return `<div class="tb-gen-side"><b class="tb-gen-name">${name}</b><div class="tb-gen-text" dir="auto">${text || '<i>(nothing)</i>'}</div></div>`;
  };
  const verdict =
    item.correct === undefined ? '' : ` <span class="${item.correct ? 'tb-good">✓ right' : 'tb-bad">✗ wrong'}</span>`;
  const task = item.task === undefined ? '' : `<span class="tb-note">${escapeHtml(oneLine(cut(item.task, 60)))}</span> `;
  const expected =
    item.expected === undefined
      ? ''
      : `<div class="tb-gen-ask"><b class="tb-gen-name">expected</b> <span dir="auto">${escapeHtml(printable(cut(item.expected, PROMPT)))}</span></div>`;
  return (
    // Of a notebook that is not trusted JupyterLab shows no style sheets, but such a border.
    `<div class="tb-gen" style="border:1px solid #8a8a8a"><div class="tb-gen-ask">${task}<span dir="auto">${escapeHtml(printable(cut(item.prompt ?? '', PROMPT)))}</span>${verdict}</div>` +
    `<div class="tb-gen-sides">${side('before', 'new', 'del')}${side('after', 'gone', 'ins')}</div>${expected}</div>`
  );
}

function asText(title: string, alt: string, shown: readonly Shown[]): string {
  const marked = ({ kind, text }: DiffPart) => {
    const plain = oneLine(text);
    return kind === 'same' ? plain : kind === 'gone' ? `[-${plain.trimEnd()}-] ` : `{+${plain.trimEnd()}+} `;
  };
  return [
    `${oneLine(cut(title, 200))}   [-gone-] {+new+}`,
    ...shown.flatMap(({ item, parts }) => [
      `> ${oneLine(cut(item.prompt ?? '', 200))}`,
      `  ${parts.map(marked).join('').trimEnd()}`,
    ]),
    alt,
  ].join('\n');
}

/** Style of the view, scoped by class. */
export const GENERATIONS_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-gens{color:var(--tb-ink);font:14px/1.5 Inter,system-ui,sans-serif;margin:6px 0}.tb-gens .tb-title{font-weight:600;font-size:15px;margin:0 0 8px}' +
  '.tb-gen{border:1px solid var(--tb-line)!important;border-radius:6px;margin:0 0 10px;overflow:hidden}' +
  '.tb-gen-ask{padding:7px 12px;background:var(--tb-wash);white-space:pre-wrap;overflow-wrap:anywhere}' +
  '.tb-gen-sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr))}' +
  '.tb-gen-side{padding:7px 12px;border-top:1px solid var(--tb-line);min-width:0}' +
  '.tb-gen-name{font-weight:600;font-size:12px;color:var(--tb-soft)}.tb-gen-text{white-space:pre-wrap;overflow-wrap:anywhere}' +
  '.tb-gens del{color:var(--tb-bad);text-decoration:line-through;background:none}' +
  '.tb-gens ins{color:var(--tb-good);text-decoration:underline;text-underline-offset:2px;background:none;font-weight:600}' +
  '.tb-gens .tb-good{color:var(--tb-good);font-weight:600}.tb-gens .tb-bad{color:var(--tb-bad);font-weight:600}' +
  '.tb-gens .tb-note{color:var(--tb-faint);font-size:12px;margin:4px 0 0}';
