import { BadInput, quote } from '../base/core/index.js';

/** A cell as nbformat 4 has it; a file may hold anything in any of these places. */
export interface Cell {
  cell_type?: string;
  source?: string | string[];
  outputs?: Output[];
  /** Pictures that the cell's Markdown names, by name and MIME type. */
  attachments?: Record<string, Record<string, unknown>>;
}

export interface Output {
  output_type?: string;
  name?: string;
  text?: string | string[];
  data?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  ename?: string;
  evalue?: string;
  traceback?: string[];
}

export interface Notebook {
  cells: Cell[];
  /** The language of its code, in lower case; empty where the file does not say. */
  language: string;
  title: string | undefined;
}

/** A notebook of nbformat 4, or of 3 brought into its form, from a file's text or as it was parsed. */
export function readNotebook(notebook: string | object): Notebook {
  let parsed: unknown = notebook;
  try {
    if (typeof notebook === 'string') parsed = JSON.parse(notebook.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new BadInput({
      problem: 'the notebook is not JSON',
      expected: 'the text of an .ipynb file',
      found: quote(notebook),
      cause,
    });
  }
  const { cells, worksheets, metadata } = record(parsed);
  const { kernelspec, language_info, title } = record(metadata);
  const language = record(language_info).name ?? record(kernelspec).language;
  const facts = {
    language: typeof language === 'string' ? language.toLowerCase() : '',
    title: typeof title === 'string' && title !== '' ? title : undefined,
  };
  if (Array.isArray(cells)) return { cells: cells.filter(isRecord), ...facts };
  if (Array.isArray(worksheets)) {
    const old = worksheets.flatMap(sheet => record(sheet).cells).filter(isRecord);
    return {
      cells: old.map(renewed),
      ...facts,
      language: facts.language || String(old.find(cell => cell.language)?.language ?? '').toLowerCase(),
    };
  }
  throw new BadInput({ problem: 'not a notebook', expected: 'nbformat 4 or 3 with a list of "cells"', found: quote(parsed) });
}

/** MIME types by the names that nbformat 3 gives to the parts of an output. */
const OLD_NAMES: Record<string, string> = {
  text: 'text/plain',
  html: 'text/html',
  latex: 'text/latex',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpeg: 'image/jpeg',
};

/** A cell of nbformat 3 as 4 has it. */
function renewed(cell: Record<string, unknown>): Cell {
  const source = (cell.input ?? cell.source) as string | string[] | undefined;
  if (cell.cell_type === 'heading') {
    const level = Math.min(6, Math.max(1, Math.round(Number(cell.level)) || 1));
    return { cell_type: 'markdown', source: `${'#'.repeat(level)} ${[source ?? ''].flat().join('').trim()}` };
  }
  const outputs = Array.isArray(cell.outputs) ? cell.outputs.filter(isRecord).map(renewedOutput) : [];
  return { cell_type: String(cell.cell_type), ...(source === undefined ? {} : { source }), outputs };
}

function renewedOutput(output: Record<string, unknown>): Output {
  const type = output.output_type;
  if (type === 'stream') return { ...output, output_type: 'stream', name: String(output.stream ?? '') };
  if (type === 'pyerr') return { ...output, output_type: 'error' };
  const data = Object.fromEntries(
    Object.entries(OLD_NAMES).flatMap(([name, mime]) => (name in output ? [[mime, output[name]]] : [])),
  );
  return { output_type: 'display_data', data };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object';
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}
