import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { VegaLiteSpec } from './figure.js';
import { compileSpec, renderSvg } from './render.js';

/** Script of a page and what its content-security-policy says of it: this text, and no other, may run. */
export interface PageScript {
  text: string;
  /** `'sha256-…'`. */
  source: string;
}

/** A specification larger than this stays a picture, in characters of its JSON: four million make a page that no browser likes. */
const LARGEST_CHART = 4_000_000;

/**
 * A chart for a page: its picture, and with `interactive` also its Vega specification as JSON, from which the page's script draws it
 * anew. The specification is data: a block of type application/json, in which no `<` is left.
 */
export async function chartHtml(chart: VegaLiteSpec, interactive: boolean): Promise<string> {
  const picture = await renderSvg(chart, { theme: 'page' });
  if (!interactive) return `<div class="tb-chart">${picture}</div>`;
  const json = JSON.stringify(harmless(await compileSpec(chart, 'page')));
  if (json.length > LARGEST_CHART) return `<div class="tb-chart">${picture}</div>`;
  const data = json.replace(/[<>&\u2028\u2029]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `<div class="tb-chart" data-chart="vega"><div class="tb-chart-picture">${picture}</div><script type="application/json">${data}</script></div>`;
}

/** What a menu of a chart may say of itself. Vega writes all else onto its input element as attributes. */
const MENU = ['input', 'options', 'labels', 'name', 'min', 'max', 'step'] as const;
const INPUTS = new Set(['select', 'range', 'radio', 'checkbox', 'number', 'text']);

/** A Vega specification whose menus are plain menus: no attributes of the author's choosing, no element of the page in their place. */
function harmless(spec: unknown): unknown {
  if (Array.isArray(spec)) return spec.map(harmless);
  if (spec === null || typeof spec !== 'object') return spec;
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(spec)) {
    if (key === 'values') kept[key] = value;
    else if (key === 'signals' && Array.isArray(value)) kept[key] = value.map(signal => withPlainMenu(harmless(signal)));
    else kept[key] = harmless(value);
  }
  return kept;
}

function withPlainMenu(signal: unknown): unknown {
  if (signal === null || typeof signal !== 'object' || !('bind' in signal)) return signal;
  const { bind, ...rest } = signal;
  const given = (bind ?? {}) as Record<string, unknown>;
  if (!INPUTS.has(given.input as string)) return rest;
  return { ...rest, bind: Object.fromEntries(MENU.filter(name => name in given).map(name => [name, given[name]])) };
}

let script: Promise<PageScript> | undefined;

/** The one script of every page with live charts: vega, our evaluation of its expressions, and what draws the charts. 520 kB. */
export function chartScript(): Promise<PageScript> {
  script ??= readScript();
  return script;
}

async function readScript(): Promise<PageScript> {
  const vega = join(dirname(createRequire(import.meta.url).resolve('vega')), 'vega.min.js');
  const ours = ['interpreter.js', 'charts.js'].map(name => new URL(`./browser/${name}`, import.meta.url));
  const [library, ...own] = await Promise.all([vega, ...ours].map(file => readFile(file, 'utf8')));
  const plain = own.map(text => text.replace(/^export /gm, '')).join('\n');
  const text = `${library}\n(function () {\n'use strict';\n${plain}\n})();\n`
    // Nothing in the text may end the element it stands in. (Both can only be within strings and comments.)
    .replace(/<\/(script)/gi, '<\\/$1')
    .replaceAll('<!--', '<\\!--')
    .replaceAll('\r\n', '\n');
  return { text, source: `'sha256-${createHash('sha256').update(text).digest('base64')}'` };
}
