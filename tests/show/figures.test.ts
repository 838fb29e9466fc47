import * as aq from 'arquero';
import { describe, expect, it } from 'vitest';
import { binned } from '../../src/show/histogram.js';
import { beforeAfter, histogram, lossCurve, PALETTE, samples, table } from '../../src/show/index.js';
import { namePlaces } from '../../src/show/name-places.js';
import { compileSpec } from '../../src/show/render.js';
import { SERIES_COLOURS } from '../../src/show/theme.js';
import { gallery, history } from './examples.js';

describe('figures are data', () => {
  it('equal input gives an equal figure, and the input is left alone', () => {
    const input = history(50);
    const before = structuredClone(input);
    lossCurve(input);
    expect(input).toEqual(before);
    expect(gallery()).toEqual(gallery());
  });

  it('specs are plain JSON of Vega-Lite v5', () => {
    for (const figure of Object.values(gallery())) {
      if (!figure.spec) continue;
      expect(JSON.parse(JSON.stringify(figure.spec))).toEqual(figure.spec);
      expect(figure.spec.$schema).toBe('https://vega.github.io/schema/vega-lite/v5.json');
      expect(figure.spec.description).toContain(figure.alt.slice(0, 40));
    }
  });

  it('vega-lite compiles every spec without a warning', async () => {
    for (const [name, figure] of Object.entries(gallery())) {
      if (!figure.spec) continue;
      const warnings: string[] = [];
      await compileSpec(figure.spec, 'light', message => warnings.push(`${name}: ${message}`));
      expect(warnings).toEqual([]);
    }
  });

  it('keeps its specs (snapshot)', () => {
    const short = lossCurve(
      { step: [1, 2, 3, 4], loss: [4, 3, 2.5, 2.25], learningRate: [1e-4, 2e-4, 1e-4, 0] },
      { learningRate: true, evalPoints: [{ step: 4, loss: 2.5 }] },
    );
    expect(short.spec).toMatchSnapshot('lossCurve');
    expect(
      beforeAfter({ rows: [{ label: 'accuracy', before: 0.1, after: 0.7, unit: 'share', better: 'higher' }] }).spec,
    ).toMatchSnapshot('beforeAfter');
    expect(histogram([1, 2, 2, 3, 10], { bins: 5 }).spec).toMatchSnapshot('histogram');
  });
});

describe('lossCurve', () => {
  it('says in words what the curve does', () => {
    expect(lossCurve({ loss: [4.2, 3, 1.1] }).alt).toBe('Loss falls from 4.2 to 1.1 over 3 steps.');
    expect(lossCurve({ loss: [1, 2] }).alt).toBe('Loss rises from 1 to 2 over 2 steps.');
    expect(lossCurve({ loss: [2, 3, 2.001] }).alt).toBe('Loss stays near 2.001 over 3 steps.');
    expect(lossCurve({ loss: [3] }).alt).toBe('Loss is 3 after one step.');
    expect(lossCurve({ loss: [] }).alt).toBe('No finite loss yet.');
    const diverged = lossCurve([
      { step: 1, loss: 2 },
      { step: 2, loss: Number.NaN },
      { step: 3, loss: 1 },
    ]);
    expect(diverged.alt).toBe('Loss falls from 2 to 1 over 3 steps. 1 step without a usable loss left out.');
  });

  it('takes columns, typed arrays and rows alike', () => {
    const columns = lossCurve({ step: [1, 2], loss: [3, 2], learningRate: [0.1, 0.2] }, { learningRate: true });
    const rows = lossCurve(
      [
        { step: 1, loss: 3, learningRate: 0.1 },
        { step: 2, loss: 2, learningRate: 0.2 },
      ],
      { learningRate: true },
    );
    expect(rows).toEqual(columns);
    expect(lossCurve({ loss: Float32Array.of(3, 2) }).spec).toEqual(lossCurve({ step: [1, 2], loss: [3, 2] }).spec);
  });

  it('thins a long history and keeps its ends and its spike', () => {
    const loss = Array.from({ length: 50_000 }, (_, i) => (i === 31_337 ? 50 : 1 + 1 / (i + 1)));
    const values = (lossCurve({ loss }).spec!.data as { values: { step: number; loss: number }[] }).values;
    expect(values.length).toBe(1000);
    expect([values[0]!.step, values.at(-1)!.step]).toEqual([1, 50_000]);
    expect(Math.max(...values.map(v => v.loss))).toBe(50);
  });

  it('refuses what holds no losses', () => {
    expect(() => lossCurve({} as never)).toThrow(/run\.history/);
  });
});

