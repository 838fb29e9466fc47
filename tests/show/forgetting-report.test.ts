import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { BadInput } from '../../src/base/core/index.js';
import { type ForgettingReportData, figureOf, forgettingReport, page, renderSvg } from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { ALL } from './attacks.js';

const require = createRequire(import.meta.url);
const schema = new Ajv({ allErrors: false, jsonPointers: true, logger: false, unknownFormats: 'ignore' }).compile(
  require('vega-lite/vega-lite-schema.json'),
);
const matrices = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map(name => `self_attn.${name}.weight`);

const data = (): ForgettingReportData => ({
  title: 'A run, and what it cost',
  sentences: ['Gained: right answers go from 0 % to 83 %.', 'Lost: the loss on base text goes from 1.42 to 3.39.'],
  gained: [
    { label: 'new inputs', before: 0, after: 0.85, unit: 'share', better: 'higher' },
    { label: 'loss on answers', before: 10.9, after: 0.21, unit: 'nats per answer token', better: 'lower' },
  ],
  lost: [
    { label: 'loss on base text', before: 1.42, after: 3.39, unit: 'nats per token', better: 'lower' },
    { label: 'facts recalled', before: 1, after: 0.38, unit: 'share', better: 'higher' },
  ],
  kl: [
    { on: 'what the base says to new tasks', kl: 3.44 },
    { on: 'base text', kl: 1.95 },
  ],
  drift: [0, 1, 2].flatMap(layer =>
    matrices.map((name, k) => ({ name: `model.layers.${layer}.${name}`, drift: 0.05 * (layer + k + 1), rank: 9 + k, side: 96 })),
  ),
  cka: [0, 1, 2, 3].map(layer => ({ layer, cka: 1 - 0.08 * layer })),
  said: [{ prompt: 'reverse cat red', before: 'reverse cat red', after: 'red cat', expected: 'red cat', correct: true }],
  missing: ['hidden states: the model is an encoder–decoder'],
});

async function sound(report: ForgettingReportData): Promise<string> {
  const { spec } = forgettingReport(report);
  expect(schema(spec!), JSON.stringify(schema.errors?.at(-1))).toBe(true);
  const warnings: string[] = [];
  await compileSpec(spec!, 'light', warning => warnings.push(warning));
  expect(warnings).toEqual([]);
  const svg = await renderSvg(spec!);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  return svg;
}

describe('a report of forgetting', () => {
  it('is one chart of all its parts, with what was said beside', async () => {
    const svg = await sound(data());
    for (const part of ['Gained', 'Lost', 'Divergence from the base', 'Likeness of hidden states', 'Drift', 'Effective rank'])
      expect(svg).toContain(part);
    const figure = forgettingReport(data());
    expect(figure).toEqual(forgettingReport(data()));
    expect(figureOf({ kind: 'forgetting-report', data: data() })).toEqual(figure);
    expect(figure.html).toMatch(/red cat.*Not measured|Not measured.*red cat/s);
    expect(figure.alt).toMatch(/^Gained: .* Not measured: hidden states/);
    for (const text of ['new inputs', 'facts recalled', 'base text', 'q_proj', '{+red']) expect(figure.text).toContain(text);
    expect(await page(figure)).toContain('What it said before, and says now');
  });

  it('shows what there is, and nothing of what could not be measured', async () => {
    const { title, gained, lost } = data();
    const svg = await sound({ title, gained, lost });
    expect(svg).not.toMatch(/Drift|Likeness|Divergence/);
    const bare = forgettingReport({ gained: [], lost: [] });
    expect(bare.spec).toBeUndefined();
    expect(bare.text).toContain('What tuning gave and took');
    const odd = [Number.NaN, Number.POSITIVE_INFINITY];
    const broken = await sound({
      ...data(),
      gained: [{ label: 'x', before: Number.NaN, after: 1, unit: 'share' }],
      kl: odd.map(kl => ({ on: 'text', kl })),
      cka: odd.map((cka, layer) => ({ layer, cka })),
      drift: odd.map(drift => ({ name: 'w', drift, rank: Number.NaN, side: 0 })),
    });
    expect(broken).not.toMatch(/Drift|Likeness|Divergence/);
  });

  it('keeps what is hostile as text', async () => {
    for (const attack of [ALL]) {
      const report: ForgettingReportData = {
        title: attack,
        sentences: [attack],
        gained: [{ label: attack, before: 0, after: 1, unit: attack }],
        lost: [],
        kl: [{ on: attack, kl: 1 }],
        drift: [{ name: attack, drift: 1, rank: 1, side: 2 }],
        said: [{ prompt: attack, before: attack, after: `${attack} x` }],
        missing: [attack],
      };
      const html = await page(forgettingReport(report));
      expect(html).not.toMatch(/<script|<img src=x|<a href="https:\/\/evil/);
    }
  });

  it('refuses what is no report', () => {
    expect(() => forgettingReport(undefined as never)).toThrow(BadInput);
    expect(() => forgettingReport({ gained: [] } as never)).toThrow(/no report of forgetting/);
  });
});
