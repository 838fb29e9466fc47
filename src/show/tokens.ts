import { type Figure, figure } from './figure.js';
import { cut, escapeHtml, formatNumber, oneLine, printable, visible } from './text.js';
import { htmlVars } from './theme.js';

/** One token of an encoded row as the mask view shows it. */
export interface TokenCell {
  /** What the token decodes to. */
  text: string;
  id: number;
  /** Whose message it belongs to, or `template`. */
  role: string;
  /** Placed by the template as an id: never the user's text. */
  control: boolean;
  /** Whether predicting this token is trained. */
  trained: boolean;
  /** Its label; −100 where not trained. */
  label?: number;
  /** Weight of its loss; 1 where absent. */
  weight?: number;
  /** What predicting it cost, in nats. */
  loss?: number;
}

/** An encoded row to look at; `tokens.tokenView(row, losses?)` makes one. */
export interface TokenView {
  title?: string;
  tokens: readonly TokenCell[];
}

export interface TokensOptions {
  /** Above the view; defaults to `Which tokens carry loss`. */
  title?: string;
  /** Tokens shown of each view; the rest is counted. Defaults to 1,500. */
  limit?: number;
}

type State = 'control' | 'masked' | 'trained';

/** Characters shown of one token at most. */
const TOKEN = 120;

/**
 * The token mask: every token coloured by what training makes of it – control token, masked, trained (stronger the more
 * loss it paid) – with its id, role, label and loss on hovering or on focus. Several views stand side by side.
 */
export function tokens(view: TokenView | readonly TokenView[], options: TokensOptions = {}): Figure {
  const views: readonly TokenView[] = isMany(view) ? view : [view];
  const title = options.title ?? (views.length === 1 ? views[0]!.title : undefined) ?? 'Which tokens carry loss';
  const limit = options.limit ?? 1500;
  const top = ceiling(views);
  const withLoss = top > 0;
  const nested = views.length > 1;
  const panels = views.map(v => panel(v, limit, top, nested));
  const alt = views.map(v => (nested && v.title ? `${oneLine(cut(v.title, 80))}: ${summary(v)}` : summary(v))).join(' ');
  const html =
    `<style>${TOKENS_CSS}</style><div class="tb-figure tb-tokens"><p class="tb-title">${escapeHtml(printable(cut(title, 200)))}</p>` +
    `<div class="tb-side">${panels.join('\n')}</div>${legend(withLoss)}</div>`;
  const texts = views.map(v =>
    [...(nested && v.title ? [oneLine(cut(v.title, 200))] : []), plain(v, limit), summary(v)].join('\n'),
  );
  const key = `${oneLine(cut(title, 200))}   [control] (masked) «trained»`;
  return figure({ kind: 'tokens', title, html, text: [key, ...texts].join('\n'), alt });
}

/** The mask view for a terminal with colours; each trained token in bold, its loss by shade where losses are given. */
export function tokensAnsi(view: TokenView, options: { limit?: number } = {}): string {
  const top = ceiling([view]);
  const body = runsOf(view.tokens.slice(0, options.limit ?? 1500), token => `${state(token)}${shade(token, top)}`).map(run => {
    const text = visible(cut(run.map(t => cut(t.text, TOKEN)).join(''), 20_000));
    const style = { control: '35', masked: '90', trained: `1;4;${shade(run[0]!, top) > 1 ? '33' : '36'}` }[state(run[0]!)];
    // The style ends before a line break: some terminals paint the rest of the line otherwise.
    return text
      .split('\n')
      .map(line => (line ? `\u001b[${style}m${line}\u001b[0m` : ''))
      .join('\n');
  });
  return `${body.join('')}\n${summary(view)}`;
}

function plain(view: TokenView, limit: number): string {
  const brackets = { control: ['[', ']'], masked: ['(', ')'], trained: ['«', '»'] } as const;
  const runs = runsOf(view.tokens.slice(0, limit), state).map(run => {
    const [open, close] = brackets[state(run[0]!)];
    const text = cut(run.map(t => cut(t.text, TOKEN)).join(''), 20_000);
    return `${open}${printable(text).replaceAll('\t', '→').replaceAll('\n', '↵\n')}${close}`;
  });
  return runs.join('') + more(view, limit);
}