describe('beforeAfter', () => {
  const rows = [
    { label: 'accuracy', before: 0, after: 0.72, unit: 'share', better: 'higher' as const },
    { label: 'base loss', before: 1.61, after: 2.37, unit: 'nats', better: 'lower' as const },
    { label: 'tokens', before: 10, after: 12 },
    { label: 'same', before: 1, after: 1, better: 'lower' as const },
    { label: 'broken', before: 1, after: Number.NaN, better: 'lower' as const },
  ];
  it('judges each change by the way that is good', () => {
    expect(beforeAfter({ rows }).text.split('\n').slice(3)).toEqual([
      'accuracy         0 %       72 %  +72 points  better',
      'base loss  1.61 nats  2.37 nats       +0.76  worse',
      'tokens            10         12          +2',
      'same               1          1          ±0  same',
      'broken             1        NaN',
    ]);
    expect(beforeAfter({ rows }).alt).toContain('base loss goes from 1.61 nats to 2.37 nats (worse).');
  });
});

describe('histogram', () => {
  it('counts every finite value once', () => {
    const figure = histogram([1, 2, 2, 3, 10, Number.NaN, Number.POSITIVE_INFINITY], { bins: 5 });
    const layer = figure.spec!.layer as { data: { values: { from: number; to: number; count: number }[] } }[];
    expect(layer[0]!.data.values.map(b => [b.from, b.to, b.count])).toEqual([
      [0, 2, 1],
      [2, 4, 3],
      [4, 6, 0],
      [6, 8, 0],
      [8, 10, 0],
      [10, 12, 1],
    ]);
    expect(figure.alt).toBe('5 values from 1 to 10, median 2. 2 not finite, left out.');
    expect(histogram([]).alt).toBe('No values.');
    // Between whole numbers lies nothing to count: a bin for each, however many are wanted.
    expect(binned(Float64Array.of(20, 21, 21, 23), 30).map(bin => [bin.from, bin.count])).toEqual([
      [20, 1],
      [21, 2],
      [22, 0],
      [23, 1],
    ]);
    expect(histogram([5, 5, 5]).alt).toContain('median 5');
  });
});

describe('names beside points', () => {
  const size = { width: 400, height: 300, names: 9 };
  const place = (points: { name: string; x: number; y: number }[], lines: Parameters<typeof namePlaces>[1] = []) =>
    namePlaces(points, lines, size).map(each => each && `${each.align} ${each.dy}`);

  it('stand right where there is room, else elsewhere or nowhere', () => {
    expect(place([{ name: 'full', x: 200, y: 150 }])).toEqual(['left 0']);
    expect(place([{ name: 'full', x: 395, y: 150 }])).toEqual(['right 0']);
    // A neighbour to the right, then a line through the point.
    expect(
      place([
        { name: 'full', x: 200, y: 150 },
        { name: 'b', x: 212, y: 150 },
      ])[0],
    ).toBe('right 0');
    expect(place([{ name: 'full', x: 200, y: 150 }], [{ left: 150, right: 250, top: 150, bottom: 150 }])).toEqual(['center -13']);
    expect(place([{ name: 'far too long a name '.repeat(9), x: 200, y: 150 }])).toEqual([undefined]);
    expect(
      namePlaces(
        [
          { name: 'a', x: 9, y: 9 },
          { name: 'b', x: 99, y: 99 },
        ],
        [],
        { ...size, names: 1 },
      ),
    ).toHaveLength(1);
  });

  it('stand farther off, at the end of a line, where points crowd', () => {
    const crowd = ['LoRA r8', 'LoRA r16', 'prompt tuning', 'prefix tuning', 'IA3', 'bottleneck'].map((name, i) => ({
      name,
      x: 40 + 3 * i,
      y: 240 + i,
    }));
    const places = namePlaces(crowd, [], size);
    expect(places.every(Boolean)).toBe(true);
    expect(places.some(each => each!.line)).toBe(true);
  });
});

