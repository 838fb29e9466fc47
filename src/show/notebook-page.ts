import type { VegaLiteSpec } from './figure.js';
import { highlight } from './highlight.js';
import { chartHtml, chartScript } from './interactive.js';
import { type MarkdownOptions, markdown, plainText } from './markdown.js';
import { type Cell, type Output, readNotebook } from './notebook-cells.js';
import { htmlDocument, type PageOptions } from './page.js';
import { sanitizeHtml } from './sanitize.js';
import { cut, escapeHtml, printable, wellFormed } from './text.js';

/** Characters shown of one stream or code cell at most. */
const STREAM = 50_000;
/** Outputs shown of one cell at most. */
const OUTPUTS = 500;
/** Characters of one HTML or Markdown output, or Markdown cell, that are shown as such; larger ones as text. */
const MARKUP = 2_000_000;

/**
 * An executed notebook (nbformat 4 or 3, parsed or as JSON text, of any kernel) as one self-contained page that works offline: charts
 * drawn from their Vega-Lite specs as SVG, other pictures inline. Outputs are not trusted: HTML is reduced to harmless marks.
 * @param options the title defaults to the notebook's own, else its first heading, else `name`
 */
export async function notebookPage(notebook: string | object, options: PageOptions & { name?: string } = {}): Promise<string> {
  const { cells, language, title } = readNotebook(notebook);
  const parts: string[] = [];
  for (const cell of cells) {
    const source = joined(cell.source);
    if (cell.cell_type === 'markdown') parts.push(`<div class="tb-cell">${marked(source, picturesOf(cell))}</div>`);
    else if (cell.cell_type === 'code')
      parts.push(await codeCell(highlight(cut(source, STREAM), language), outputsOf(cell), options.interactive ?? false));
    else parts.push(`<pre class="tb-cell">${escapeHtml(source)}</pre>`);
  }
  const heading = cells
    .map(c => (c.cell_type === 'markdown' ? /^#\s+(.+)$/m.exec(joined(c.source))?.[1] : undefined))
    .find(Boolean);
  // Half a megabyte that a page without charts does not carry.
  const script = parts.some(part => part.includes('data-chart="vega"')) ? await chartScript() : undefined;
  return htmlDocument(
    options.title ?? title ?? (heading && plainText(heading)) ?? options.name ?? 'Notebook',
    parts.join('\n'),
    script,
  );
}

/** Pictures that come with a cell, as its Markdown names them. */
function picturesOf({ attachments }: Cell): MarkdownOptions {
  if (attachments === null || typeof attachments !== 'object') return {};
  return {
    picture(target, alt) {
      const name = target.replace(/^attachment:/, '');
      const bundle = name !== target && Object.hasOwn(attachments, name) ? attachments[name] : undefined;
      return bundle !== null && typeof bundle === 'object' ? pictureHtml(bundle, alt) : undefined;
    },
  };
}

/** Outputs of a cell as far as they are shown: what came after is counted. */
function outputsOf({ outputs }: Cell): Output[] {
  if (!Array.isArray(outputs)) return [];
  const more = outputs.length - OUTPUTS;
  const note = { output_type: 'stream', text: `… ${more.toLocaleString('en-US')} more outputs` };
  return more > 0 ? [...outputs.slice(0, OUTPUTS), note] : outputs;
}

/** @param source HTML of the code */
async function codeCell(source: string, outputs: readonly Output[], interactive: boolean): Promise<string> {
  const shown: string[] = [];
  for (const output of outputs) shown.push(await outputHtml(output, interactive));
  const code = source.trim() === '' ? '' : `<div class="tb-in"><pre><code>${source}</code></pre></div>`;
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
  return bundleHtml(output, interactive);
}

/** Vega-Lite as kernels send it: ours and Altair's, of today and of some years ago. */
const VEGALITE = /^application\/vnd\.vegalite\.v[456][+.]json$/;

async function bundleHtml({ data = {}, metadata }: Output, interactive: boolean): Promise<string> {
  if (data === null || typeof data !== 'object') return '';
  const chart = data[Object.keys(data).find(mime => VEGALITE.test(mime)) ?? ''];
  if (chart !== null && typeof chart === 'object') {
    try {
      checkSpec(chart);
      return await chartHtml({ $schema: '', ...chart } as VegaLiteSpec, interactive);
    } catch {
      // A spec that is broken or needs more than it holds: its PNG or its text says the same.
    }
  }
  const html = joined(data['text/html']);
  const kept = html !== '' && html.length <= MARKUP ? sanitizeHtml(upright(html)) : '';
  // Of a chart drawn by a script nothing is left: then there is a picture, or a text.
  if (/\S/.test(kept.replace(/<[^>]*>|&nbsp;/g, ''))) return `<div>${kept}</div>`;
  const text = joined(data['text/plain']);
  const picture = pictureHtml(data, cut(printable(text), 500), metadata);
  if (picture !== undefined) return picture;
  if (data['text/markdown'] !== undefined) return marked(joined(data['text/markdown']));
  const latex = joined(data['text/latex']);
  if (latex !== '') return `<pre class="tb-math">${escapeHtml(printable(cut(latex, STREAM)))}</pre>`;
  return text === '' ? kept : `<pre>${terminalText(text)}</pre>`;
}

/** The picture of a bundle; undefined where it has none. */
function pictureHtml(data: Record<string, unknown>, alt: string, metadata?: unknown): string | undefined {
  for (const mime of ['image/png', 'image/jpeg', 'image/gif', 'image/webp']) {
    const base64 = joined(data[mime]).replace(/\s/g, '');
    if (!/^[\w+/]+={0,2}$/.test(base64)) continue;
    // A picture for fine screens has more pixels than it is to be wide.
    const { width } = ((metadata as Record<string, unknown> | null | undefined)?.[mime] ?? {}) as { width?: unknown };
    const size = Number.isInteger(width) && Number(width) > 0 ? ` width="${width}"` : '';
    return `<img class="tb-picture" alt="${escapeHtml(alt)}"${size} src="data:${mime};base64,${base64}">`;
  }
  // An SVG inside <img> runs no script and loads nothing.
  const svg = joined(data['image/svg+xml']);
  if (!svg) return undefined;
  return `<img class="tb-picture" alt="${escapeHtml(alt)}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
}

/** Numbers of a specification that say how much is to be made, and the most that is made of them. */
const AMOUNTS = new Set(['tickCount', 'maxbins', 'steps', 'step', 'count', 'columns', 'bins']);
const MOST = 10_000;

/** A specification can be small and ask for a thousand million marks, or for data that are elsewhere. Throws where one does. */
function checkSpec(spec: unknown, key = '', depth = 0): void {
  if (depth > 100) throw new RangeError('too deep');
  if (typeof spec === 'number' && AMOUNTS.has(key) && spec > MOST) throw new RangeError(`${key} is too large`);
  if (typeof spec === 'string' && key === 'url') throw new RangeError('its data are not in the notebook');
  if (spec === null || typeof spec !== 'object') return;
  const { start = 0, stop, step = 1 } = spec as { start?: number; stop?: number; step?: number };
  if (stop !== undefined && !(Math.abs((stop - start) / step) <= MOST)) throw new RangeError('a sequence is too long');
  if (key === 'values' || key === 'datasets') return;
  for (const [name, value] of Object.entries(spec)) checkSpec(value, Array.isArray(spec) ? key : name, depth + 1);
}

/** Characters that turn the text around them are named: what is read is what is there. */
function upright(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, printable);
}

function marked(source: string, options: MarkdownOptions = {}): string {
  return source.length <= MARKUP ? markdown(upright(source), options) : `<pre>${escapeHtml(cut(source, STREAM))}</pre>`;
}

function joined(text: unknown, between = ''): string {
  return Array.isArray(text) ? text.filter(part => typeof part === 'string').join(between) : typeof text === 'string' ? text : '';
}

/** Text as a terminal would leave it: colour codes away, and of a line that was rewritten (\r) only what stands at the end. */
function terminalText(text: string): string {
  // Escape sequences go before the cut; of very long texts only so much is looked at.
  const plain = wellFormed(text.slice(0, 20 * STREAM))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control
    .replace(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g, '')
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