function more(view: TokenView, limit: number): string {
  const rest = view.tokens.length - limit;
  return rest > 0 ? ` … and ${rest.toLocaleString('en-US')} more tokens` : '';
}

function runsOf(cells: readonly TokenCell[], key: (token: TokenCell) => string): TokenCell[][] {
  const runs: TokenCell[][] = [];
  for (const token of cells) {
    const run = runs.at(-1);
    if (run && key(run[0]!) === key(token)) run.push(token);
    else runs.push([token]);
  }
  return runs;
}

function state(token: TokenCell): State {
  return token.trained ? 'trained' : token.control ? 'control' : 'masked';
}

/** The loss that gets the full colour: the 95th percentile of the trained ones, so that one outlier does not fade all others. */
function ceiling(views: readonly TokenView[]): number {
  const losses = views
    .flatMap(v => v.tokens.filter(t => t.trained && Number.isFinite(t.loss)).map(t => t.loss!))
    .sort((a, b) => a - b);
  return losses[Math.ceil(0.95 * (losses.length - 1))] ?? 0;
}

function shade(token: TokenCell, top: number): 0 | 1 | 2 {
  if (!token.trained || top <= 0 || !Number.isFinite(token.loss)) return 1;
  return token.loss! > top / 2 ? 2 : 1;
}

function panel(view: TokenView, limit: number, top: number, nested: boolean): string {
  const heading = nested && view.title ? `<p class="tb-subtitle">${escapeHtml(printable(cut(view.title, 200)))}</p>` : '';
  const body = view.tokens.slice(0, limit).map((token, i) => span(token, i, top));
  const rest = escapeHtml(more(view, limit));
  return (
    `<div class="tb-view">${heading}<div class="tb-toks" role="list" aria-label="${escapeHtml(summary(view))}">${body.join('')}` +
    `${rest ? `<em>${rest}</em>` : ''}</div><p class="tb-note">${escapeHtml(summary(view))}</p></div>`
  );
}

function span(token: TokenCell, position: number, top: number): string {
  const kind = state(token);
  const shown = cut(token.text, TOKEN, visible) || '∅';
  const tip = escapeHtml(describe(token, position));
  // A break after each token lets lines wrap between tokens; one that ends in a line break also breaks the line.
  const text = escapeHtml(shown).replaceAll('\n', '<br>');
  const inner = kind === 'trained' ? `<b>${text}</b>` : kind === 'control' ? `<i>${text}</i>` : text;
  const style = inlineStyle(kind, token.control, strength(token, top));
  return (
    `<span class="tb-tok tb-${kind}${token.control && token.trained ? ' tb-control' : ''}" role="listitem" tabindex="0" dir="auto" style="${style}" title="${tip}" ` +
    `aria-label="${tip}">${inner}</span><wbr>`
  );
}

/** How strongly a trained token is coloured, from 0 to 1: by its weight, and by its loss where there is one. */
function strength(token: TokenCell, top: number): number {
  const weight = Number.isFinite(token.weight) ? Math.min(1, Math.max(0, token.weight!)) : 1;
  const share = top > 0 && Number.isFinite(token.loss) ? Math.min(1, Math.max(0, token.loss! / top)) : 0.4;
  return weight * (FAINT + (FULL - FAINT) * share);
}

/** Opacity of a trained token that paid no loss, and of one that paid much. */
const FAINT = 0.12;
const FULL = 0.7;

/**
 * Inline, because JupyterLab takes style sheets (but not these) away from a notebook it does not trust, as a reader's first
 * copy is. Translucent, so that they fit light and dark.
 */
function inlineStyle(kind: State, control: boolean, opacity: number): string {
  const border = control ? 'border:1px dashed #c16b9a;' : '';
  if (kind !== 'trained') return control ? border : 'color:#808080';
  return `${border}background-color:rgba(31,132,196,${opacity.toFixed(2)});border-bottom:2px solid #1f84c4`;
}

function describe(token: TokenCell, position: number): string {
  const weight = token.weight !== undefined && token.weight !== 1 ? `, weight ${formatNumber(token.weight)}` : '';
  const role = oneLine(cut(token.role, 40));
  return [
    `“${cut(token.text, TOKEN, text => oneLine(text).replaceAll(' ', '·'))}”`,
    `id ${exact(token.id)}`,
    `position ${position}`,
    `role ${role}${token.control ? ' (control token)' : ''}`,
    token.trained ? `trained${weight}` : 'not trained',
    ...(token.label === undefined ? [] : [`label ${exact(token.label)}`]),
    ...(token.loss === undefined || Number.isNaN(token.loss) ? [] : [`loss ${formatNumber(token.loss)} nats`]),
  ].join(', ');
}

