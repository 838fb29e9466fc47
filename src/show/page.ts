import { CONVERSATION_CSS } from './conversation.js';
import type { FigureParts } from './figure.js';
import { GENERATIONS_CSS } from './generations.js';
import { chartHtml, chartScript, type PageScript } from './interactive.js';
import { CARDS_CSS } from './samples-cards.js';
import { TABLE_CSS } from './table.js';
import { cut, escapeHtml, printable } from './text.js';
import { htmlVars } from './theme.js';
import { TOKENS_CSS } from './tokens.js';

export interface PageOptions {
  /** Title of the page; defaults to `tunebook`. */
  title?: string;
  /**
   * Charts answer the pointer: tooltips, legends that filter, brushes, menus. The page then carries vega (half a megabyte), the one script
   * that its content-security-policy lets run; without script its charts are the pictures they are otherwise. Default: false.
   */
  interactive?: boolean;
}

/** Nothing is loaded and nothing runs: the page is what it says, also offline and also when its texts are hostile. */
export const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'";

/** Figures as one self-contained HTML page: charts as SVG, token views and tables as HTML, in light and dark. */
export async function page(figures: readonly FigureParts[] | FigureParts, options: PageOptions = {}): Promise<string> {
  const title = options.title ?? 'tunebook';
  const parts: string[] = [];
  for (const figure of Array.isArray(figures) ? (figures as readonly FigureParts[]) : [figures as FigureParts]) {
    parts.push(`<section>${await figureHtml(figure, options.interactive)}</section>`);
  }
  const script = options.interactive ? await chartScript() : undefined;
  return htmlDocument(title, `<h1>${escapeHtml(printable(cut(title, 200)))}</h1>\n${parts.join('\n')}`, script);
}

/** A figure as HTML for a page of ours, whose style sheet it relies on. */
export async function figureHtml(figure: FigureParts, interactive = false): Promise<string> {
  const chart = figure.spec ? await chartHtml(figure.spec, interactive) : '';
  const html = figure.html ?? (figure.spec ? '' : `<pre>${escapeHtml(figure.text)}</pre>`);
  return chart + html;
}

/** A whole page around trusted HTML. With a script, that one text may run, known by its hash, and no other. */
export function htmlDocument(title: string, body: string, script?: PageScript): string {
  const policy = script ? `${CONTENT_POLICY}; script-src ${script.source}` : CONTENT_POLICY;
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">` +
    `<title>${escapeHtml(printable(cut(title, 200)))}</title>\n<style>${PAGE_CSS}</style></head>\n<body><main>\n${body}\n</main>${script ? `<script>${script.text}</script>` : ''}</body></html>\n`
  );
}

const PAGE_CSS =
  htmlVars(':root') +
  ':root{color-scheme:light dark}*{box-sizing:border-box}' +
  'body{margin:0;background:var(--tb-paper);color:var(--tb-ink);font:16px/1.55 Inter,system-ui,"Segoe UI",Roboto,sans-serif}' +
  'main{max-width:880px;margin:0 auto;padding:32px 20px 80px;overflow-wrap:break-word}section{margin:0 0 32px}' +
  'h1{font-size:28px;line-height:1.2;margin:0 0 24px}h2{font-size:21px;margin:36px 0 10px}h3{font-size:17px;margin:28px 0 8px}' +
  'a{color:var(--tb-onink)}p{margin:0 0 12px}blockquote{margin:0 0 12px;padding:0 0 0 14px;border-left:3px solid var(--tb-line);color:var(--tb-soft)}' +
  'code,pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}' +
  'p code,li code{background:var(--tb-wash);padding:1px 4px;border-radius:3px}' +
  'pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 12px}' +
  '.tb-math{font-family:"STIX Two Math","Cambria Math","Latin Modern Math",Georgia,serif;font-size:1em;background:none!important}' +
  'table{border-collapse:collapse}th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--tb-line);vertical-align:top}' +
  '.tb-chart-menus{font-size:13px;color:var(--tb-soft)}.tb-chart-menus select,.tb-chart-menus input{font:inherit;color:var(--tb-ink);background:var(--tb-paper);border:1px solid var(--tb-line);border-radius:4px;margin-right:8px}' +
  '.tb-tip{position:fixed;z-index:9;max-width:min(420px,90vw);padding:6px 9px;border-radius:5px;background:var(--tb-tip);color:var(--tb-tipink);font-size:12px;line-height:1.5;overflow-wrap:anywhere;unicode-bidi:plaintext;pointer-events:none;box-shadow:0 2px 8px #0005}' +
  // A font wider than the one that was measured must not be cut at the picture's edge. On a narrow screen a chart is scrolled rather than
  // made so small that nobody can read it.
  '.tb-chart{overflow-x:auto;margin:6px 0}.tb-chart svg{max-width:max(100%,540px);height:auto;display:block;overflow:visible}img{max-width:100%;height:auto}' +
  // In a page both schemes are the browser's choice, so a picture on white paper gets its paper with it.
  'img.tb-picture{background:#fff;border-radius:4px}' +
  '.tb-cell{margin:0 0 20px}.tb-in{background:var(--tb-wash);border-left:3px solid var(--tb-on);border-radius:0 5px 5px 0;padding:10px 14px;margin:0 0 8px}' +
  '.tb-in pre{margin:0}.tb-out{padding:2px 0 2px 14px}.tb-out pre{margin:0 0 8px}.tb-out .tb-stderr{color:var(--tb-soft)}' +
  '.tb-out .tb-error{color:var(--tb-bad);border-left:3px solid var(--tb-bad);padding-left:10px}' +
  '.tb-k{color:var(--tb-ctlink)}.tb-s{color:var(--tb-good)}.tb-c{color:var(--tb-faint);font-style:italic}.tb-n{color:var(--tb-onink)}' +
  TABLE_CSS +
  TOKENS_CSS +
  CONVERSATION_CSS +
  GENERATIONS_CSS +
  CARDS_CSS +
  // Of a notebook's outputs the boxes to tick are not taken over; without them there is nothing to filter by.
  '.tb-filter:not(:has(input)){display:none}';
