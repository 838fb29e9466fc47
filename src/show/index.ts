/** Figures: plain data → Vega-Lite spec or safe HTML; rendering, live updating, and the hosts that show them. */
export { type BeforeAfterRow, beforeAfter } from './before-after.js';
export { type Figure, type FigureParts, figure, isFigure, JUPYTER_DISPLAY, VEGALITE_MIME, type VegaLiteSpec } from './figure.js';
export { type HistogramOptions, histogram } from './histogram.js';
export { type DisplayOptions, display } from './hosts.js';
export { type LiveOptions, type LiveRun, type LiveView, live } from './live.js';
export { type LossColumns, type LossCurveOptions, type LossHistory, type LossPoint, lossCurve } from './loss-curve.js';
export { notebookPage } from './notebook-page.js';
export { type PageOptions, page } from './page.js';
export { type PngOptions, type RenderOptions, renderPng, renderSvg } from './render.js';
export { type Sample, type SamplesOptions, samples } from './samples.js';
export { type TableOptions, type TableSource, table } from './table.js';
export { PALETTE, type Theme } from './theme.js';
export { type TokenCell, type TokensOptions, type TokenView, tokens, tokensAnsi } from './tokens.js';
export { bundleOf, figureOf, type RunData, toFigure } from './views.js';
