import { BadInput, quote } from '../base/core/index.js';
import { VEGALITE_MIME, type VegaLiteSpec } from './figure.js';
import { chartHtml, chartScript } from './interactive.js';
import { markdown } from './markdown.js';
import { htmlDocument, type PageOptions } from './page.js';
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
/** Outputs shown of one cell at most. */
const OUTPUTS = 500;
/** Characters of one HTML or Markdown output, or Markdown cell, that are shown as such; larger ones as text. */
const MARKUP = 2_000_000;

/**
 * An executed notebook (nbformat 4, parsed or as JSON text) as one self-contained page that works offline: charts drawn
 * from their Vega-Lite specs as SVG, other pictures inline. Outputs are not trusted: HTML is reduced to harmless marks.
 */
export async function notebookPage(notebook: string | object, options: PageOptions = {}): Promise<string> {
  const cells = parse(notebook);
  const parts: string[] = [];
  for (const cell of cells) {
    const source = joined(cell.source);
    if (cell.cell_type === 'markdown') parts.push(`<div class="tb-cell">${marked(source)}</div>`);
    else if (cell.cell_type === 'code') parts.push(await codeCell(source, outputsOf(cell), options.interactive ?? false));
    else parts.push(`<pre class="tb-cell">${escapeHtml(source)}</pre>`);
  }
  const heading = cells
    .map(c => (c.cell_type === 'markdown' ? /^#\s+(.+)$/m.exec(joined(c.source))?.[1] : undefined))
    .find(Boolean);
  const script = options.interactive ? await chartScript() : undefined;
  return htmlDocument(options.title ?? heading ?? 'Notebook', parts.join('\n'), script);
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
  if (Array.isArray(cells)) return cells.filter((cell): cell is Cell => cell !== null && typeof cell === 'object');
  throw new BadInput({ problem: 'not a notebook', expected: 'nbformat 4 with a list of "cells"', found: quote(parsed) });
}

/** Outputs of a cell as far as they are shown: what came after is counted. */
function outputsOf({ outputs }: Cell): Output[] {
  if (!Array.isArray(outputs)) return [];
  const more = outputs.length - OUTPUTS;
  const note = { output_type: 'stream', text: `… ${more.toLocaleString('en-US')} more outputs` };
  return more > 0 ? [...outputs.slice(0, OUTPUTS), note] : outputs;
}

async function codeCell(source: string, outputs: readonly Output[], interactive: boolean): Promise<string> {
  const shown: string[] = [];
  for (const output of outputs) shown.push(await outputHtml(output, interactive));
  const code = source.trim() === '' ? '' : `<div class="tb-in"><pre><code>${highlight(cut(source, STREAM))}</code></pre></div>`;
  return `<div class="tb-cell">${code}${shown.length > 0 ? `<div class="tb-out">${shown.join('\n')}</div>` : ''}</div>`;
}

async function outputHtml(output: Output | null, interactive: boolean): Promise<string> {
  if (output === null || typeof output !== 'object') return '';
  if (output.output_type === 'stream') {
    const style = output.name === 'stderr' ? ' class="tb-stderr"' : '';
    return `<pre${style}>${terminalText(joined(output.text))}</pre>`;
  }
  if (output.output_type === 'error') {
    const trace = joined(output.traceback, '\n') || `${output.ename ?? 'Error'}: ${output.evalue ?? ''}`;
    return `<pre class="tb-error">${terminalText(trace)}</pre>`;
  }
  return bundleHtml(output.data ?? {}, interactive);
}

async function bundleHtml(data: Record<string, unknown>, interactive: boolean): Promise<string> {
  const chart = data[VEGALITE_MIME];
  if (chart !== null && typeof chart === 'object') {
    try {
      checkWork(chart);
      return await chartHtml({ $schema: '', ...chart } as VegaLiteSpec, interactive);
    } catch {
      // A spec of another version or a broken one: its PNG or its text says the same.
    }
  }
  const alt = escapeHtml(cut(printable(joined(data['text/plain'])), 500));
  const html = joined(data['text/html']);
  if (html !== '' && html.length <= MARKUP) return `<div>${sanitizeHtml(upright(html))}</div>`;
  for (const mime of ['image/png', 'image/jpeg', 'image/gif']) {
    const base64 = joined(data[mime]).replace(/\s/g, '');
    if (/^[\w+/]+={0,2}$/.test(base64)) return `<img class="tb-picture" alt="${alt}" src="data:${mime};base64,${base64}">`;
  }
  // An SVG inside <img> runs no script and loads nothing.
  const svg = joined(data['image/svg+xml']);
  if (svg) return `<img class="tb-picture" alt="${alt}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
  if (data['text/markdown'] !== undefined) return marked(joined(data['text/markdown']));
  return `<pre>${terminalText(joined(data['text/plain']))}</pre>`;
}

/** Numbers of a specification that say how much is to be made, and the most that is made of them. */
const AMOUNTS = new Set(['tickCount', 'maxbins', 'steps', 'step', 'count', 'columns', 'bins']);
const MOST = 10_000;

/** A specification can be small and ask for a thousand million marks. Throws where one does. */
function checkWork(spec: unknown, key = '', depth = 0): void {
  if (depth > 100) throw new RangeError('too deep');
  if (typeof spec === 'number' && AMOUNTS.has(key) && spec > MOST) throw new RangeError(`${key} is too large`);
  if (spec === null || typeof spec !== 'object') return;
  const { start = 0, stop, step = 1 } = spec as { start?: number; stop?: number; step?: number };
  if (stop !== undefined && !(Math.abs((stop - start) / step) <= MOST)) throw new RangeError('a sequence is too long');
  if (key === 'values') return;
  for (const [name, value] of Object.entries(spec)) checkWork(value, Array.isArray(spec) ? key : name, depth + 1);
}

/** Characters that turn the text around them are named: what is read is what is there. */
function upright(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, printable);
}

function marked(source: string): string {
  return source.length <= MARKUP ? markdown(upright(source)) : `<pre>${escapeHtml(cut(source, STREAM))}</pre>`;
}

function joined(text: unknown, between = ''): string {
  return Array.isArray(text) ? text.filter(part => typeof part === 'string').join(between) : typeof text === 'string' ? text : '';
}

/** Text as a terminal would leave it: colour codes away, and of a line that was rewritten (\r) only what stands at the end. */
function terminalText(text: string): string {
  // Escape sequences go before the cut; of very long texts only so much is looked at.
  const plain = wellFormed(text.slice(0, 20 * STREAM))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/\r\n/g, '\n')
    .split('\n')
    .map(rewritten)
    .join('\n');
  return escapeHtml(printable(cut(plain, STREAM)));
}

/** What a terminal shows of a line that was written again and again. */
function rewritten(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\r') end--;
  return line.slice(end === 0 ? 0 : line.lastIndexOf('\r', end - 1) + 1, end);
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
