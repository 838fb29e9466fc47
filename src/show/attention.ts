import { BadInput, quote } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { formatNumber, round6, visible } from './text.js';
import { label, PALETTE, spec } from './theme.js';

/** Attention weights of one head, or of the mean of several. */
export interface AttentionMap {
  /** What the head is called in the menu, e.g. `layer 0, head 3`. */
  name: string;
  /** `weights[query][key]`, from 0 to 1: how much of the key's value each query takes. */
  weights: readonly ArrayLike<number>[];
}

/** What attention was looked at over: the tokens, and one map or several to choose from. */
export interface AttentionData {
  title?: string;
  /** The tokens that look: one for each row of the weights. */
  tokens: readonly string[];
  /** The tokens that are looked at, where they are others (the encoder's of a T5). Defaults to `tokens`. */
  keys?: readonly string[];
  maps: readonly AttentionMap[];
}

export interface AttentionOptions {
  /** Defaults to the data's own, else `Attention`. */
  title?: string;
  /** Tokens shown at most, from the start; the rest is counted. Defaults to 48. */
  limit?: number;
}

/** Cells of all maps together at most: they all travel with the figure, so that the menu works without us. */
const CELLS = 40_000;

/**
 * Which tokens each token attends to: one row for each token that looks, one column for each it looks at; the stronger the
 * colour, the larger the weight. With several maps a menu below the chart chooses one (a picture shows the first).
 *
 * @throws BadInput where the weights are not one row for each token with one number for each key.
 */
export function attention(data: AttentionData, options: AttentionOptions = {}): Figure {
  check(data);
  const title = options.title ?? data.title ?? 'Attention';
  const { limit = 48 } = options;
  const keys = data.keys ?? data.tokens;
  const [rows, columns] = [Math.min(limit, data.tokens.length), Math.min(limit, keys.length)];
  const fitting = Math.max(1, Math.floor(CELLS / Math.max(1, rows * columns)));
  const maps = data.maps.slice(0, fitting);
  const names = numbered(maps.map(map => label(map.name, 40)));
  // The number before each token tells equal tokens apart, and keeps their order.
  const named = (tokens: readonly string[], count: number) =>
    tokens.slice(0, count).map((token, i) => `${i} ${label(visible(String(token)).replace('\n', ''), 14)}`);
  const [queryNames, keyNames] = [named(data.tokens, rows), named(keys, columns)];
  const values = maps.flatMap(({ weights }, m) =>
    queryNames.flatMap((query, i) =>
      keyNames.flatMap((key, j) => {
        const weight = shareOf(weights[i]![j]);
        // A causal model's upper half is zeros: cells that are not there are lighter to carry than cells that say 0.
        return weight >= 5e-4 ? [{ map: names[m]!, query, key, weight: Number(weight.toFixed(3)) }] : [];
      }),
    ),
  );
  const most = fullColour(values.reduce((largest, { weight }) => Math.max(largest, weight), 0));
  const alt = describe(data, keys, maps.length, { rows, columns });
  const size = Math.max(9, Math.min(26, Math.floor(520 / Math.max(1, columns))));
  const axis = { labelPadding: 4, domain: false, ticks: false, labelFontSize: Math.min(11, size) };
  const chosen = maps.length > 1;
  const x = {
    field: 'key',
    type: 'nominal',
    sort: null,
    scale: { domain: keyNames },
    axis: { ...axis, title: 'looked at', orient: 'top', labelAngle: -60, labelAlign: 'left' },
  };
  const y = { field: 'query', type: 'nominal', sort: null, scale: { domain: queryNames }, axis: { ...axis, title: 'looking' } };
  return figure({
    kind: 'attention',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width: size * Math.max(1, columns),
      height: size * Math.max(1, rows),
      ...(chosen
        ? { params: [{ name: 'head', value: names[0]!, bind: { input: 'select', options: names, name: 'head ' } }] }
        : {}),
      data: { values },
      ...(chosen ? { transform: [{ filter: 'datum.map === head' }] } : {}),
      layer: [
        {
          params: [{ name: 'looking', select: { type: 'point', fields: ['query'], on: 'pointerover', clear: 'pointerout' } }],
          mark: { type: 'rect', strokeWidth: 1.5 },
          encoding: {
            x,
            y,
            color: {
              field: 'weight',
              type: 'quantitative',
              // From no colour at all to full blue: so it reads the same on white and on black.
              scale: { domain: [0, most], range: ['rgba(31,132,196,0)', 'rgba(31,132,196,1)'] },
              legend: {
                title: 'attention weight',
                orient: 'right',
                direction: 'vertical',
                gradientLength: Math.max(60, Math.min(140, size * rows)),
                gradientStrokeColor: PALETTE.gray,
                gradientStrokeWidth: 0.5,
                values: [0, most / 2, most],
              },
            },
            stroke: { condition: { param: 'looking', empty: false, value: PALETTE.vermillion }, value: null },
            tooltip: [
              { field: 'query', type: 'nominal', title: 'looking' },
              { field: 'key', type: 'nominal', title: 'looked at' },
              { field: 'weight', type: 'quantitative', title: 'weight', format: '.3f' },
            ],
          },
        },
      ],
    }),
    text: asText(title, alt, maps, names, queryNames, keyNames),
    alt,
  });
}

