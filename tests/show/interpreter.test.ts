import { readFile } from 'node:fs/promises';
import * as vega from 'vega';
import { describe, expect, it } from 'vitest';
import { withoutTouch } from '../../src/show/axes.js';
import {
  attention,
  drift,
  generations,
  klForgetting,
  margins,
  renderSvg,
  taskMatrix,
  templateComparison,
  tradeOff,
  training,
} from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { addVega, drawSpecs, launchBrowser, skipBrowser } from '../helpers/browser.js';
import { attentionData, matrix, run, studies } from './study-examples.js';

const { interpreter } = await import(new URL('../../src/show/browser/interpreter.js', import.meta.url).href);

/** What an expression gives by our evaluation, as a signal of an empty chart; what went wrong, as a text. */
async function evaluated(expression: string): Promise<unknown> {
  const errors: string[] = [];
  const logger = { ...vega.logger(vega.None), error: (e: unknown) => void errors.push(String(e)) };
  try {
    const spec = {
      signals: [
        { name: 'x', value: [3, 1, 2] },
        { name: 'y', update: expression },
      ],
    };
    const view = new vega.View(vega.parse(spec as never, undefined, { ast: true } as never), {
      renderer: 'none',
      expr: interpreter(vega),
      logger,
    } as never);
    await view.runAsync();
    return errors[0] ?? view.signal('y');
  } catch (error) {
    return String(error);
  }
}

describe('the evaluation of expressions', () => {
  it('draws what vega’s own draws', async () => {
    for (const [name, { spec }] of Object.entries(studies())) {
      if (!spec) continue;
      const view = new vega.View(vega.parse((await compileSpec(withoutTouch(spec), 'light')) as never), { renderer: 'none' });
      const ids = (svg: string) => svg.replace(/(?:clip|gradient_|tb[0-9a-f]{10}-)\d+/g, 'id');
      expect(ids(await renderSvg(spec)), name).toBe(ids(await view.toSVG()));
      view.finalize();
    }
  });

  it('computes', async () => {
    for (const [expression, value] of [
      ['1 + 2 * 3 - -4', 11],
      ["if(x[0] > 2 && !false, 'a' + upper('b'), null)", 'aB'],
      ['{a: [1, 2], b: x.length}', { a: [1, 2], b: 3 }],
      ['clamp(pow(2, 10), 0, 100) % 7', 2],
      ["format(1234.5, ',.1f')", '1,234.5'],
      ['sort(x)', [1, 2, 3]],
      ['year(datetime(2026, 1, 1)) == 2026 ? PI : E', Math.PI],
    ] as const)
      expect(await evaluated(expression), expression).toEqual(value);
  });

  it('reaches no prototype, no function, and makes nothing huge', async () => {
    for (const expression of ['x.constructor', "x['__proto__']", "'a'.toString", 'x.map'])
      expect((await evaluated(expression)) ?? 'nothing', expression).toBe('nothing');
    for (const expression of [
      "x.constructor('a')",
      'sequence(1e9)',
      "pad('x', 1e9)",
      "regexp('a')",
      "test('a', 'a')",
      'constructor()',
      '{constructor: 1}',
    ])
      expect(await evaluated(expression), expression).toMatch(/Error/);
  });

  it('is plain JavaScript without code made from text', async () => {
    const source = await readFile(new URL('../../src/show/browser/interpreter.js', import.meta.url), 'utf8');
    const code = source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '');
    expect(code).not.toMatch(/\b(eval|Function|import)\s*\(/);
  });
});

describe.skipIf(skipBrowser)('hostile names in the figures of studies', () => {
  it('run nothing where vega itself draws them', async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.setContent('<body></body>');
      await addVega(page);
      const attack = `<script>window.__pwned=1</script>'];window.__pwned=1;['"onload="window.__pwned=1 \u202e datum && (window.__pwned=1)`;
      const signal = { signal: 'window.__pwned=1' } as unknown as string;
      const specs = [attack, signal].flatMap(name => [
        training(run(40, [String(name)]), { title: name }),
        attention({ ...attentionData(), title: name, maps: attentionData().maps.map(map => ({ ...map, name })) }),
        taskMatrix({ ...matrix(), tasks: matrix().tasks.map(() => name) }, { measure: name, axis: name }),
        tradeOff([{ label: name, learned: 1, forgotten: 2, group: name }], { learned: name, forgotten: name }),
        klForgetting([{ run: name, kl: 1, forgotten: 2 }], { forgotten: name }),
        drift([{ name: String(name), drift: 1 }], { measure: name }),
        margins([{ name, margins: [1, 2, 3] }], { label: name }),
        templateComparison([{ name: String(name), tokens: 3, trained: 1, score: 0.5 }], { measure: name }),
      ]);
      expect(
        await drawSpecs(
          page,
          specs.map(figure => figure.spec!),
        ),
      ).toBe(specs.length);
      await page.mouse.move(200, 200);
      await page.setContent(generations([{ prompt: attack, before: attack, after: `${attack} more` }]).html!);
      await page.waitForTimeout(200);
      expect(await page.evaluate(() => (window as { __pwned?: unknown }).__pwned)).toBeUndefined();
    } finally {
      await browser.close();
    }
  });
});
