import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attention,
  comparison,
  diversity,
  drift,
  type Figure,
  figureOf,
  forgettingReport,
  generations,
  intervals,
  klForgetting,
  margins,
  packs,
  page,
  pair,
  RatingSession,
  renderPng,
  renderSvg,
  rewards,
  runs,
  table,
  taskMatrix,
  templateComparison,
  toFigure,
  tradeOff,
  training,
} from '../../src/show/index.js';
import { drawSpecs, launchBrowser, skipBrowser } from '../helpers/browser.js';

const require = createRequire(import.meta.url);

/** More ways to do harm: through CSS, through XML, through a terminal, through names that objects have already. */
const ATTACKS: readonly string[] = [
  '</style><style>*{background:url(https://evil.example/a)}</style>',
  '"style="background:url(https://evil.example/b);position:fixed" onmouseover="window.__pwned=1',
  'x;}*{background:url(//evil.example/c)}/*',
  '<!--<![CDATA[<svg onload=window.__pwned=1>]]>--><?xml version="1.0"?>',
  '&lt;img src=x onerror=window.__pwned=1&gt;&#x3c;script>',
  '<image href="https://evil.example/d.png"/><use href="#x"/><foreignObject>',
  '{signal: "warn(\'x\')"}',
  '\u009b31m\u001b]8;;https://evil.example/\u001b\\here\u001b]8;;\u001b\\\b\b\r\u2067',
  '__proto__',
  'constructor',
];

/** Every figure of what training did, with a text of somebody else's wherever a text can be. */
function hostile(text: string): Figure[] {
  const step = [1, 2, 3];
  const named = <T>(value: T): Record<string, T> => JSON.parse(JSON.stringify({ x: value }).replace('"x"', JSON.stringify(text)));
  const history = { step, loss: [3, 2, 1], gradNorm: [1, 1, 1] };
  const evaluations = step.map(at => ({ step: at, heldOut: 1, ...named(0.5) }));
  return [
    training({ name: text, history, evaluations }, { title: text }),
    runs([{ name: text, history, evaluations: evaluations as never }, { name: `${text}2`, history }], { title: text }),
    rewards({ step, reward: [1, 2, 3], rewards: named([1, 2, 3]) }, { title: text }),
    attention({ title: text, tokens: [text, text], keys: [text, 'b'], maps: [1, 2].map(() => ({ name: text, weights: [[1, 0], [0.5, 0.5]] })) }),
    taskMatrix({ tasks: [text, 'b'], times: [text, 2], scores: [[0, 1], [1, 0]] }, { title: text, axis: text, measure: text }),
    tradeOff([{ label: text, group: text, learned: 1, forgotten: 2 }, { label: 'b', group: 'b', learned: 2, forgotten: 3 }], { learned: text, forgotten: text }),
    klForgetting([{ run: text, kl: 1, forgotten: 2 }, { run: 'b', kl: 2, forgotten: 3 }], { title: text, forgotten: text }),
    drift([{ name: `model.layers.0.${text}.weight`, drift: 1 }, { name: text, drift: 2 }], { title: text, measure: text }),
    diversity([{ name: text, points: [{ n: 1, value: 1, low: 0.5, high: 1 }] }, { name: 'b', points: [{ n: 3, value: 1 }] }], { title: text }),
    margins([{ name: text, margins: [1, 2] }, { name: 'b', margins: [3] }], { title: text, label: text }),
    templateComparison([{ name: text, tokens: 3, trained: 1, overhead: 1, score: 0.5 }], { title: text, measure: text }),
    packs({ rows: [{ segmentIds: [1, 1, 2], rows: [text as unknown as number, 1] }] }, { title: text }),
    generations([{ task: text, prompt: text, before: `a ${text}`, after: `${text} b`, expected: text, correct: false }], { title: text }),
    table([named(text), named({ nested: text })], { title: text }),
    intervals({ title: text, axis: text, notes: [text, text], reference: 0.2, unit: text as 'share', rows: [{ label: text, value: 0.5, low: 0.4, high: 0.6, strong: true }, { label: 'b', value: 0.1 }] }),
    comparison({ title: text, warning: text, rows: [{ measure: text, seeds: 5, a: 0, b: 1, difference: 1, low: 0.5, high: 1.5, method: text, p: 0.01, holm: 0.02, mde: 0.3 }] }),
    forgettingReport({
      title: text, sentences: [text, text], missing: [text], gained: [{ label: text, before: 0, after: 1, unit: text }, { label: 'b', before: 0, after: 1, unit: 'share' }], lost: [{ label: text, before: 2, after: 1, unit: text, better: 'higher' }],
      kl: [{ on: text, kl: 1 }, { on: 'b', kl: 2 }], cka: [{ layer: 0, cka: 1 }, { layer: text as unknown as number, cka: 0.5 }],
      drift: [{ name: text, drift: 1, rank: 3, side: 9 }, { name: `model.layers.0.${text}.weight`, drift: 2, rank: 4, side: 9 }],
      said: [{ task: text, prompt: text, before: `a ${text}`, after: `${text} b`, expected: text, correct: true }],
    }),
    pair({ prompt: [{ role: text, content: text }, { role: 'user', content: text, input: text }], task: text, a: text, b: `${text} b`, place: text }),
    toFigure(new RatingSession([], new Set(), { file: text, rater: text }))!,
    figureOf({ kind: text, data: named(named(text)) }),
    ...[new Map([[text, named(text)]]), [named(text)]].map(value => toFigure(value)!),
  ]; // biome-ignore format: one figure a line
}

