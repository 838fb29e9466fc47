import { BadInput, quote } from '../base/core/index.js';
import { VEGALITE_MIME, type VegaLiteSpec } from './figure.js';
import { markdown } from './markdown.js';
import { htmlDocument, type PageOptions } from './page.js';
import { renderSvg } from './render.js';
import { sanitizeHtml } from './sanitize.js';
import { cut, escapeHtml, printable, wellFormed } from './text.js';

interface Cell {
  cell_type?: string;
  source?: string | string[];
  outputs?: Output[];
}

interface Output {
  output_type?: string;
  name?: string;
  text?: string | string[];
  data?: Record<string, unknown>;
  ename?: string;
  evalue?: string;
  traceback?: string[];
}

/** Characters shown of one stream or code cell at most. */
const STREAM = 50_000;

/**
 * An executed notebook (nbformat 4, parsed or as JSON text) as one self-contained page that works offline: charts drawn
 * from their Vega-Lite specs as SVG, other pictures inline. Outputs are not trusted: HTML is reduced to harmless marks.
 */
export async function notebookPage(notebook: string | object, options: PageOptions = {}): Promise<string> {
  const cells = parse(notebook);
  const parts: string[] = [];
  for (const cell of cells) {
    const source = joined(cell.source);
    if (cell.cell_type === 'markdown') parts.push(`<div class="tb-cell">${markdown(source)}</div>`);
    else if (cell.cell_type === 'code') parts.push(await codeCell(source, cell.outputs ?? []));
    else parts.push(`<pre class="tb-cell">${escapeHtml(source)}</pre>`);
  }
  const heading = cells
    .map(c => (c.cell_type === 'markdown' ? /^#\s+(.+)$/m.exec(joined(c.source))?.[1] : undefined))
    .find(Boolean);
  return htmlDocument(options.title ?? heading ?? 'Notebook', parts.join('\n'));
}

function parse(notebook: string | object): Cell[] {
  let parsed: unknown = notebook;
  try {
    if (typeof notebook === 'string') parsed = JSON.parse(notebook);
  } catch (cause) {
    throw new BadInput({
      problem: 'the notebook is not JSON',
      expected: 'the text of an .ipynb file',
      found: quote(notebook),
      cause,
    });
  }
  const cells = (parsed as { cells?: unknown } | null)?.cells;
  if (Array.isArray(cells)) return cells as Cell[];
  throw new BadInput({ problem: 'not a notebook', expected: 'nbformat 4 with a list of "cells"', found: quote(parsed) });
}

async function codeCell(source: string, outputs: readonly Output[]): Promise<string> {
  const shown: string[] = [];
  for (const output of outputs) shown.push(await outputHtml(output));
  const code = source.trim() === '' ? '' : `<div class="tb-in"><pre><code>${highlight(cut(source, STREAM))}</code></pre></div>`;
  return `<div class="tb-cell">${code}${shown.length > 0 ? `<div class="tb-out">${shown.join('\n')}</div>` : ''}</div>`;
}

async function outputHtml(output: Output): Promise<string> {
  if (output.output_type === 'stream') {
    const style = output.name === 'stderr' ? ' class="tb-stderr"' : '';
    return `<pre${style}>${terminalText(joined(output.text))}</pre>`;
  }
  if (output.output_type === 'error') {
    const trace = (output.traceback ?? []).join('\n') || `${output.ename ?? 'Error'}: ${output.evalue ?? ''}`;
    return `<pre class="tb-error">${terminalText(trace)}</pre>`;
  }
  return bundleHtml(output.data ?? {});
}

async function bundleHtml(data: Record<string, unknown>): Promise<string> {
  const chart = data[VEGALITE_MIME];
  if (chart !== null && typeof chart === 'object') {
    try {
      return `<div class="tb-chart">${await renderSvg({ $schema: '', ...chart } as VegaLiteSpec, { theme: 'page' })}</div>`;
    } catch {
      // A spec of another version or a broken one: its PNG or its text says the same.
    }
  }
  const alt = escapeHtml(cut(printable(joined(data['text/plain'])), 500));
  if (data['text/html'] !== undefined) return `<div>${sanitizeHtml(joined(data['text/html']))}</div>`;
  for (const mime of ['image/png', 'image/jpeg', 'image/gif']) {
    const base64 = joined(data[mime]).replace(/\s/g, '');
    if (/^[\w+/]+={0,2}$/.test(base64)) return `<img class="tb-picture" alt="${alt}" src="data:${mime};base64,${base64}">`;
  }
  // An SVG inside <img> runs no script and loads nothing.
  const svg = joined(data['image/svg+xml']);
  if (svg) return `<img class="tb-picture" alt="${alt}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
  if (data['text/markdown'] !== undefined) return markdown(joined(data['text/markdown']));
  return `<pre>${terminalText(joined(data['text/plain']))}</pre>`;
}

function joined(text: unknown): string {
  return Array.isArray(text) ? text.join('') : typeof text === 'string' ? text : '';
}

/** Text as a terminal would leave it: colour codes away, and of a line that was rewritten (\r) only what stands at the end. */
function terminalText(text: string): string {
  const plain = wellFormed(text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/\r\n/g, '\n')
    .replace(/[^\n]*\r(?=[^\n])/g, '')
    .replaceAll('\r', '');
  return escapeHtml(printable(cut(plain, STREAM)));
}

const CODE =
  /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|\b(abstract|as|async|await|break|case|catch|class|const|continue|default|delete|do|else|enum|export|extends|false|finally|for|from|function|if|implements|import|in|instanceof|interface|let|new|null|of|private|readonly|return|satisfies|static|super|switch|this|throw|true|try|type|typeof|undefined|using|var|void|while|yield)\b|\b(\d[\w.]*)/g;

/** TypeScript with comments, strings, keywords and numbers marked: enough to read by. */
function highlight(source: string): string {
  let at = 0;
  let out = '';
  for (const m of source.matchAll(CODE)) {
    const kind = m[1] ? 'c' : m[2] ? 's' : m[3] ? 'k' : 'n';
    out += `${escapeHtml(source.slice(at, m.index))}<span class="tb-${kind}">${escapeHtml(m[0])}</span>`;
    at = m.index + m[0].length;
  }
  return out + escapeHtml(source.slice(at));
}
