import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { hasForeignView, type MimeBundle, type Renderer, renderer } from '../base/core/index.js';
import { ownFile } from './own-package.js';

const DISPLAY = Symbol.for('Jupyter.display');

/** A value as `execute_result` shows it: its own bundle, its view's, or Node's inspection without colours. */
export async function render(value: unknown): Promise<MimeBundle> {
  const bundle = await ownBundle(value);
  // What is no bundle, whoever made it, says nothing about the value.
  if (typeof bundle !== 'object' || bundle === null || Array.isArray(bundle)) return { 'text/plain': plain(value) };
  return 'text/plain' in bundle ? bundle : { ...bundle, 'text/plain': plain(value) };
}

async function ownBundle(value: unknown): Promise<MimeBundle | undefined> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined;
  const display = (value as Record<symbol, unknown>)[DISPLAY];
  if (typeof display === 'function') return (await display.call(value)) as MimeBundle;
  // `show` knows more kinds than views (tables, tensors) and answers undefined for what it does not know.
  return (renderer() ?? (hasForeignView(value) ? await loadShow() : undefined))?.(value);
}

/** A table of arquero's is shown as one in a notebook that never imported tunebook, too. Loaded only when there is something to show. */
async function loadShow(): Promise<Renderer | undefined> {
  const file = ownFile('tunebook/show');
  if (file) await import(pathToFileURL(file).href);
  return renderer();
}

function plain(value: unknown): string {
  return inspect(value, { colors: false, depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100 });
}
