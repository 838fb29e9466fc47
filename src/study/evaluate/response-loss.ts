import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { encodeRows, encodeSeq2SeqRows, type Tokenizer } from '../../prepare/tokens/index.js';
import type { MeasurableModel } from './model.js';

/** A mean loss and over how many tokens it is the mean. */
export interface MeanLoss {
  /** Nats per token. */
  loss: number;
  tokens: number;
}

/** Mean loss over all labelled tokens of encoded rows: Σ losses ÷ Σ tokens, whatever the batches (contract 2). */
export async function meanLoss(options: {
  model: MeasurableModel;
  rows: readonly { ids: readonly number[]; labels: readonly number[] }[];
  /** Defaults to 16. */
  batchSize?: number;
  signal?: AbortSignal;
  label?: string;
}): Promise<MeanLoss> {
  const { model, rows, batchSize = 16, signal, label = 'measuring the loss' } = options;
  const bar = progress(label, { total: rows.length, unit: 'rows' });
  let numerator = 0;
  let denominator = 0;
  for (let start = 0; start < rows.length; start += batchSize) {
    if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${start} of ${rows.length} rows` });
    const batch = rows.slice(start, start + batchSize);
    const sum = await model.lossSum({ ids: batch.map(row => [...row.ids]), labels: batch.map(row => [...row.labels]) });
    numerator += sum.numerator;
    denominator += sum.denominator;
    bar.update(start + batch.length);
    // Interrupts and displays need their turn.
    await new Promise<void>(resolve => setImmediate(resolve));
  }
  bar.finish();
  if (!(denominator > 0))
    throw new BadInput({
      problem: 'there is no token of which the loss could be measured',
      where: { key: 'rows' },
      expected: 'encoded rows with labels',
      found: rows.length === 0 ? 'no rows' : `${rows.length} rows without one`,
    });
  return { loss: numerator / denominator, tokens: denominator };
}

/** Mean loss of the model on the *responses* of held-out rows (teacher-forced), nats per response token. */
export async function responseLoss(options: {
  model: MeasurableModel;
  tokenizer: Tokenizer;
  template: Template;
  rows: readonly Row[];
  batchSize?: number;
  maxLength?: number;
  signal?: AbortSignal;
}): Promise<MeanLoss> {
  const { model, tokenizer, template, rows, batchSize, maxLength, signal } = options;
  const encode = model.startIds ? encodeSeq2SeqRows : encodeRows;
  const encoded = encode(rows, { tokenizer, template, train: 'response', maxLength });
  return meanLoss({ model, rows: encoded.rows, batchSize, signal, label: 'loss on held-out responses' });
}
