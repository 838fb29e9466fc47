import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import {
  attention,
  comparison,
  diversity,
  drift,
  type Figure,
  figureOf,
  forgettingReport,
  generations,
  histogram,
  intervals,
  klForgetting,
  lossCurve,
  margins,
  renderSvg,
  rewards,
  taskMatrix,
  templateComparison,
  tradeOff,
  training,
} from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { wordDiff } from '../../src/show/word-diff.js';
import { gallery } from './examples.js';
import { attentionData, driftRows, matrix, rewardHistory, run, studies } from './study-examples.js';

const require = createRequire(import.meta.url);
const schema = new Ajv({ allErrors: false, jsonPointers: true, logger: false, unknownFormats: 'ignore' }).compile(
  require('vega-lite/vega-lite-schema.json'),
);

/** What the schema objects to, at the deepest place it got to; undefined where it does not. */
function schemaError(spec: object): string | undefined {
  if (schema(spec)) return undefined;
  const [deepest] = [...schema.errors!].sort((a, b) => b.dataPath.length - a.dataPath.length);
  return `${deepest!.dataPath} ${deepest!.message} ${JSON.stringify(deepest!.params)}`;
}

/** Every chart must be what the schema of Vega-Lite allows, compile without a warning, and give the same picture twice. */
async function expectSound(name: string, figure: Figure): Promise<void> {
  expect(figure.text, name).not.toBe('');
  expect(figure.alt, name).not.toBe('');
  expect(figure.alt, name).not.toMatch(/NaN|undefined|Infinity|\[object/);
  if (!figure.spec) return;
  expect(JSON.parse(JSON.stringify(figure.spec)), name).toEqual(figure.spec);
  expect(schemaError(figure.spec), name).toBeUndefined();
  const warnings: string[] = [];
  await compileSpec(figure.spec, 'light', warning => warnings.push(warning));
  expect(warnings, name).toEqual([]);
  const svg = await renderSvg(figure);
  // Letters have the ink of the theme; a heat map writes black or white on colours of its own.
  for (const [letters] of svg.matchAll(/<text[^>]*>[^<]/g))
    expect(letters, name).toMatch(/fill="(#1a1a1a|#4d4d4d|#000000|#ffffff)"/);
  expect(
    [...svg.matchAll(/.{0,90}(NaN|Infinity|undefined).{0,30}/g)].slice(0, 3).map(match => match[0]),
    name,
  ).toEqual([]);
}

const all = (): Record<string, Figure> => ({ ...gallery(), ...studies() });

describe('every figure', () => {
  it('is equal for equal data', () => {
    expect(studies()).toEqual(studies());
  });

  it('is a chart that the schema of Vega-Lite allows, or HTML', async () => {
    for (const [name, figure] of Object.entries(all())) {
      expect(figure.spec ?? figure.html, name).toBeDefined();
      await expectSound(name, figure);
    }
  });

  it('refuses a spec that is none: the schema does check', () => {
    const spec = structuredClone(studies().margins!.spec!) as unknown as { layer: { mark: Record<string, unknown> }[] };
    expect(schema(spec)).toBe(true);
    spec.layer[0]!.mark.binSpacings = 1;
    expect(schema(spec)).toBe(false);
  });

  it('keeps its picture (SVG snapshot)', async () => {
    for (const [name, figure] of Object.entries(studies())) {
      if (figure.spec)
        await expect(await renderSvg(figure, { theme: 'page' })).toMatchFileSnapshot(`__snapshots__/${name}.svg.snap`);
      else expect(figure.html).toMatchSnapshot(name);
    }
  });

  it('is found by the kind of a view', () => {
    const made = studies();
    for (const [kind, data] of Object.entries({
      training: run(500),
      rewards: rewardHistory(),
      taskMatrix: matrix(),
      drift: driftRows(),
    }))
      expect(figureOf({ kind, data }), kind).toEqual(made[kind]);
    expect(figureOf({ kind: 'attention', data: attentionData() }).kind).toBe('attention');
    for (const kind of ['tradeOff', 'klForgetting', 'diversity', 'margins', 'generations', 'templateComparison'])
      expect(figureOf({ kind, data: [] }).kind, kind).toBe(kind);
  });

  it('a sweep over another setting than a count has a linear axis, from 0 where it begins there', () => {
    const curves = [
      {
        name: 'a',
        points: [
          { n: 0, value: 1 },
          { n: 0.5, value: 2, low: 1, high: 3 },
        ],
      },
    ];
    const { kind, spec, alt } = figureOf({ kind: 'curves', data: { curves, count: 'dropout', measure: 'loss', log: false } });
    expect(kind).toBe('diversity');
    expect(alt).toBe('a from 1 at 0 to 2 at 0.5.');
    const text = JSON.stringify(spec);
    expect(text).toContain('"title":"dropout"');
    expect(text).not.toContain('"type":"log"');
    const log = figureOf({ kind: 'curves', data: { curves, count: 'tasks', measure: 'loss', log: true } });
    expect(JSON.stringify(log.spec)).toContain('"type":"log"');
    expect(log.alt).toContain('1 point without a value that can be drawn left out');
  });
});

const LONG = 'a very long name '.repeat(70_000);
const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const HUGE = [1e300, -1e300, 1.7e308, 5e-324, 0, -1, 2];
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

describe('what charts seldom see', () => {
  /** Every figure of numbers over `values`, linear and logarithmic. */
  const of = (values: number[], name = 'task'): Record<string, Figure> => ({
    training: training({ loss: values, gradNorm: values, learningRate: values, tokensPerSecond: values }, { title: name }),
    trainingLog: training({ loss: values }, { log: true }),
    evaluated: training({
      name,
      history: { loss: values },
      evaluations: values.map((v, i) => ({ step: i, [name]: v, heldOut: v })),
    }),
    rewards: rewards({ reward: values, rewardStd: values, kl: values, length: values, entropy: values }, { logKl: true }),
    attention: attention({ tokens: values.map(() => name), maps: [{ name, weights: values.map(() => values) }] }),
    taskMatrix: taskMatrix({ tasks: values.map(() => name), times: values.map(() => name), scores: values.map(() => values) }),
    tradeOff: tradeOff(
      values.map((v, i) => ({ label: name, learned: v, forgotten: values[i]!, learnedInterval: [v, v], group: name })),
    ),
    kl: klForgetting(values.map(v => ({ run: name, kl: v, forgotten: v }))),
    klLog: klForgetting(
      values.map(v => ({ run: name, kl: v, forgotten: v })),
      { log: true },
    ),
    drift: drift(values.map((v, i) => ({ name: `model.layers.${i}.${name}.weight`, drift: v }))),
    driftLog: drift(
      values.map((v, i) => ({ name: `model.layers.${i}.${name}.weight`, drift: v })),
      { log: true },
    ),
    diversity: diversity([{ name, points: values.map(v => ({ n: v, value: v, low: v, high: v })) }]),
    margins: margins(values),
    histogram: histogram(values),
    lossCurve: lossCurve({ loss: values }),
    intervals: intervals({
      title: name,
      axis: name,
      reference: values[0],
      rows: values.map(v => ({ label: name, value: v, low: v, high: v })),
    }),
    comparison: comparison({
      rows: values.map(v => ({ measure: name, seeds: 5, a: v, b: v, difference: v, low: v, high: v, p: v, holm: v, mde: v })),
    }),
    report: forgettingReport({
      title: name, sentences: values.map(() => name), gained: values.map(v => ({ label: name, before: v, after: v, unit: name })), lost: [],
      kl: values.map(v => ({ on: name, kl: v })), cka: values.map(v => ({ layer: v, cka: v })), drift: values.map(v => ({ name, drift: v, rank: v, side: v })),
    }), // biome-ignore format: one part a line
    templates: templateComparison(
      values.filter(v => v >= 0 && v < 1e300).map(v => ({ name, tokens: v, trained: v / 2, score: v <= 1 ? v : Number.NaN })),
    ),
  });

  for (const [what, values] of Object.entries({
    nothing: [],
    'one value': [0.5],
    'not numbers': BAD,
    'equal values': [3, 3, 3, 3],
    'zeros and negatives': [0, -1, -0.5, 0],
    'numbers beyond all measure': HUGE,
  })) {
    it(`draws ${what}`, async () => {
      for (const [name, figure] of Object.entries(of(values))) await expectSound(`${name} of ${what}`, figure);
    });
  }

  it('draws names of a megabyte, and stays small', async () => {
    for (const [name, figure] of Object.entries(of([0.2, 0.4], LONG))) {
      await expectSound(name, figure);
      expect(JSON.stringify([figure.spec, figure.text, figure.alt]).length, name).toBeLessThan(100_000);
    }
  });

  it('draws one task and five hundred', async () => {
    for (const count of [1, 500]) {
      const tasks = many(count, i => `task ${i}`);
      const scores = many(12, t => tasks.map((_, k) => (t + k) / (12 + count)));
      const figures = {
        matrix: taskMatrix({ tasks, times: many(12, i => i), scores }),
        training: training(run(200, tasks)),
        drift: drift(tasks.map((name, i) => ({ name: `model.layers.${i}.${name}.weight`, drift: i + 1 }))),
        tradeOff: tradeOff(
          tasks.map((name, i) => ({ label: name, group: name, learned: Math.sin(i), forgotten: Math.cos(i * i) })),
        ),
        kl: klForgetting(tasks.map((run, i) => ({ run, kl: i + 1, forgotten: i }))),
        diversity: diversity(
          tasks.map(name => ({
            name,
            points: [
              { n: 1, value: 1 },
              { n: 10, value: 2 },
            ],
          })),
        ),
        margins: margins(tasks.map(name => ({ name, margins: [1, 2, 3] }))),
        templates: templateComparison(tasks.map(name => ({ name, tokens: 10, trained: 2 }))),
      };
      for (const [name, figure] of Object.entries(figures)) {
        await expectSound(`${name} of ${count}`, figure);
        expect(JSON.stringify(figure.spec).length, name).toBeLessThan(300_000);
      }
    }
  });

  it('says what it left out', () => {
    expect(training({ loss: [2, Number.NaN, 1] }).alt).toContain('1 step without a value that can be drawn left out.');
    expect(
      klForgetting(
        [
          { kl: -1, forgotten: 1 },
          { kl: 1, forgotten: 1 },
        ],
        { log: true },
      ).alt,
    ).toContain('1 point without a positive value that can be drawn left out.');
    expect(
      taskMatrix({ tasks: many(90, i => `${i}`), times: ['a', 'b'], scores: [many(90, () => 1), many(90, i => i / 90)] }).alt,
    ).toContain('The 40 of 90 tasks that fell most are shown.');
  });
});

describe('the training panel', () => {
  const steps = 10_000;
  const loss = many(steps, i => (i === 7_321 ? 40 : 1 + 3 * Math.exp(-i / 1500) + 0.2 * Math.sin(i * 7.3)));
  const figure = training({ loss, gradNorm: loss, learningRate: loss, tokensPerSecond: loss });
  const lines = (figure.spec!.vconcat as { layer?: { data: { values?: { step: number; value: number }[] } }[] }[]).flatMap(view =>
    (view.layer ?? []).flatMap(layer => (layer.data.values ? [layer.data.values] : [])),
  );

  it('thins ten thousand steps to points that were measured, with the ends and the spike', () => {
    const raw = lines[0]!;
    expect(raw.length).toBe(1000);
    expect([raw[0]!.step, raw.at(-1)!.step]).toEqual([1, steps]);
    expect(Math.max(...raw.map(point => point.value))).toBe(40);
    for (const { step, value } of raw) expect(value).toBeCloseTo(loss[step - 1]!, 4);
  });

  it('draws few marks: lines, and none for the pointer, in a picture', async () => {
    const svg = await renderSvg(figure);
    expect(svg.match(/<(path|line|text)/g)!.length).toBeLessThan(250);
    expect(svg).not.toContain('drag here to zoom');
  });

  it('reads a run, the data of its view, rows of evaluations', () => {
    expect(training(run(300)).alt).toMatch(/^Loss falls from 3\.\d+ to 1\.\d+ in 300 steps\. Last evaluation: reverse 0\.9/);
    expect(() => training({} as never)).toThrow(/needs losses.*show\.training\(run\)/s);
    expect(() => rewards({} as never)).toThrow(/needs rewards/);
  });
});

describe('what the figures compute', () => {
  it('forgetting: the best score before the last moment less the last', () => {
    const alt = taskMatrix({
      tasks: ['a', 'b'],
      times: ['1', '2', '3'],
      scores: [
        [0.9, 0],
        [0.5, 0.8],
        [0.3, 0.8],
      ],
    }).alt;
    expect(alt).toBe('Mean accuracy at the end 55 % over 2 tasks. Mean forgetting 30 %, most in a (60 %).');
    expect(() => taskMatrix({ tasks: ['a'], times: ['1'], scores: [[1, 2]] })).toThrow(/does not fit/);
  });

  it('the front: what no other beats in both', () => {
    const at = (label: string, learned: number, forgotten: number) => ({ label, learned, forgotten });
    const { text } = tradeOff([at('a', 1, 1), at('b', 2, 2), at('c', 1, 2), at('d', 2, 1.5), at('e', 0.5, 1)]);
    const front = text.split('\n').filter(line => line.includes('on the front'));
    expect(front.map(line => line[0])).toEqual(['a', 'd']);
  });

  it('divergence: the fitted curve and its R², points joined or not', () => {
    const points = [0.1, 0.2, 0.4, 0.8].map(kl => ({ run: kl < 0.3 ? 'low' : 'high', kl, forgotten: kl * kl }));
    const marks = (figure: Figure) => (figure.spec!.layer as { mark: { type: string } }[]).map(({ mark }) => mark.type);
    const plain = klForgetting(points);
    expect(plain.alt).toMatch(/Rank correlation of the two: 1\.$/);
    expect(marks(plain)).toEqual(['line', 'point']);
    const fitted = klForgetting(points, { fit: 2, join: false });
    expect(fitted.alt).toMatch(/R² of the quadratic curve: 1\.$/);
    expect(marks(fitted)).toEqual(['line', 'point']);
    const curve = (fitted.spec!.layer as { data: { values: { kl: number; forgotten: number }[] } }[])[0]!.data.values;
    for (const { kl, forgotten } of curve) expect(forgotten).toBeCloseTo(kl * kl, 4);
    // A line cannot follow a parabola, and two points that lie on each other determine none.
    expect(klForgetting(points, { fit: 1 }).alt).toMatch(/R² of the line: 0\.96\.$/);
    expect(klForgetting([points[0]!, points[0]!], { fit: 1 }).alt).not.toContain('R²');
  });

  it('margins: the share ranked right, every pair in one bin', () => {
    const figure = margins([1, 2, -1, 0, Number.NaN]);
    expect(figure.alt).toBe('50 % of 4 pairs ranked right, mean margin 0.5. 1 pair without a value that can be drawn left out.');
    const bins = (figure.spec!.layer as { data: { values: { pairs: number }[] } }[])[0]!.data.values;
    expect(bins.reduce((sum, bin) => sum + bin.pairs, 0)).toBe(4);
  });

  it('places of weights: layer and matrix of Hugging Face names', () => {
    const { spec } = drift([
      { name: 'model.layers.11.self_attn.q_proj.weight', drift: 1 },
      { name: 'transformer.h.2.attn.c_attn.weight', drift: 1 },
      { name: 'encoder.block.0.layer.1.DenseReluDense.wo.weight', drift: 1 },
      { name: 'lm_head.weight', drift: 1 },
    ]);
    const cells = (spec!.data as { values: { row: string; column: string }[] }).values;
    expect(cells.map(({ row, column }) => `${row}/${column}`)).toEqual([
      'layer 11/q_proj',
      'layer 2/c_attn',
      'layer 0/layer.1.DenseReluDense.wo',
      'outside/lm_head',
    ]);
  });

  it('words that changed: both texts can be read back', () => {
    const [before, after] = ['the  cat sat on\nthe mat', 'the  dog sat on\na mat today'];
    const parts = wordDiff(before, after);
    expect(
      parts
        .filter(part => part.kind !== 'new')
        .map(part => part.text)
        .join(''),
    ).toBe(before);
    expect(
      parts
        .filter(part => part.kind !== 'gone')
        .map(part => part.text)
        .join(''),
    ).toBe(after);
    expect(parts.filter(part => part.kind === 'gone').map(part => part.text.trim())).toEqual(['cat', 'the mat']);
    expect(wordDiff('', 'x')).toEqual([{ kind: 'new', text: 'x' }]);
    expect(wordDiff('深い海', '深い空')).toEqual([
      { kind: 'same', text: '深い' },
      { kind: 'gone', text: '海' },
      { kind: 'new', text: '空' },
    ]);
    const long = 'word '.repeat(5000);
    expect(wordDiff(long, `${long}end`).length).toBeLessThanOrEqual(3);
  });

  it('generations keep what is hostile as text', () => {
    const attack = '<img src=x onerror=1> \u202e';
    const { html, text } = generations([
      { prompt: attack, before: attack, after: `${attack} more`, task: attack, expected: attack },
    ]);
    expect(html).not.toContain('<img');
    expect(html! + text).not.toContain('\u202e');
    expect(() => generations([{ prompt: 'x', after: 'y' }])).toThrow(/lacks one of its two texts/);
  });
});
