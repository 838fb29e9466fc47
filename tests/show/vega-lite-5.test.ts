import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import * as vega from 'vega';
import { describe, expect, it } from 'vitest';
import { withoutTouch } from '../../src/show/axes.js';
import type { VegaLiteSpec } from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { themeConfig } from '../../src/show/theme.js';
import { gallery } from './examples.js';
import { studies } from './study-examples.js';

// We compile with vega-lite 6; JupyterLab, VS Code and nbviewer draw the same specs with vega-lite 5.

const require = createRequire(import.meta.url);
const valid = new Ajv({ jsonPointers: true, logger: false, unknownFormats: 'ignore' }).compile(
  require('vega-lite-v5/build/vega-lite-schema.json'),
);

type Compile = (spec: object, options: object) => { spec: vega.Spec };

/** Its build is CommonJS and requires vega, whose module waits at its top level: so vega is handed to it. */
const five = (() => {
  const text = readFileSync(require.resolve('vega-lite-v5/build/vega-lite.min.js'), 'utf8');
  const module = { exports: {} as { compile: Compile; version: string } };
  new Function('module', 'exports', 'require', text)(module, module.exports, () => vega);
  return module.exports;
})();

async function svgOf(spec: vega.Spec): Promise<string> {
  const view = new vega.View(vega.parse(spec), { renderer: 'none' });
  try {
    // Numbers of clips and gradients count the process's charts; what is said to a screen reader was improved from 5 to 6.
    return (await view.toSVG())
      .replace(/(clip|gradient_)\d+/g, '$1')
      .replace(/ (aria-[a-z]+|role)="[^"]*"/g, '')
      .replaceAll('&amp;', '&');
  } finally {
    view.finalize();
  }
}

const charts = (): [name: string, spec: VegaLiteSpec][] =>
  Object.entries({ ...gallery(), ...studies() }).flatMap(([name, { spec }]) => (spec ? [[name, spec] as const] : []));

describe('Vega-Lite 5', () => {
  it('allows every chart, by its schema', () => {
    expect(five.version).toMatch(/^5\./);
    for (const [name, spec] of charts()) {
      expect(spec.$schema).toContain('/v5.json');
      const [deepest] = valid(spec) ? [] : [...valid.errors!].sort((a, b) => b.dataPath.length - a.dataPath.length);
      expect(deepest && `${deepest.dataPath} ${deepest.message}`, name).toBeUndefined();
    }
    const broken = { ...charts()[0]![1], config: 3 };
    expect(valid(broken)).toBe(false);
  });

  it('compiles every chart without a warning, and draws it as version 6 does, in light and dark', async () => {
    for (const [place, [name, spec]] of charts().entries()) {
      const warnings: string[] = [];
      const warn = (...words: unknown[]) => {
        warnings.push(words.join(' '));
        return logger;
      };
      const logger = { level: () => logger, warn, error: warn, info: () => logger, debug: () => logger };
      const theme = place % 2 === 0 ? 'light' : 'dark';
      const config = themeConfig(theme);
      five.compile(spec, { config, logger });
      expect(warnings, name).toEqual([]);
      // What only the pointer wakes costs most of the drawing; the test in JupyterLab moves it.
      const still = withoutTouch(spec);
      const [old, ours] = [five.compile(still, { config }).spec, await compileSpec(still, theme)];
      expect(await svgOf(old), name).toBe(await svgOf(ours));
    }
  });
});