/** Elements that vega makes of our charts. */
const TAGS = /^(svg|g|path|line|text|tspan|rect|defs|clipPath|linearGradient|stop|title)$/;

const figures = ATTACKS.flatMap(hostile);
const charts = figures.filter(figure => figure.spec);

describe('texts of somebody else in the figures of studies', () => {
  it('move no cursor, turn no line around, and stay short, in words and in specs', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is looked for
    const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;
    for (const figure of figures)
      for (const said of [figure.text, figure.alt, figure.html ?? '', JSON.stringify(figure.spec ?? '')])
        expect(said, figure.kind).not.toMatch(harmful);
    const long = 'x<'.repeat(1 << 19);
    // A report has what was said beside its charts; a rater reads answers and prompts whole.
    const room: Record<string, number> = { 'forgetting-report': 60_000, pair: 300_000 };
    for (const { kind, spec, html, text, alt } of hostile(long)) {
      const own = html?.replace(/<style>.*?<\/style>/s, '');
      expect(JSON.stringify([spec, own, text, alt]).length, kind).toBeLessThan(room[kind] ?? 50_000);
    }
  });

  it('are no way into what every object has', () => {
    expect(({} as { x?: unknown }).x).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
    // A task that bears such a name is drawn as any other.
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const [panel] = hostile(name);
      expect(JSON.stringify(panel!.spec), name).toContain(`"series":"${name}\u00a0"`);
    }
  });

  it('leave a picture that is well-formed, to the last', async () => {
    // Every kind of chart, and every attack: a fifth of all pairs.
    for (const figure of charts.filter((_, i) => i % 5 === 0)) {
      const svg = await renderSvg(figure);
      const marks = svg.replace(/>[^<]*</g, '><');
      const tags = new Set(marks.match(/(?<=<)[^\s/>]+/g));
      expect(
        [...tags].filter(tag => !TAGS.test(tag)),
        figure.kind,
      ).toEqual([]);
      expect(marks.replace(/"[^"]*"/g, ''), figure.kind).not.toMatch(/\s(on\w+|href|xlink:href)=/);
      expect(marks, figure.kind).not.toMatch(/\s(fill|stroke|style|clip-path|mask|filter)="[^"]*url\((?!#)/);
    }
    // resvg reads XML strictly.
    expect((await renderPng(charts[3]!)).length).toBeGreaterThan(1000);
  });
});

describe.skipIf(skipBrowser)('texts of somebody else in the figures of studies, in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** What a page asked for, and whether a script ran, after every element was touched. */
  async function outcome(draw: (tab: Awaited<ReturnType<Browser['newPage']>>) => Promise<unknown>): Promise<object> {
    const context = await browser.newContext({ bypassCSP: true });
    const tab = await context.newPage();
    const requests: string[] = [];
    await tab.route('**/*', route => {
      requests.push(route.request().url());
      return route.abort();
    });
    await draw(tab);
    await tab.evaluate(() => {
      for (const node of document.querySelectorAll('body *'))
        for (const type of ['mouseover', 'focus', 'error', 'load', 'pointerenter']) node.dispatchEvent(new Event(type));
    });
    await tab.waitForTimeout(300);
    const seen = await tab.evaluate(() => ({
      pwned: (window as { __pwned?: unknown }).__pwned,
      polluted: Object.keys(Object.prototype),
      elements: document.querySelectorAll(
        'main :is(script, link, iframe, a, img, image, use, foreignObject), [onload], [onerror]',
      ).length,
      fixed: [...document.querySelectorAll('main *')].filter(node => getComputedStyle(node).position === 'fixed').length,
    }));
    await context.close();
    return { ...seen, requests };
  }
  const nothing = { pwned: undefined, polluted: [], elements: 0, fixed: 0, requests: [] };

  it('are inert in a page, even without its content-security-policy', async () => {
    const html = await page(ATTACKS.slice(0, 6).flatMap(hostile), { title: ATTACKS[0]! });
    expect(await outcome(tab => tab.setContent(html))).toEqual(nothing);
  });

  it("are inert where JupyterLab's version of Vega-Lite draws them", async () => {
    expect(
      await outcome(async tab => {
        await tab.setContent('<body></body>');
        for (const file of [
          require.resolve('vega').replace('vega.module.js', 'vega.min.js'),
          require.resolve('vega-lite-v5/build/vega-lite.min.js'),
        ])
          await tab.addScriptTag({ content: readFileSync(file, 'utf8') });
        const few = ATTACKS.slice(0, 7).flatMap((attack, i) =>
          hostile(attack).filter((figure, k) => figure.spec && (i + k) % 2 === 0),
        );
        expect(
          await drawSpecs(
            tab,
            few.map(figure => figure.spec!),
          ),
        ).toBe(few.length);
        await tab.mouse.move(200, 200);
      }),
    ).toEqual(nothing);
  });
});
