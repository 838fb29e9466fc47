import { BadInput, quote, type View, viewOf } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { cut, escapeHtml, formatNumber, oneLine, printable, visible } from './text.js';
import { htmlVars } from './theme.js';
import {
  CUT,
  describeToken,
  isSpecial,
  isTokenView,
  isWeighted,
  LIMIT,
  more,
  type Scale,
  scaleOf,
  stateOf,
  strengthOf,
  summarize,
  TOKEN,
  type TokenCell,
  type TokenState,
  type TokenView,
  weightOf,
} from './token-cells.js';
import { TEXT_KEY, tokensText } from './tokens-text.js';

export interface TokensOptions {
  /** Above the view; defaults to `Which tokens carry loss`. */
  title?: string;
  /** Tokens shown of each view; the rest is counted. Defaults to 1,500. */
  limit?: number;
}

/** What {@link tokens} shows: a view, or an object that describes itself as one, as an encoded row does. */
export type TokensSource = TokenView | object;

/**
 * The token mask: every token coloured by what training makes of it – text of the template, masked, trained (stronger the
 * more it weighs and the more loss it paid) – with its id, role, label, weight and loss on hovering or on focus. Several views
 * stand side by side, each under its title and its counts: one conversation under two templates, or by two tokenizers.
 */
export function tokens(source: TokensSource | readonly TokensSource[], options: TokensOptions = {}): Figure {
  const views = (isMany(source) ? source : [source]).flatMap(viewsOf);
  const title = options.title ?? (views.length === 1 ? views[0]!.title : undefined) ?? 'Which tokens carry loss';
  const limit = options.limit ?? LIMIT;
  const scale = scaleOf(views);
  const nested = views.length > 1;
  const panels = views.map(v => panel(v, limit, scale, nested));
  const alt = views.map(v => (nested && v.title ? `${oneLine(cut(v.title, 80))}: ${summarize(v)}` : summarize(v))).join(' ');
  const html =
    `<style>${TOKENS_CSS}</style><div class="tb-figure tb-tokens"><p class="tb-title">${escapeHtml(printable(cut(title, 200)))}</p>` +
    `<div class="tb-side">${panels.join('\n')}</div>${legend(scale)}</div>`;
  const texts = views.map(v => [...(nested && v.title ? [oneLine(cut(v.title, 200))] : []), tokensText(v, { limit })].join('\n'));
  const key = `${oneLine(cut(title, 200))}   ${TEXT_KEY}`;
  return figure({ kind: 'tokens', title, html, text: [key, ...texts].join('\n'), alt });
}

function viewsOf(source: TokensSource): readonly TokenView[] {
  if (isTokenView(source)) return [source];
  const view: View | undefined = viewOf(source);
  const data = view?.kind === 'tokens' ? [view.data].flat() : [];
  if (data.length > 0 && data.every(isTokenView)) return data;
  throw new BadInput({
    problem: 'there are no tokens to show',
    expected: 'what tokens.encode or tokens.tokenView(row, { tokenizer }) returns, or an array of these',
    found: quote(source),
    fix: 'encode the row first: tokens.encode(row.messages, { tokenizer, template })',
  });
}

function panel(view: TokenView, limit: number, scale: Scale, nested: boolean): string {
  const heading = nested && view.title ? `<b>${escapeHtml(printable(cut(view.title, 200)))}</b> ` : '';
  const counts = escapeHtml(summarize(view));
  const body = view.tokens
    .slice(0, limit)
    .map((token, i) => `${i === view.cutAt ? `<em class="tb-cut">${CUT}</em>` : ''}${span(token, i, scale)}`);
  const rest = escapeHtml(more(view, limit));
  // Every token is a stop of the Tab key; a view that is folded is passed by in one step, without any script.
  return (
    `<details class="tb-view" open="open"><summary class="tb-subtitle">${heading}<span class="tb-note">${counts}</span></summary>` +
    `<div class="tb-toks" role="list" aria-label="${nested && view.title ? `${escapeHtml(oneLine(cut(view.title, 200)))}: ` : ''}${counts}">` +
    `${body.join('')}${rest ? `<em>${rest}</em>` : ''}</div></details>`
  );
}

function span(token: TokenCell, position: number, scale: Scale): string {
  const kind = stateOf(token);
  const shown = cut(token.text, TOKEN, visible) || '∅';
  const tip = escapeHtml(describeToken(token, position));
  // A line break at the end of a token stands behind it; else a place to break, so that lines wrap between tokens.
  const broken = shown.endsWith('\n');
  const text = escapeHtml(broken ? shown.slice(0, -1) : shown).replaceAll('\n', '<br>');
  const inner = kind === 'trained' ? `<b>${text}</b>` : kind === 'control' ? `<i>${text}</i>` : text;
  const boxed = isSpecial(token);
  const style = inlineStyle(kind, boxed, opacity(token, scale), weightOf(token) < 1);
  const classes = `tb-tok tb-${kind}${token.control && token.trained ? ' tb-control' : ''}${boxed ? ' tb-special' : ''}`;
  // The title is the name for assistive technology too: a list item takes none from its text.
  return (
    `<span class="${classes}" role="listitem" tabindex="0" dir="auto" style="${style}" title="${tip}">` +
    `${inner}</span>${broken ? '<br>' : '<wbr>'}`
  );
}

