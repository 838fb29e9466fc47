import type { MimeBundle } from '../base/core/index.js';
import { renderPng } from './render.js';

/** The key under which Deno's and our kernel look for a MIME bundle. */
export const JUPYTER_DISPLAY: unique symbol = Symbol.for('Jupyter.display');

/** The MIME type that JupyterLab 4, VS Code and nbviewer draw. */
export const VEGALITE_MIME = 'application/vnd.vegalite.v5+json';

/** A Vega-Lite v5 specification, as plain JSON. (vega-lite's own types do not resolve under every module resolution.) */
export interface VegaLiteSpec {
  $schema: string;
  /** What the chart shows, in words: becomes the SVG's aria-label. */
  description?: string;
  title?: string | { text: string | string[]; subtitle?: string | string[]; [key: string]: unknown };
  data?: { values: readonly Record<string, unknown>[] } | Record<string, unknown>;
  config?: Record<string, unknown>;
  [key: string]: unknown;
}

/** The plain parts of a {@link Figure}. */
export interface FigureParts {
  /** What sort of figure: `lossCurve`, `tokens`, `table` … */
  kind: string;
  title?: string;
  /** A chart; absent where the figure is HTML. */
  spec?: VegaLiteSpec;
  /** Self-contained HTML without script; every text in it is escaped. With a spec it accompanies the chart on a page. */
  html?: string;
  /** What a terminal shows. */
  text: string;
  /** One or two sentences that say what the figure says, for those who cannot see it. */
  alt: string;
}

/**
 * A figure is data: equal input gives an equal figure, and nothing is drawn until a host asks (contract 7). In a notebook
 * it shows itself when it is the last expression of a cell: Vega-Lite and PNG where there is a chart, else HTML; always text.
 */
export interface Figure extends FigureParts {
  /** The figure as a MIME bundle. A chart comes with a PNG, which GitHub and old front ends show. */
  [JUPYTER_DISPLAY](): Promise<MimeBundle>;
  /** The bundle without the PNG, which costs a fifth of a second: for updates of a live figure. */
  quickBundle(): MimeBundle;
}

/** A figure of the user's own making, from its plain parts. */
export function figure(parts: FigureParts): Figure {
  return new PlainFigure(parts);
}

export function isFigure(value: unknown): value is Figure {
  return value instanceof PlainFigure;
}

class PlainFigure implements Figure {
  readonly kind: string;
  readonly title?: string;
  readonly spec?: VegaLiteSpec;
  readonly html?: string;
  readonly text: string;
  readonly alt: string;

  constructor(parts: FigureParts) {
    this.kind = parts.kind;
    if (parts.title !== undefined) this.title = parts.title;
    if (parts.spec) this.spec = parts.spec;
    if (parts.html !== undefined) this.html = parts.html;
    this.text = parts.text;
    this.alt = parts.alt;
  }

  async [JUPYTER_DISPLAY](): Promise<MimeBundle> {
    const bundle = this.quickBundle();
    if (!this.spec) return bundle;
    const png = await renderPng(this.spec);
    return { ...bundle, 'image/png': Buffer.from(png).toString('base64') };
  }

  quickBundle(): MimeBundle {
    // A front end prefers HTML to Vega-Lite, so a bundle carries one or the other.
    if (this.spec) return { [VEGALITE_MIME]: this.spec, 'text/plain': this.text };
    return this.html === undefined ? { 'text/plain': this.text } : { 'text/html': this.html, 'text/plain': this.text };
  }
}