/** An id as it is, without the thousands separators of a quantity. */
function exact(id: number): string {
  return cut(oneLine(String(id)), 20);
}

function summary(view: TokenView): string {
  const trained = view.tokens.filter(t => t.trained);
  const losses = trained.map(t => t.loss).filter((l): l is number => Number.isFinite(l));
  const share = view.tokens.length > 0 ? Math.round((100 * trained.length) / view.tokens.length) : 0;
  const mean = losses.length > 0 ? `, mean loss ${formatNumber(losses.reduce((a, b) => a + b, 0) / losses.length)} nats` : '';
  return `${trained.length.toLocaleString('en-US')} of ${view.tokens.length.toLocaleString('en-US')} tokens are trained (${share} %)${mean}.`;
}

function legend(withLoss: boolean): string {
  const item = (kind: State, text: string, opacity = 0.35) =>
    `<span class="tb-tok tb-${kind}" style="${inlineStyle(kind, kind === 'control', opacity)}">${text}</span>`;
  const trained = withLoss
    ? `${item('trained', '<b>trained, less loss</b>', FAINT)} ${item('trained', '<b>more loss</b>', FULL)}`
    : item('trained', '<b>trained</b>');
  return (
    `<p class="tb-legend">${item('control', '<i>control token</i>')} ${item('masked', 'masked: read, not trained')} ` +
    `${trained} <span>· space ↵ line break → tab</span></p>`
  );
}

/**
 * Style of the mask view. The tooltip is the title attribute itself, drawn at once instead of after a second: a bar under
 * the line, as wide as the view at most, so that no notebook clips it.
 */
export const TOKENS_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-figure{color:var(--tb-ink);font:14px/1.45 Inter,system-ui,sans-serif;margin:6px 0}' +
  '.tb-tokens .tb-title{font-weight:600;font-size:15px;margin:0 0 6px}.tb-tokens .tb-subtitle{font-weight:600;margin:0 0 4px}' +
  '.tb-tokens .tb-legend{display:flex;flex-wrap:wrap;gap:4px 14px;align-items:center;font-size:12px;color:var(--tb-soft);margin:6px 0 0}' +
  '.tb-tokens .tb-side{display:flex;flex-wrap:wrap;gap:12px}.tb-tokens .tb-view{flex:1 1 320px;min-width:0}' +
  '.tb-tokens .tb-toks{font:13px/1.9 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;border:1px solid var(--tb-line);' +
  'position:relative;border-radius:6px;padding:8px 10px;background:var(--tb-paper);overflow-wrap:anywhere}' +
  '.tb-tok{border-radius:3px;padding:1px 0;margin-right:1px;unicode-bidi:isolate;-webkit-box-decoration-break:clone;box-decoration-break:clone}' +
  '.tb-tok b{font-weight:600}.tb-tok i{font-style:normal}' +
  '.tb-control{color:var(--tb-ctlink);padding:1px 3px}' +
  '.tb-trained{color:var(--tb-ink)}' +
  '.tb-toks .tb-tok:hover,.tb-toks .tb-tok:focus-visible{outline:2px solid var(--tb-ink);outline-offset:0;}' +
  '.tb-toks .tb-tok:hover::after,.tb-toks .tb-tok:focus-visible::after{content:attr(title);position:absolute;left:8px;max-width:calc(100% - 16px);' +
  'margin-top:1.9em;z-index:3;font-weight:400;font-style:normal;unicode-bidi:plaintext;padding:6px 9px;border-radius:5px;background:var(--tb-tip);color:var(--tb-tipink);font:12px/1.5 Inter,system-ui,sans-serif;' +
  'pointer-events:none;box-shadow:0 2px 8px #0005}' +
  '.tb-tokens .tb-note{color:var(--tb-faint);font-size:12px;margin:5px 0 0}';

function isMany(view: TokenView | readonly TokenView[]): view is readonly TokenView[] {
  return Array.isArray(view);
}