describe('table and samples', () => {
  it('shows rows, columns, arquero tables and data frames alike', () => {
    const rows = [
      { a: 1, b: 'x' },
      { a: 2.5, b: null },
    ];
    const figure = table(rows);
    expect(figure.text).toBe(['  a  b', '──────', '  1  x', '2.5', '2 rows × 2 columns'].join('\n'));
    expect(
      table({
        columns: ['a', 'b'],
        data: [
          [1, 'x'],
          [2.5, null],
        ],
      }),
    ).toEqual(figure);
    expect(table(aq.table({ a: [1, 2.5], b: ['x', null] }))).toEqual(figure);
    expect(
      table({
        columns: ['a', 'b'],
        values: [
          [1, 'x'],
          [2.5, null],
        ],
        shape: [2, 2],
      } as never),
    ).toEqual(figure);
    expect(() => table({} as never)).toThrow(/a table needs rows/);
  });

  it('counts what it does not show', () => {
    const many = table(aq.table({ n: Array.from({ length: 100_000 }, (_, i) => i) }), { limit: 3 });
    expect(many.text).toContain('100,000 rows × 1 column; the first 3 are shown');
    expect(many.html!.length).toBeLessThan(8000);
  });

  it('takes the samples of an evaluation and says how many are right', () => {
    const figure = samples([
      { prompt: 'p', expected: 'a', got: 'a', correct: true },
      { prompt: 'q', expected: 'b', got: 'c', correct: false },
    ]);
    expect(figure.alt).toBe('1 of 2 samples are right.');
    expect(figure.text).toContain('q       b         c       ✗ wrong');
  });
});

describe('the palette', () => {
  const channels = (hex: string) =>
    [1, 3, 5].map(i => {
      const v = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
  const luminance = (hex: string) => {
    const [r, g, b] = channels(hex);
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (a: string, b: string) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x! + 0.05) / (y! + 0.05);
  };

  it('keeps a contrast of 3:1 on white and on JupyterLab dark', () => {
    for (const [name, colour] of Object.entries(PALETTE)) {
      for (const paper of ['#ffffff', '#333333'])
        expect(contrast(colour, paper), `${name} on ${paper}`).toBeGreaterThanOrEqual(3);
    }
  });

  it('is told apart without reds, greens or blues', () => {
    // What is seen without one kind of cones: Machado, Oliveira & Fernandes (2009). Distances in Oklab (Ottosson 2020).
    const eyes = [
      [1, 0, 0, 0, 1, 0, 0, 0, 1],
      [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
      [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
      [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
    ];
    const times = (m: readonly number[], v: readonly number[]) =>
      [0, 1, 2].map(r => m[3 * r]! * v[0]! + m[3 * r + 1]! * v[1]! + m[3 * r + 2]! * v[2]!);
    const oklab = (rgb: number[]) => {
      const cones = times(
        [
          0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566, 0.0883024619, 0.2817188376,
          0.6299787005,
        ],
        rgb.map(v => Math.max(0, v)),
      ).map(Math.cbrt);
      return times(
        [
          0.2104542553, 0.793617785, -0.0040720468, 1.9779984951, -2.428592205, 0.4505937099, 0.0259040371, 0.7827717662,
          -0.808675766,
        ],
        cones,
      );
    };
    expect(SERIES_COLOURS).toHaveLength(6);
    for (const [i, a] of SERIES_COLOURS.entries())
      for (const b of SERIES_COLOURS.slice(0, i))
        for (const eye of eyes) {
          const [x, y] = [a, b].map(colour => oklab(times(eye, channels(colour))));
          expect(Math.hypot(...x!.map((v, k) => v - y![k]!)), `${a} and ${b}`).toBeGreaterThan(0.035);
        }
  });
});
