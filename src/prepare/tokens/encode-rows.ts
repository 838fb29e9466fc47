import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { Row } from '../data/index.js';
import { get } from '../templates/index.js';
import { type EncodeOptions, encode } from './encode.js';
import { checkEncodeOptions } from './encode-options.js';
import type { EncodedRow } from './encoded.js';

export interface EncodeRowsOptions extends EncodeOptions {
  /** Throw when more than this share of the rows is dropped. Defaults to 0.5; a set without one trainable row always throws. */
  maxDropped?: number;
  signal?: AbortSignal;
}

/** A row that was not encoded, and why. */
export interface DroppedRow {
  index: number;
  source?: string;
  line?: number;
  reason: string;
}

/** What became of a data set. */
export interface EncodeSummary {
  /** Rows given. */
  rows: number;
  /** Rows encoded. */
  kept: number;
  /** Tokens of the rows kept. */
  tokens: number;
  /** Of these, tokens that carry loss. */
  trainedTokens: number;
  trainedShare: number;
  /** Rows cut to maxLength. */
  truncated: number;
  dropped: DroppedRow[];
  /** Tokens masked because they hold trained and untrained text. */
  straddling: number;
  /** Tokens of the longest row kept. */
  longest: number;
  /** What a reader should know, e.g. that the template's control tokens are not in the vocabulary. */
  warnings: string[];
}

export interface EncodedRows {
  rows: EncodedRow[];
  summary: EncodeSummary;
}

/**
 * Encode a data set. Each row is verified; a row that the template cannot hold, is too long for `truncation: 'drop'` or has
 * no token left to train on is dropped, counted and listed with its reason.
 * @throws BadInput when more than `maxDropped` of the rows, or all of them, are dropped.
 */
export function encodeRows(rows: readonly Row[], options: EncodeRowsOptions): EncodedRows {
  checkEncodeOptions(options);
  const { signal } = options;
  const template = typeof options.template === 'string' ? get(options.template) : options.template;
  const own = { ...options, template };
  const encoded: EncodedRow[] = [];
  const dropped: DroppedRow[] = [];
  const bar = progress('encoding', { total: rows.length, unit: 'rows' });
  for (const [index, row] of rows.entries()) {
    if (signal?.aborted) throw new Interrupted({ problem: 'encoding was stopped' });
    if (index % 100 === 0) bar.update(index);
    const drop = (reason: string) => dropped.push({ index, source: row.source, line: row.line, reason });
    let made: EncodedRow;
    try {
      made = encode(row, own);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      drop(error.message);
      continue;
    }
    if (made.trained > 0) encoded.push(made.compact());
    else
      drop(made.truncated ? `no token to train on is left within maxLength ${options.maxLength}` : 'it has no token to train on');
  }
  bar.finish();
  return summarise(rows, encoded, dropped, own);
}

/** Encoded rows with what became of the set. @throws BadInput when more than `maxDropped` of the rows, or all, were dropped. */
export function summarise(
  rows: readonly Row[],
  encoded: EncodedRow[],
  dropped: DroppedRow[],
  { maxDropped = 0.5, template, tokenizer }: Pick<EncodeRowsOptions, 'maxDropped' | 'template' | 'tokenizer'>,
): EncodedRows {
  const { name, stop } = typeof template === 'string' ? get(template) : template;
  const summary: EncodeSummary = {
    rows: rows.length,
    kept: encoded.length,
    tokens: 0,
    trainedTokens: 0,
    trainedShare: 0,
    truncated: 0,
    dropped,
    straddling: 0,
    longest: 0,
    warnings: stop
      .filter(text => text !== 'eos' && tokenizer.splitAdded(text)[0]?.id === undefined)
      .map(
        text =>
          `${JSON.stringify(text)} of template ${name} is no token of this tokenizer: it is spelled out, and generation cannot stop on it`,
      ),
  };
  for (const row of encoded) {
    summary.tokens += row.length;
    summary.trainedTokens += row.trained;
    summary.straddling += row.straddling;
    summary.longest = Math.max(summary.longest, row.length);
    if (row.truncated) summary.truncated++;
  }
  summary.trainedShare = summary.tokens === 0 ? 0 : summary.trainedTokens / summary.tokens;
  if (dropped.length > 0 && (encoded.length === 0 || dropped.length > maxDropped * rows.length)) {
    const some = dropped.slice(0, 3).map(d => `row ${d.index}${d.line ? ` (line ${d.line})` : ''}: ${d.reason}`);
    throw new BadInput({
      problem: `${dropped.length} of ${rows.length} rows train nothing`,
      where: { file: dropped[0]!.source, line: dropped[0]!.line },
      expected:
        encoded.length === 0
          ? 'at least one row to train on'
          : `at most ${Math.round(maxDropped * 100)} % dropped rows (maxDropped)`,
      found: some.join(' · '),
      fix: 'choose a template that fits the rows, or a larger maxLength',
    });
  }
  return { rows: encoded, summary };
}
