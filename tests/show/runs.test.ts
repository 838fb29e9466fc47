import { describe, expect, it } from 'vitest';
import { setView } from '../../src/base/core/index.js';
import { figureOf, lossCurve, PALETTE, renderSvg, runs } from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';

const history = (end: number, rate = 1e-3) => ({
  step: [1, 2, 3, 4],
  loss: [4, 3, 2.5, end],
  learningRate: [rate, rate, rate / 2, 0],
});
const two = [
  { name: 'low', history: history(2, 1e-2), evaluations: [{ step: 4, heldOut: 2.1, accuracy: 0.5 }] },
  { name: 'high', history: history(2.4), evaluations: [{ step: 4, heldOut: 2.6, accuracy: 0.4 }] },
];

/** Values of all panels and layers. */
function valuesOf(spec: unknown): Record<string, unknown>[] {
  if (Array.isArray(spec)) return spec.flatMap(valuesOf);
  if (spec === null || typeof spec !== 'object') return [];
  return Object.entries(spec).flatMap(([key, part]) =>
    key === 'values' && Array.isArray(part) ? (part as Record<string, unknown>[]) : valuesOf(part),
  );
}

describe('runs', () => {
  it('says which run ends lowest, and what evaluations found', () => {
    const figure = runs(two);
    expect(figure.alt).toBe('Of 2 runs low ends lowest, at 2, high 2.4. Points: held-out loss: low 2.1, high 2.6.');
    expect(figure.text).toMatch(/^Training runs\nlow +█▅▃▁ 2\nhigh +█▄▁▁ 2\.4\n/);
    expect(figure.spec!.description).toContain('low ends lowest');
    expect(runs(two)).toEqual(figure);
  });

  it('draws losses and held-out losses in one panel, rates where they differ, other numbers in their own', () => {
    const panels = (figure: ReturnType<typeof runs>) => (figure.spec!.vconcat as unknown[] | undefined)?.length ?? 1;
    expect(panels(runs(two))).toBe(2);
    expect(panels(runs(two, { learningRate: false }))).toBe(1);
    expect(panels(runs([{ name: 'a', history: history(1) }, history(2)]))).toBe(1);
    expect(panels(runs(two, { metric: 'accuracy' }))).toBe(3);
    const drawn = valuesOf(runs(two, { metric: 'accuracy' }).spec).filter(value => 'evaluation' in value);
    expect(drawn).toEqual([
      { run: 'low', step: 4, evaluation: 0.5 },
      { run: 'high', step: 4, evaluation: 0.4 },
    ]);
  });

  it('takes runs, histories by column and by row, and whatever has the view of a run', () => {
    class Mine {}
    setView(Mine, () => ({ kind: 'run', data: { name: 'mine', history: { loss: [1] } } }));
    const rows = [{ step: 1, loss: 3 }];
    const figure = runs([two[0]!, { loss: [4, 3] }, rows, new Mine() as never], { names: ['first'] });
    const names = new Set(valuesOf(figure.spec).map(({ run }) => run));
    expect([...names]).toEqual(['first', 'run 2', 'run 3', 'mine']);
    expect(() => runs([{ steps: 3 } as never])).toThrow(/no run/);
    expect(runs([]).alt).toBe('No finite loss yet in 0 runs.');
    expect(figureOf({ kind: 'runs', data: two })).toEqual(runs(two));
  });

  it('gives every run a name of its own', () => {
    const same = { name: 'sft', history: history(1) };
    const names = (given: Parameters<typeof runs>[0]) => [...new Set(valuesOf(runs(given).spec).map(({ run }) => run))];
    expect(names([same, same])).toEqual(['sft (1)', 'sft (2)']);
    expect(
      names([
        { ...same, id: 'monday-sft' },
        { ...same, id: 'friday-sft' },
      ]),
    ).toEqual(['monday-sft', 'friday-sft']);
  });

  it('keeps lines apart by colour and dashes, also beyond six, and lets the legend choose', async () => {
    const many = Array.from({ length: 8 }, (_, i) => ({ name: `r${i}`, history: history(i) }));
    const { spec } = runs(many, { learningRate: false });
    const [line] = spec!.layer as { params: unknown; encoding: Record<string, { scale: { range: unknown[] } }> }[];
    const looks = line!.encoding.color!.scale.range.map((colour, i) =>
      JSON.stringify([colour, line!.encoding.strokeDash!.scale.range[i]]),
    );
    expect(new Set(looks).size).toBe(8);
    expect(looks[0]).toContain(PALETTE.blue);
    expect(line!.params).toMatchObject([{ bind: 'legend', select: { fields: ['run'] } }]);
    const warnings: string[] = [];
    for (const figure of [runs(many), runs(two, { metric: 'accuracy' }), runs(two, { log: true })])
      await compileSpec(figure.spec!, 'light', warning => warnings.push(warning));
    expect(warnings).toEqual([]);
  });

  it('leaves out what cannot be drawn, and thins long runs', () => {
    const broken = runs([{ name: 'a', history: { loss: [3, Number.NaN, 2] } }]);
    expect(broken.alt).toBe('Loss of a ends at 2. 1 step without a usable loss left out.');
    expect(runs([{ name: 'a', history: { loss: [-1, 2] } }], { log: true }).alt).toContain('1 step without');
    const loss = Array.from({ length: 20_000 }, (_, i) => 1 / (i + 1));
    expect(valuesOf(runs([{ loss }, { loss }]).spec).length).toBeLessThanOrEqual(800);
  });

  it('shows hostile names as text', async () => {
    const svg = await renderSvg(runs([{ name: '<script>alert(1)</script>\u202e', history: history(1) }, two[0]!]));
    expect(svg).not.toContain('<script>');
    expect(svg).toContain('&lt;script&gt;');
    expect(svg).not.toContain('\u202e');
    expect(lossCurve(history(1)).kind).toBe('lossCurve');
  });
});
