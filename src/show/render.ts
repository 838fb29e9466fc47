import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BadInput, Unavailable } from '../base/core/index.js';
import { withoutTouch } from './axes.js';
import type { Figure, VegaLiteSpec } from './figure.js';
import { textWidth } from './text.js';
import { type Theme, themeConfig } from './theme.js';

/** How a chart is rendered to a picture. */
export interface RenderOptions {
  /** Colours: `'light'` (the default), `'dark'`, or `'page'` (transparent, in the CSS colours of the page around it). */
  theme?: Theme;
}

export interface PngOptions extends RenderOptions {
  /** Pixels per CSS pixel; defaults to 2. */
  scale?: number;
  /** Width in pixels, instead of `scale`. */
  width?: number;
}

// Two folders up is the package root both from src/show and from dist/show; tsc copies no assets.
const FONT_FILE = fileURLToPath(new URL('../../assets/fonts/Inter-Regular.otf', import.meta.url));

/** Plain JavaScript that exported pages carry too. */
const INTERPRETER = new URL('./browser/interpreter.js', import.meta.url);

// What the shipped font can write. Anything beyond it (CJK, Arabic, emoji) is worth the time to look at the system's fonts.
const COVERED = /^[\n\t -\u04ff\u1e00-\u1eff\u2000-\u23ff\u2500-\u25ff\u2713-\u2717\ufffd]*$/;

/** Nothing in a chart is ever fetched: data are inline, and a hostile spec must not read files or call home. */
const CLOSED_LOADER = {
  load: () => Promise.reject(new Error('charts load nothing')),
  // Not a rejection: vega leaves that one unhandled.
  sanitize: () => Promise.resolve({ href: '' }),
  http: () => Promise.reject(new Error('charts load nothing')),
  file: () => Promise.reject(new Error('charts load nothing')),
};

/** The SVG of a chart. `description` becomes its accessible name. */
export async function renderSvg(chart: Figure | VegaLiteSpec, options: RenderOptions = {}): Promise<string> {
  const { vega, expressions } = await loadVega();
  const spec = await compileSpec(withoutTouch(specOf(chart)), options.theme ?? 'light');
  // Expressions are evaluated by us: a spec may be anybody's, and vega would make code of it.
  const view = new vega.View(vega.parse(spec as never, undefined, { ast: true }), {
    renderer: 'none',
    loader: CLOSED_LOADER as never,
    logger: vega.logger(vega.Error),
    expr: expressions,
  } as never);
  try {
    return withOwnIds(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/**
 * Vega numbers clips and gradients by a counter of the process: the same chart would differ from call to call, and two charts of two
 * processes on one page would clip each other. So they are numbered within the chart, after a hash of what it holds.
 */
function withOwnIds(svg: string): string {
  const numbers = new Map<string, number>();
  const renamed = (name: (n: number) => string) =>
    svg.replace(/( id="|="url\(#)((?:clip|gradient_)\d+)(?=[")])/g, (_, before: string, id: string) => {
      if (!numbers.has(id)) numbers.set(id, numbers.size);
      return before + name(numbers.get(id)!);
    });
  const plain = renamed(String);
  if (numbers.size === 0) return svg;
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 10);
  return renamed(n => `tb${hash}-${n}`);
}

/** The PNG of a chart, lettered in the font that tunebook ships; Unavailable when that file is gone. */
export async function renderPng(chart: Figure | VegaLiteSpec, options: PngOptions = {}): Promise<Uint8Array> {
  // Without it resvg draws no letters at all, and says nothing.
  if (!existsSync(FONT_FILE))
    throw new Unavailable({
      problem: 'The font of the charts is missing',
      where: { file: FONT_FILE },
      fix: 'install tunebook again',
    });
  const svg = await renderSvg(chart, options);
  const { Resvg } = await import('@resvg/resvg-js');
  const picture = new Resvg(linesApart(svg), {
    font: { fontFiles: [FONT_FILE], loadSystemFonts: !COVERED.test(svg), defaultFontFamily: 'Inter', sansSerifFamily: 'Inter' },
    fitTo: options.width ? { mode: 'width', value: options.width } : { mode: 'zoom', value: options.scale ?? 2 },
    logLevel: 'off',
  });
  return picture.render().asPng();
}

/** Lines of one text as texts of their own: resvg orders the letters of all lines together where one is written from right to left. */
export function linesApart(svg: string): string {
  return svg.replace(/<text([^>]*)>((?:<tspan[^>]*>[^<]*<\/tspan>){2,})<\/text>/g, (_, given: string, lines: string) => {
    const transform = / transform="[^"]*"/.exec(given)?.[0] ?? '';
    const look = given.replace(transform, '');
    let y = 0;
    const each = [...lines.matchAll(/<tspan([^>]*)>([^<]*)<\/tspan>/g)].map(([, place, text]) => {
      y += Number(/ dy="([\d.]+)"/.exec(place!)?.[1] ?? 0);
      return `<text${look} y="${y}">${text}</text>`;
    });
    return `<g${transform}>${each.join('')}</g>`;
  });
}

/** The Vega spec of a Vega-Lite spec in the colours of a theme; vega-lite's warnings go to `onWarning`. */
export async function compileSpec(chart: VegaLiteSpec, theme: Theme, onWarning?: (message: string) => void): Promise<object> {
  const { compile } = await import('vega-lite');
  const warn = (...messages: unknown[]) => {
    onWarning?.(messages.join(' '));
    return logger;
  };
  const logger = { level: () => logger, error: warn, warn, info: () => logger, debug: () => logger };
  return compile(chart as never, { config: themeConfig(theme) as never, logger: logger as never }).spec;
}

function specOf(chart: Figure | VegaLiteSpec): VegaLiteSpec {
  if ('$schema' in chart) return chart;
  if (chart.spec) return chart.spec;
  throw new BadInput({
    problem: `a ${chart.kind} figure has no chart to render`,
    expected: 'a figure with a Vega-Lite spec',
    fix: 'show it in a notebook, or write it with show.page([figure])',
  });
}

/** Load what charts are drawn with, half a second of work, before the first of them asks for it. */
export async function loadAhead(): Promise<void> {
  await Promise.all([loadVega(), import('vega-lite'), import('@resvg/resvg-js')]);
}

interface Loaded {
  vega: typeof import('vega');
  expressions: unknown;
}
let loaded: Promise<Loaded> | undefined;

/** vega 6 has top-level await: a true import() is the one way that works from CommonJS cells too. */
function loadVega(): Promise<Loaded> {
  loaded ??= Promise.all([import('vega'), import(INTERPRETER.href)]).then(([vega, { interpreter }]) => {
    // Without a canvas vega guesses 0.8 em a character, which pushes legends and titles apart; Inter's mean is nearer 0.55.
    const metrics = (vega as unknown as { textMetrics?: { width(item: { fontSize?: number }, text: unknown): number } })
      .textMetrics;
    if (metrics) metrics.width = (item, text) => textWidth(String(text ?? ''), item.fontSize ?? 11);
    return { vega, expressions: interpreter(vega) };
  });
  return loaded;
}
