import { describe, expect, it } from 'vitest';
import { BadInput } from '../../src/base/core/index.js';
import { numberAxis } from '../../src/show/axes.js';
import * as show from '../../src/show/index.js';
import { linesApart } from '../../src/show/render.js';

type Axis = { values?: number[]; tickCount?: number; labelExpr: string };
type Encoding = Record<string, { scale?: { domain: number[] }; axis?: Axis }>;

/** Scales and axes of one channel, wherever they stand in a spec. */
function channelOf(spec: unknown, name: string): { scale?: { domain: number[] }; axis?: Axis }[] {
  if (spec === null || typeof spec !== 'object') return [];
  return Object.entries(spec).flatMap(([key, value]) =>
    key === 'encoding' && (value as Encoding)[name] ? [(value as Encoding)[name]!] : channelOf(value, name),
  );
}

const domainOf = (figure: show.Figure, name: string) => channelOf(figure.spec, name).find(each => each.scale)?.scale?.domain;

describe('what is no data', () => {
  const wrong = [undefined, null, 5, 'text', {}, [null], [1], new Map(), { rows: null }, { rows: [null] }, { lines: [null] }];
  const figures = {
    attention: show.attention,
    beforeAfter: show.beforeAfter,
    comparison: show.comparison,
    conversation: show.conversation,
    diversity: show.diversity,
    drift: show.drift,
    generations: show.generations,
    intervals: show.intervals,
    klForgetting: show.klForgetting,
    lossCurve: show.lossCurve,
    mixture: show.mixture,
    packs: show.packs,
    runs: show.runs,
    templateComparison: show.templateComparison,
    tradeOff: show.tradeOff,
  };
  it.each(Object.entries(figures))('%s says what it expects', (_, figure) => {
    for (const source of wrong) {
      if (source === wrong[5] && figure === show.lossCurve) continue;
      try {
        (figure as (source: unknown) => unknown)(source);
      } catch (error) {
        expect(error, String(source)).toBeInstanceOf(BadInput);
        continue;
      }
      expect.fail(`${JSON.stringify(source)} was drawn`);
    }
  });

  it('numbers that are missing, or of another type, are left out', () => {
    expect(
      show.intervals({
        rows: [
          { label: 'a', value: null as never },
          { label: 'b', value: 1, low: null as never },
        ],
      }).alt,
    ).toBe('b: 1. 1 row without a value that can be drawn left out.');
    expect(show.beforeAfter({ rows: [{ label: 'a', before: null as never, after: 2 }] }).alt).toBe(
      'a: not measured before, 2 after.',
    );
    expect(show.training({ history: { loss: [2, 1] }, evaluations: [null as never, { step: 2, acc: 0.5 }] }).alt).toContain(
      'acc 0.5',
    );
    expect(show.samples([{ prompt: '2 + 2', expected: 4 as never, got: null as never, correct: false }]).text).toContain('4');
    expect(show.generations([{ prompt: 1 as never, before: '3', after: 4 as never }]).text).toContain('[-3-] {+4+}');
  });
});

