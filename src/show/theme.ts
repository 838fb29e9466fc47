import type { VegaLiteSpec } from './figure.js';
import { cut, printable, short } from './text.js';

/**
 * Colours after Okabe & Ito (2008), which stay apart under every colour blindness. All hold a contrast of 3:1 on white and on the
 * #333 of JupyterLab's dark charts: so blue is a little lighter than theirs, and violet and olive, found by search among all
 * colours of that lightness, stand where their yellows and sky blue are too faint on white.
 */
export const PALETTE = {
  blue: '#1f84c4',
  vermillion: '#d55e00',
  green: '#009e73',
  purple: '#c16b9a',
  violet: '#9478f5',
  olive: '#988048',
  gray: '#8a8a8a',
} as const;

/** Colours of series, in their order. */
export const SERIES_COLOURS: readonly string[] = [
  PALETTE.blue,
  PALETTE.vermillion,
  PALETTE.green,
  PALETTE.purple,
  PALETTE.violet,
  PALETTE.olive,
];

/** One family for charts; the first name is the font that we ship. */
export const FONT = 'Inter, system-ui, "Segoe UI", Roboto, sans-serif';

export const SCHEMA = 'https://vega.github.io/schema/vega-lite/v5.json';

/** What every chart shares. Text and background colours are left to the theme of whoever draws it, so that dark mode works. */
const CONFIG: Record<string, unknown> = {
  font: FONT,
  view: { stroke: null },
  axis: {
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 8,
    labelPadding: 5,
    gridColor: PALETTE.gray,
    gridOpacity: 0.22,
    domainColor: PALETTE.gray,
    tickColor: PALETTE.gray,
    tickSize: 4,
    // Labels are cut by us; vega's own cut measures text without a font here, and so cuts short.
    labelLimit: 0,
  },
  axisY: { domain: false, ticks: false },
  title: { anchor: 'start', fontSize: 15, fontWeight: 600, subtitleFontSize: 12, subtitlePadding: 5, offset: 12, limit: 0 },
  legend: {
    orient: 'top',
    direction: 'horizontal',
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    symbolType: 'stroke',
    symbolStrokeWidth: 2.5,
    symbolOpacity: 1,
    labelLimit: 0,
    offset: 6,
  },
  range: { category: SERIES_COLOURS },
};

/**
 * A mark of words or numbers in a chart, in the ink of the axes' labels: any colour of its own is too faint on white or on black, and
 * Vega-Lite's own is black on either. Only of what it takes to be hollow it leaves the fill to the theme, and the line around it to us.
 */
export const WRITTEN = { type: 'text', style: 'guide-label', filled: false, stroke: 'transparent', strokeWidth: 0 } as const;

/** A whole spec around the parts of a chart. Titles are strings here, never objects: an object could be a Vega signal. */
export function spec(
  parts: { title?: string; subtitle?: string; description: string } & Record<string, unknown>,
  config: Record<string, unknown> = {},
): VegaLiteSpec {
  const { title, subtitle, description, ...rest } = parts;
  const text = title === undefined ? undefined : label(title, 70);
  return {
    $schema: SCHEMA,
    description: label(description, 400),
    ...(text === undefined
      ? {}
      : { title: { text, ...(subtitle ? { subtitle: wrapped(short(label(subtitle, 600), 285), 95) } : {}) } }),
    ...rest,
    config: { ...CONFIG, ...config },
  };
}

/** One string, or lines broken between words. */
function wrapped(text: string, width: number): string | string[] {
  if (text.length <= width) return text;
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    // A last line of one word looks like a mistake: then both are shorter.
    const space = rest.lastIndexOf(' ', rest.length < width + 20 ? Math.round(0.75 * width) : width);
    const at = space > width / 2 ? space : width;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return rest === '' ? lines : [...lines, rest];
}

/** A string from data as it may stand in a chart: printable, one line, short. Vega shows it as text and never evaluates it. */
export function label(text: unknown, limit = 60): string {
  const whole = String(text);
  const clean = (part: string) => printable(part).replace(/\s+/g, ' ');
  // Of a text far too long its beginning is enough; how long it is still stands behind it.
  const start = clean(whole.slice(0, 20 * limit));
  const shown = cut(start.length > limit ? start + whole.slice(20 * limit) : clean(whole), limit);
  // Vega keeps operators and stacks under such texts in plain objects, and of "constructor" finds what every object has.
  return shown in Object.prototype ? `${shown}\u00a0` : shown;
}

/** How a chart is drawn outside a notebook: on white, on black, or in the colours of the page around it. */
export type Theme = 'light' | 'dark' | 'page';

/** The config that gives a spec the colours of a theme. */
export function themeConfig(theme: Theme): Record<string, unknown> {
  const { ink, soft, background } = {
    light: { ink: '#1a1a1a', soft: '#4d4d4d', background: '#ffffff' },
    dark: { ink: '#f2f2f2', soft: '#c4c4c4', background: '#1b1c1e' },
    page: { ink: 'var(--tb-ink,#1a1a1a)', soft: 'var(--tb-soft,#4d4d4d)', background: 'transparent' },
  }[theme];
  return {
    background,
    padding: theme === 'page' ? 2 : 14,
    title: { color: ink, subtitleColor: soft },
    // Ours says these itself; a chart of another library would have lines for white paper.
    axis: {
      labelColor: soft,
      titleColor: ink,
      gridColor: PALETTE.gray,
      gridOpacity: 0.22,
      domainColor: PALETTE.gray,
      tickColor: PALETTE.gray,
    },
    view: { stroke: PALETTE.gray },
    legend: { labelColor: soft, titleColor: ink },
    header: { labelColor: ink, titleColor: ink },
    style: { 'guide-label': { fill: soft }, 'guide-title': { fill: ink } },
  };
}

const LIGHT_VARS =
  '--tb-ink:#1a1a1a;--tb-soft:#4d4d4d;--tb-faint:#6b6b6b;--tb-line:#d4d4d4;--tb-paper:#fff;--tb-wash:#f5f5f4;--tb-tip:#222;--tb-tipink:#fff;' +
  '--tb-on:#1f84c4;--tb-onink:#0b4a73;--tb-ctl:#c16b9a;--tb-ctlink:#8a3767;--tb-good:#00704f;--tb-bad:#b34700';
const DARK_VARS =
  '--tb-ink:#eee;--tb-soft:#c4c4c4;--tb-faint:#a3a3a3;--tb-line:#4a4a4a;--tb-paper:#1b1c1e;--tb-wash:#26282b;--tb-tip:#f2f2f2;--tb-tipink:#111;' +
  '--tb-on:#3f9fdc;--tb-onink:#b9e0fa;--tb-ctl:#c16b9a;--tb-ctlink:#eab3d2;--tb-good:#3fc79d;--tb-bad:#f49a55';

/** Colours for our HTML. The system's preference counts, unless the notebook says which theme it wears. */
export function htmlVars(selector: string): string {
  const within = (hosts: string[]) => hosts.map(host => `${host} ${selector}`).join(',');
  return (
    `${selector}{${LIGHT_VARS}}` +
    `@media (prefers-color-scheme:dark){${selector}{${DARK_VARS}}}` +
    `${within(['body[data-jp-theme-light="true"]', 'body.vscode-light'])}{${LIGHT_VARS}}` +
    `${within(['body[data-jp-theme-light="false"]', 'body.vscode-dark'])}{${DARK_VARS}}`
  );
}
