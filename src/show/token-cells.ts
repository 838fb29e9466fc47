import { cut, formatNumber, oneLine } from './text.js';

/** One token of an encoded row as the mask view shows it. */
export interface TokenCell {
  /** What the token decodes to. */
  text: string;
  id: number;
  /** Whose message it belongs to, or `template`. */
  role: string;
  /** Written by the template: never the user's text. */
  control: boolean;
  /** Of the template's tokens those that are more than text, such as `<|im_end|>`: drawn in a box. Defaults to `control`. */
  special?: boolean;
  /** Whether predicting this token is trained. */
  trained: boolean;
  /** Its label; −100 where not trained. */
  label?: number;
  /** Weight of its loss; 1 where absent. */
  weight?: number;
  /** What predicting it cost, in nats. */
  loss?: number;
}

/** An encoded row to look at; `tokens.tokenView(row, { tokenizer, losses? })` makes one. */
export interface TokenView {
  title?: string;
  tokens: readonly TokenCell[];
  /** Index of the token before which text was cut out; the number of tokens where the end was cut. Marked with ✂. */
  cutAt?: number;
}

/** What training makes of a token. A trained end of turn is both control and trained: it is shown as trained. */
export type TokenState = 'control' | 'masked' | 'trained';

/** Characters shown of one token at most. */
export const TOKEN = 120;

/** Tokens shown of one view at most, where no other limit is given. */
export const LIMIT = 1500;

export function stateOf(token: TokenCell): TokenState {
  return token.trained ? 'trained' : token.control ? 'control' : 'masked';
}

export function isSpecial(token: TokenCell): boolean {
  return token.special ?? token.control;
}

/** The weight of a trained token's loss. What is no number counts as 1, as where there is none. */
export function weightOf({ weight }: TokenCell): number {
  return Number.isFinite(weight) ? Math.max(0, weight!) : 1;
}

/** What the strength of a colour is measured against, over all views that stand side by side. */
export interface Scale {
  /** The loss that gets the full colour: the 95th percentile, so that one outlier does not fade all others; 0 without losses. */
  loss: number;
  /** The largest and the smallest weight of a trained token. */
  weight: number;
  least: number;
}

export function scaleOf(views: readonly TokenView[]): Scale {
  const trained = views.flatMap(view => view.tokens.filter(token => token.trained));
  const losses = trained
    .map(token => token.loss)
    .filter((loss): loss is number => Number.isFinite(loss))
    .sort((a, b) => a - b);
  let weight = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const token of trained) {
    weight = Math.max(weight, weightOf(token));
    least = Math.min(least, weightOf(token));
  }
  if (trained.length === 0) weight = least = 1;
  return { loss: losses[Math.ceil(0.95 * (losses.length - 1))] ?? 0, weight, least };
}

/** Whether some trained tokens weigh more than others, or not 1. */
export function isWeighted(scale: Scale): boolean {
  return scale.weight !== 1 || scale.least !== 1;
}

/**
 * How strongly a trained token is coloured, from 0 to 1: by what it paid where there are losses, times its weight. Without
 * either, every trained token gets `plain`.
 */
export function strengthOf(token: TokenCell, scale: Scale, plain = 0.4): number {
  const weight = scale.weight > 0 ? weightOf(token) / scale.weight : 1;
  if (scale.loss > 0 && Number.isFinite(token.loss)) return weight * Math.min(1, Math.max(0, token.loss! / scale.loss));
  return weight * (isWeighted(scale) && scale.loss <= 0 ? 1 : plain);
}

/** What stands behind the tokens shown: a mark where the row was cut, and how many tokens the view leaves out. */
export function more(view: TokenView, limit: number): string {
  const rest = view.tokens.length - limit;
  if (rest > 0) return ` … and ${rest.toLocaleString('en-US')} more tokens`;
  return view.cutAt === view.tokens.length ? CUT : '';
}

/** Where text was cut out to make the row short enough. */
export const CUT = '✂';

/** Everything about one token, in words. */
export function describeToken(token: TokenCell, position: number): string {
  const weight = token.weight !== undefined && token.weight !== 1 ? `, weight ${formatNumber(token.weight)}` : '';
  const role = oneLine(cut(token.role, 40));
  return [
    `“${cut(token.text, TOKEN, text => oneLine(text).replaceAll(' ', '·'))}”`,
    `id ${exact(token.id)}`,
    `position ${position}`,
    `role ${role}${token.control ? `, ${isSpecial(token) ? 'special token' : 'text'} of the template` : ''}`,
    token.trained ? `trained${weight}` : 'not trained',
    ...(token.label === undefined ? [] : [`label ${exact(token.label)}`]),
    ...(token.loss === undefined || Number.isNaN(token.loss) ? [] : [`loss ${formatNumber(token.loss)} nats`]),
  ].join(', ');
}

/** An id as it is, without the thousands separators of a quantity. */
function exact(id: number): string {
  return cut(oneLine(String(id)), 20);
}

/** How many tokens there are, what share of them is trained, with what weights, and what they cost. */
export function summarize(view: TokenView): string {
  const trained = view.tokens.filter(t => t.trained);
  const losses = trained.map(t => t.loss).filter((l): l is number => Number.isFinite(l));
  const share = view.tokens.length > 0 ? Math.round((100 * trained.length) / view.tokens.length) : 0;
  const scale = scaleOf([view]);
  const weights =
    scale.least === scale.weight ? formatNumber(scale.weight) : `${formatNumber(scale.least)} to ${formatNumber(scale.weight)}`;
  const weighted = isWeighted(scale) ? `, with weight ${weights}` : '';
  const mean = losses.length > 0 ? `, mean loss ${formatNumber(losses.reduce((a, b) => a + b, 0) / losses.length)} nats` : '';
  const cut = view.cutAt === undefined ? '' : ` Cut (${CUT}) to fit.`;
  return `${trained.length.toLocaleString('en-US')} of ${view.tokens.length.toLocaleString('en-US')} tokens are trained (${share} %)${weighted}${mean}.${cut}`;
}

/** Whether a value is a row of tokens as the mask view takes it. */
export function isTokenView(value: unknown): value is TokenView {
  const cells = (value as { tokens?: unknown } | null | undefined)?.tokens;
  return Array.isArray(cells) && cells.every(cell => typeof (cell as TokenCell | null)?.text === 'string');
}
