import { cut, formatNumber, printable, visible } from './text.js';
import {
  CUT,
  LIMIT,
  more,
  type Scale,
  scaleOf,
  stateOf,
  strengthOf,
  summarize,
  TOKEN,
  type TokenCell,
  type TokenView,
  weightOf,
} from './token-cells.js';

export interface TokensTextOptions {
  /** Tokens shown; the rest is counted. Defaults to 1,500. */
  limit?: number;
  /** Put ¦ where two tokens meet. Defaults to false: easier to listen to. */
  boundaries?: boolean;
}

const BRACKETS = { control: ['[', ']'], masked: ['(', ')'], trained: ['«', '»'] } as const;

/** What the brackets of {@link tokensText} mean. */
export const TEXT_KEY = '[template] (masked) «trained»';

/**
 * The mask as plain text, for screen readers, logs and tests: `[template]`, `(masked)`, `«trained»`, and `«0.5×trained»`
 * where the loss of a token weighs 0.5; then the counts.
 */
export function tokensText(view: TokenView, options: TokensTextOptions = {}): string {
  const { limit = LIMIT, boundaries = false } = options;
  const runs = runsOf(view, limit).map(run => {
    const [open, close] = BRACKETS[stateOf(run[0]!)];
    const weight = run[0]!.trained ? weightOf(run[0]!) : 1;
    const texts = run.map(cell => cut(cell.text, TOKEN, text => printable(text).replaceAll('\t', '→').replaceAll('\n', '↵\n')));
    const cutHere = run[0] === view.tokens[view.cutAt ?? -1] ? CUT : '';
    return `${cutHere}${open}${weight === 1 ? '' : `${formatNumber(weight)}×`}${cut(boundaries ? texts.join('¦').replaceAll('\n¦', '¦\n') : texts.join(''), 20_000)}${close}`;
  });
  return `${runs.join('')}${more(view, limit)}\n${summarize(view)}`;
}

/** Neighbours of one state and one weight, with no cut between them. */
function runsOf({ tokens, cutAt }: TokenView, limit: number): TokenCell[][] {
  const runs: TokenCell[][] = [];
  for (const [i, token] of tokens.slice(0, limit).entries()) {
    const run = runs.at(-1);
    const before = run?.[0];
    const same = before && stateOf(before) === stateOf(token) && (!token.trained || weightOf(before) === weightOf(token));
    if (same && i !== cutAt) run!.push(token);
    else runs.push([token]);
  }
  return runs;
}

/**
 * The mask view for a terminal with (256) colours: trained tokens in black on blue, the stronger the more they weigh and
 * cost; text of the template in magenta, what is only read in grey. Two shades take turns, so that tokens can be told apart.
 */
export function tokensAnsi(view: TokenView, options: { limit?: number } = {}): string {
  const { limit = LIMIT } = options;
  const scale = scaleOf([view]);
  const body = view.tokens.slice(0, limit).map((token, i) => {
    const style = ansiStyle(token, i % 2, scale);
    const cutHere = i === view.cutAt ? CUT : '';
    // The style ends before a line break: some terminals paint the rest of the line otherwise.
    const lines = cut(token.text, TOKEN, visible).split('\n');
    return cutHere + lines.map(line => (line ? `\u001b[${style}m${line}\u001b[0m` : '')).join('\n');
  });
  return `${body.join('')}${more(view, limit)}`.trimEnd().concat(`\n${summarize(view)}`);
}

/** What the colours of {@link tokensAnsi} mean, in these colours. */
export function ansiKey(view: TokenView): string {
  const scale = scaleOf([view]);
  const sample: TokenCell = { text: '', id: 0, role: '', control: false, trained: false };
  const paint = (cell: Partial<TokenCell>, text: string) =>
    `\u001b[${ansiStyle({ ...sample, ...cell }, 0, scale)}m${text}\u001b[0m`;
  const full = { trained: true, weight: scale.weight, loss: scale.loss };
  const weights = scale.least === scale.weight ? [] : [{ ...full, weight: scale.least }];
  return [
    ...weights.map(cell => paint(cell, `trained, weight ${formatNumber(scale.least)}`)),
    paint(full, weights.length > 0 ? `weight ${formatNumber(scale.weight)}` : 'trained'),
    paint({}, 'read, not trained'),
    paint({ control: true }, 'template'),
  ].join(' ');
}

// Of each pair one for even and one for odd positions; weak, middle and strong.
const BLUES = [
  [195, 152],
  [117, 110],
  [39, 33],
] as const;

function ansiStyle(token: TokenCell, odd: number, scale: Scale): string {
  const kind = stateOf(token);
  if (kind === 'masked') return `38;5;${[242, 247][odd]}`;
  if (kind === 'control') return ['35', '95'][odd]!;
  const strength = strengthOf(token, scale, 1);
  return `${token.control ? '4;' : ''}30;48;5;${BLUES[strength > 0.6 ? 2 : strength > 0.25 ? 1 : 0][odd]}`;
}