describe('axes', () => {
  it('read differently at every tick, for tiny numbers, huge ones and those that differ late', () => {
    const format = (values: number[]) =>
      /format\(datum.value, (.*)\)$/.exec((numberAxis(values) as unknown as Axis).labelExpr)![1];
    expect(format([0, 12])).toBe("'~g'");
    expect(format([1e-9, 2e-9])).toBe("'~e'");
    expect(format([1e9, 1e9 + 1])).toBe("',.12~g'");
    // Thousands, and beside them on a logarithmic axis 0.01 instead of 10m.
    expect(format([0.01, 20_000])).toBe("abs(datum.value) < 1 ? '~g' : '~s'");
  });

  it('have few round ticks where they are logarithmic', () => {
    const ticks = (ns: number[]) =>
      channelOf(show.diversity([{ name: 'a', points: ns.map(n => ({ n, value: 1 })) }]).spec, 'x')[0]!.axis!;
    expect(ticks([8, 4096])).toMatchObject({ values: [10, 20, 50, 100, 200, 500, 1000, 2000] });
    expect(ticks([8, 4096]).tickCount).toBeUndefined();
    expect(ticks([1, 1e12]).values!.length).toBeLessThanOrEqual(8);
    expect(ticks([100, 120])).not.toHaveProperty('values');
  });

  it('leave room for points at the ends', () => {
    const one = show.training({ loss: [3], step: [100] });
    expect(JSON.stringify(one.spec)).toContain('{"step":99},{"step":101}');
    const many = show.training({ history: { loss: [3, 2, 1] }, evaluations: [{ step: 3, heldOut: 1 }] });
    expect(JSON.stringify(many.spec)).toContain('{"step":0.976},{"step":3.024}');
  });

  it('hold values that lie beyond 0 and 1 though they are shares', () => {
    expect(
      domainOf(show.intervals({ unit: 'share', rows: [{ label: 'gain', value: -0.1, low: -0.3, high: 0.1 }] }), 'x'),
    ).toEqual([-0.3, 1]);
    expect(domainOf(show.beforeAfter({ rows: [{ label: 'gain', before: -0.2, after: 1.4, unit: 'share' }] }), 'x')).toEqual([
      -0.2, 1.4,
    ]);
    expect(domainOf(show.beforeAfter({ rows: [{ label: 'loss', before: -5, after: -2 }] }), 'x')).toEqual([-5, 0]);
  });

  it('have the full colour of attention at a weight that occurs', () => {
    const weights = Array.from({ length: 40 }, () => new Float32Array(40).fill(0.025));
    const tokens = Array.from({ length: 40 }, (_, i) => `t${i}`);
    expect(domainOf(show.attention({ tokens, maps: [{ name: 'even', weights }] }), 'color')).toEqual([0, 0.05]);
  });
});

describe('figures of few or odd values', () => {
  it('a run of one step is a point', () => {
    const marks = (figure: show.Figure) => JSON.stringify(figure.spec).match(/"type":"point","filled":true,"size":60/g) ?? [];
    expect(marks(show.runs([{ loss: [1] }]))).toHaveLength(1);
    expect(marks(show.runs([{ loss: [1, 2] }]))).toHaveLength(0);
  });

  it('values far from 0 have bins of their own', () => {
    const far = show.histogram([1e9, 1e9 + 0.01, 1e9 + 0.02], { bins: 3 });
    const { values } = (far.spec!.layer as { data: { values: { from: number; to: number }[] } }[])[0]!.data;
    expect(values.every(bin => bin.to > bin.from)).toBe(true);
  });

  it('lines of a title are apart, or letters from right to left would run from one into the other', () => {
    const svg =
      '<text text-anchor="start" transform="translate(0,29)" fill="#444"><tspan>a</tspan><tspan x="0" dy="14">b</tspan></text>';
    expect(linesApart(svg)).toBe(
      '<g transform="translate(0,29)"><text text-anchor="start" fill="#444" y="0">a</text><text text-anchor="start" fill="#444" y="14">b</text></g>',
    );
    expect(linesApart('<text>one</text>')).toBe('<text>one</text>');
  });
});

describe('tables', () => {
  it('columns of one name hold their own values', () => {
    expect(show.table({ columns: ['a', 'a'], values: [[1, 2]] }).text).toContain('1  2');
  });

  it('are as wide as can be read, and say how wide they are', () => {
    const wide = show.table([Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`column ${i}`, i]))]);
    expect(Math.max(...wide.text.split('\n').map(line => line.length))).toBeLessThanOrEqual(200);
    expect(wide.text).toMatch(/1 row × 400 columns; the first \d+ columns are shown/);
    expect(wide.html!.match(/<th /g)).toHaveLength(100);
    expect(show.table([{ a: 1, b: 2 }], { columns: ['b'] }).text).toContain('1 row × 1 column');
  });

  it('hold what JSON cannot', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(show.table([{ a: circle, b: { n: 1n } }]).text).toMatch(/Circular.*1n/);
  });
});