function check(data: AttentionData): void {
  const { tokens, keys, maps } = data ?? {};
  const shaped =
    Array.isArray(tokens) &&
    Array.isArray(maps) &&
    maps.every(
      map =>
        map?.weights?.length === tokens.length &&
        map.weights.every((row: ArrayLike<number>) => row?.length === (keys ?? tokens).length),
    );
  if (shaped) return;
  throw new BadInput({
    problem: 'the attention weights do not fit the tokens',
    expected: '{ tokens, maps: [{ name, weights }] } with weights[query][key]: one row for each token, one number for each key',
    found: quote({
      tokens: tokens?.length,
      keys: keys?.length,
      maps: maps?.map?.(map => [map?.weights?.length, map?.weights?.[0]?.length]),
    }),
  });
}

/** The weight that has the full colour: 1, or among many tokens, where each gets little, a round number that none exceeds. */
function fullColour(largest: number): number {
  return [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find(weight => largest > 0 && largest <= weight) ?? 1;
}

/** A weight as it is drawn: from 0 to 1; what is no number weighs nothing. */
function shareOf(weight: number | undefined): number {
  return weight! >= 0 ? Math.min(1, weight!) : 0;
}

/** Equal names get a number, or the menu could not choose between them. */
function numbered(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map(name => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}

/** Where the first map looks most, apart from each token at itself. */
function describe(data: AttentionData, keys: readonly string[], shown: number, cells: { rows: number; columns: number }): string {
  const { tokens, maps } = data;
  if (maps.length === 0 || tokens.length === 0) return 'No attention weights.';
  const said = (token: string) => `“${label(visible(String(token)).replace('\n', ''), 20)}”`;
  const first = maps[0]!.weights;
  const sums = keys.map((_, j) => first.reduce((sum, row) => sum + shareOf(row[j]), 0));
  const most = sums.reduce((best, sum, j) => (sum > sums[best]! ? j : best), 0);
  const total = sums.reduce((a, b) => a + b, 0);
  const share = total > 0 ? Math.round((100 * sums[most]!) / total) : 0;
  const cut =
    cells.rows < tokens.length || cells.columns < keys.length
      ? ` The first ${formatNumber(Math.max(cells.rows, cells.columns))} of ${formatNumber(Math.max(tokens.length, keys.length))} tokens are shown.`
      : '';
  const few = shown < maps.length ? ` The first ${formatNumber(shown)} of ${formatNumber(maps.length)} maps can be chosen.` : '';
  const which = maps.length > 1 ? `${formatNumber(maps.length)} maps; in ${label(maps[0]!.name, 40)} ` : 'In all, ';
  return `${which}token ${most} ${said(keys[most]!)} gets most of the attention (${share} %).${cut}${few}`;
}

function asText(
  title: string,
  alt: string,
  maps: readonly AttentionMap[],
  names: readonly string[],
  queries: readonly string[],
  keys: readonly string[],
): string {
  const lines = [label(title, 120), alt];
  if (maps.length === 0) return lines.join('\n');
  lines.push(names[0]!);
  for (const [i, query] of queries.entries()) {
    const row = Array.from(maps[0]!.weights[i]!, shareOf).slice(0, keys.length);
    const best = row.reduce((at, weight, j) => (weight > row[at]! ? j : at), 0);
    const cells = row.map(weight => ' ░▒▓█'[Math.max(0, Math.min(4, Math.ceil(4 * weight - 0.2)))]!).join('');
    lines.push(`${query.padEnd(18)} ${cells} ${row.length > 0 ? `${keys[best]!} ${formatNumber(round6(row[best]!))}` : ''}`);
  }
  return lines.join('\n');
}