function opacity(token: TokenCell, scale: Scale): number {
  // Weight scales the whole colour: what weighs nothing has none. Losses fade to FAINT only, since a loss of 0 is trained too.
  const weight = scale.weight > 0 ? weightOf(token) / scale.weight : 1;
  const share = weight > 0 ? strengthOf(token, scale) / weight : 0;
  return weight * (FAINT + (FULL - FAINT) * share);
}

/** Opacity of a trained token that paid no loss, and of one that paid much. */
const FAINT = 0.12;
const FULL = 0.7;

/**
 * Inline, because JupyterLab takes style sheets (but not these) away from a notebook it does not trust, as a reader's first
 * copy is. Translucent, so that they fit light and dark.
 */
function inlineStyle(kind: TokenState, boxed: boolean, opacity: number, light = false): string {
  const border = boxed ? 'border:1px dashed #c16b9a;' : '';
  if (kind === 'control') return `${border}color:#c16b9a`;
  if (kind === 'masked') return 'color:#808080';
  return `${border}background-color:rgba(31,132,196,${opacity.toFixed(2)});border-bottom:2px ${light ? 'dotted' : 'solid'} #1f84c4`;
}

function legend(scale: Scale): string {
  const item = (kind: TokenState, text: string, opacity = 0.35, light = false, boxed = false) =>
    `<span class="tb-tok tb-${kind}${boxed ? ' tb-special' : ''}" style="${inlineStyle(kind, boxed, opacity, light)}">${text}</span>`;
  const trained = (text: string, opacity: number, light = false) => item('trained', `<b>${text}</b>`, opacity, light);
  const weight = (value: number, before = '') =>
    trained(`${before}weight ${escapeHtml(formatNumber(value))}`, (FULL * value) / (scale.weight || 1), value < 1);
  const items = [
    item('control', '<i>special token</i>', 0, false, true),
    item('control', '<i>template text</i>'),
    item('masked', 'masked: read, not trained'),
    ...(scale.loss > 0
      ? [trained('trained, less loss', FAINT), trained('more loss', FULL)]
      : isWeighted(scale)
        ? []
        : [trained('trained', 0.35)]),
    ...(isWeighted(scale)
      ? [...(scale.least < scale.weight ? [weight(scale.least, 'trained, ')] : []), weight(scale.weight, 'trained, ')]
      : []),
    '<span>· space ↵ line break → tab</span>',
  ];
  return `<p class="tb-legend">${items.join(' ')}</p>`;
}

/**
 * Style of the mask view. The tooltip is the title attribute itself, drawn at once instead of after a second: a bar under
 * the line, as wide as the view at most, so that no notebook clips it.
 */
export const TOKENS_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-figure{color:var(--tb-ink);font:14px/1.45 Inter,system-ui,sans-serif;margin:6px 0}' +
  '.tb-tokens .tb-title{font-weight:600;font-size:15px;margin:0 0 6px}.tb-tokens .tb-subtitle{margin:0 0 4px;cursor:pointer}' +
  '.tb-tokens .tb-legend{display:flex;flex-wrap:wrap;gap:4px 14px;align-items:center;font-size:12px;color:var(--tb-soft);margin:6px 0 0}' +
  '.tb-tokens .tb-side{display:flex;flex-wrap:wrap;gap:12px}.tb-tokens .tb-view{flex:1 1 320px;min-width:0}' +
  '.tb-tokens .tb-toks{font:13px/1.9 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;border:1px solid var(--tb-line);' +
  'position:relative;border-radius:6px;padding:8px 10px;background:var(--tb-paper);overflow-wrap:anywhere}' +
  '.tb-tok{border-radius:3px;padding:1px 0;margin-right:1px;unicode-bidi:isolate;-webkit-box-decoration-break:clone;box-decoration-break:clone}' +
  '.tb-tok b{font-weight:600}.tb-tok i{font-style:normal}' +
  '.tb-control:not(.tb-trained){color:var(--tb-ctlink)!important}.tb-special{padding:1px 3px}.tb-toks .tb-masked,.tb-toks .tb-control:not(.tb-trained){background:var(--tb-wash)}' +
  // Stronger than the inline colours, which must do on light and dark alike and so have too little contrast on both.
  '.tb-masked{color:var(--tb-faint)!important}.tb-trained{color:var(--tb-ink)}' +
  '.tb-toks .tb-tok:hover,.tb-toks .tb-tok:focus-visible{outline:2px solid var(--tb-ink);outline-offset:0;}' +
  '.tb-toks .tb-tok:hover::after,.tb-toks .tb-tok:focus-visible::after{content:attr(title);position:absolute;left:8px;max-width:calc(100% - 16px);' +
  'margin-top:1.9em;z-index:3;font-weight:400;font-style:normal;unicode-bidi:plaintext;padding:6px 9px;border-radius:5px;background:var(--tb-tip);color:var(--tb-tipink);font:12px/1.5 Inter,system-ui,sans-serif;' +
  'pointer-events:none;box-shadow:0 2px 8px #0005}' +
  '.tb-tokens .tb-note{color:var(--tb-faint);font-size:12px}';

function isMany(source: TokensSource | readonly TokensSource[]): source is readonly TokensSource[] {
  return Array.isArray(source);
}
