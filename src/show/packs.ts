import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import { label, PALETTE, spec } from './theme.js';

/** What {@link packs} shows: `tokens.pack(rows, { length })` gives it. */
export interface PacksSource {
  rows: readonly {
    /** For every token the number of its row within the pack, from 1. */
    segmentIds: ArrayLike<number>;
    /** Index of each segment's row among the rows packed. */
    rows: readonly number[];
  }[];
}

export interface PacksOptions {
  /** Defaults to `Rows in packs`. */
  title?: string;
  /** Tokens a pack may hold; defaults to the longest pack. */
  length?: number;
  /** Packs drawn; the rest is counted. Defaults to 24. */
  limit?: number;
}

/** Packed rows as bars: one bar a pack, one stretch a row, and what is left empty. */
export function packs(source: PacksSource, options: PacksOptions = {}): Figure {
  const { title = 'Rows in packs', limit = 24 } = options;
  objects(
    source?.rows,
    'what tokens.pack(rows, { length }) gives',
    pack => typeof pack.segmentIds?.length === 'number' && Array.isArray(pack.rows),
  );
  const sizes = source.rows.map(pack => segmentSizes(pack.segmentIds));
  const filled = sizes.map(size => size.reduce((a, b) => a + b, 0));
  const length = options.length ?? filled.reduce((a, b) => Math.max(a, b), 0);
  const rows = sizes.reduce((n, size) => n + size.length, 0);
  const fill = sizes.length * length > 0 ? filled.reduce((a, b) => a + b, 0) / (sizes.length * length) : 0;
  const rest = sizes.length > limit ? ` The first ${limit} are shown.` : '';
  const alt = `${rows} rows in ${sizes.length} packs of at most ${length} tokens, ${(100 * fill).toFixed(0)} % full.${rest}`;
  const values = sizes
    .slice(0, limit)
    .flatMap((size, pack) =>
      size.map((tokens, place) => ({ pack: pack + 1, row: Number(source.rows[pack]!.rows[place]), place, tokens })),
    );
  const lines = sizes.slice(0, limit).map((size, pack) => {
    const members = size.map((tokens, place) => `${Number(source.rows[pack]!.rows[place])} (${tokens})`);
    return `pack ${pack + 1}: ${filled[pack]} of ${length} tokens: rows ${members.join(', ')}`;
  });
  return figure({
    kind: 'packs',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width: 560,
      height: { step: 20 },
      data: { values },
      mark: { type: 'bar', color: PALETTE.blue, tooltip: true },
      encoding: {
        x: { field: 'tokens', type: 'quantitative', title: 'tokens', scale: { domain: [0, Math.max(1, length)], nice: false } },
        y: { field: 'pack', type: 'ordinal', title: 'pack' },
        order: { field: 'place' },
        // Neighbours in turns lighter and darker, so that two short rows are seen as two.
        fillOpacity: {
          condition: { test: 'datum.place % 2 === 1', value: 0.5 },
          value: 1,
        },
        tooltip: ['pack', 'row', 'tokens'].map(field => ({ field, type: 'quantitative' })),
      },
    }),
    text: [label(title, 120), alt, ...lines].join('\n'),
    alt,
  });
}

/** Tokens of each segment, in the order they lie. */
function segmentSizes(ids: ArrayLike<number>): number[] {
  const sizes: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (i > 0 && ids[i] === ids[i - 1]) sizes[sizes.length - 1]!++;
    else sizes.push(1);
  }
  return sizes;
}
