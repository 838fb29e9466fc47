import { BadInput, quote } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import {
  bucketWindow,
  type EncodeSummary,
  RowEncoder,
  type StreamPosition,
  seq2SeqEncoder,
  streamed,
} from '../../prepare/tokens/index.js';
import { countLabels } from './labels.js';
import type { SftPlan } from './options.js';
import { DataOrder, type OrderState } from './order.js';
import { checkedRow, isConversation, isIterable, packed, weighPrompt, whyNotEncodable } from './rows.js';
import { MixtureSource, type MixtureState } from './task-source.js';
import { isSeq2Seq, type TrainRow } from './types.js';

type Rows = AsyncIterable<Row | TrainRow> | Iterable<Row | TrainRow>;

/** Gives the rows one by one, from the first at every call: a pass over the data. */
export type RowStream = () => Rows | Promise<Rows>;

/** Where a run stands in streamed rows, or in a mixture of tasks. */
export type StreamState = PassState | MixtureState;

/** Where a run stands in streamed rows. */
export interface PassState extends StreamPosition {
  epoch: number;
}

/** Where the rows of a run come from. */
export interface RowSource {
  /** The next rows: `count` of them, or fewer at the end of a pass, which a step does not go beyond. */
  take(count: number): Promise<TrainRow[]>;
  /** Passes so far; of a stream whole ones. */
  readonly progress: number;
  /** All that is needed to go on with the same rows; plain JSON. */
  readonly state: OrderState | StreamState;
  readonly encoding?: EncodeSummary;
  close?(): void;
}

/** The source a plan asks for, going on from `state`. */
export function rowSource(plan: SftPlan, state: OrderState | StreamState | undefined): RowSource {
  if (plan.stream) return new StreamSource(plan, plan.stream, state as PassState);
  return plan.mixture ? new MixtureSource(plan, plan.mixture, state as MixtureState) : new ListSource(plan, state as OrderState);
}

/** The order of rows held in memory. */
export function dataOrder(plan: SftPlan, rows: readonly TrainRow[], seed: number | string, state?: OrderState): DataOrder {
  const { shuffle, batchSize } = plan;
  const window = bucketWindow(plan.bucket, batchSize);
  const buckets = window ? { lengths: rows.map(({ ids }) => ids.length), batchSize, window } : undefined;
  return new DataOrder(rows.length, { shuffle, seed, state, buckets });
}

class ListSource implements RowSource {
  readonly #rows: readonly TrainRow[];
  readonly #order: DataOrder;

  constructor(plan: SftPlan, state: OrderState | undefined) {
    this.#rows = plan.rows;
    this.#order = dataOrder(plan, plan.rows, plan.seed, state);
  }

  async take(count: number): Promise<TrainRow[]> {
    return this.#order.take(count).map(i => this.#rows[i]!);
  }

  get progress(): number {
    return this.#order.progress;
  }

  get state(): OrderState {
    return this.#order.state;
  }
}

type Pass = AsyncGenerator<{ item: TrainRow; next: StreamPosition }>;

/** Rows as they come: a window of them is read, made ready, shuffled and given out, then the next. */
class StreamSource implements RowSource {
  readonly encoding: EncodeSummary | undefined;
  readonly #plan: SftPlan;
  readonly #open: RowStream;
  readonly #encoder: { encode(row: Row): TrainRow | undefined; summary: EncodeSummary } | undefined;
  readonly #seq2seq: boolean;
  #state: PassState;
  #pass: Pass | undefined;
  /** Whether the pass has brought a row with a label; undefined where it was entered half-way. */
  #labelled: boolean | undefined;

  constructor(plan: SftPlan, open: RowStream, state: PassState = { epoch: 0, row: 0, item: 0 }) {
    this.#plan = plan;
    this.#open = open;
    this.#state = state;
    const { tokenizer, template, maxLength } = plan.options;
    this.#seq2seq = isSeq2Seq(plan.model);
    const how = tokenizer && template && { tokenizer, template, maxLength };
    if (how) this.#encoder = this.#seq2seq ? seq2SeqEncoder(how) : new RowEncoder(how);
    this.encoding = this.#encoder?.summary;
  }

  async take(count: number): Promise<TrainRow[]> {
    const rows: TrainRow[] = [];
    try {
      while (rows.length < count) {
        this.#pass ??= await this.#begin();
        const { done, value } = await this.#pass.next();
        if (done) {
          this.#end();
          if (rows.length > 0) break;
          continue;
        }
        if (this.#labelled === false) this.#labelled = countLabels(value.item, this.#seq2seq) > 0;
        this.#state = { epoch: this.#state.epoch, ...value.next };
        rows.push(value.item);
      }
    } catch (error) {
      // The next call goes on from the last row given.
      this.#pass = undefined;
      throw error;
    }
    return rows;
  }

  get progress(): number {
    return this.#state.epoch;
  }

  get state(): PassState {
    return this.#state;
  }

  close(): void {
    this.#pass?.return(undefined).catch(() => undefined);
    this.#pass = undefined;
  }

  async #begin(): Promise<Pass> {
    const opened: unknown = await this.#open();
    if (!isIterable(opened))
      throw new BadInput({
        problem: 'The function for rows gave nothing that rows can be taken from',
        where: { key: 'rows' },
        expected: 'an array, or something that for await goes through',
        found: quote(opened),
        fix: 'write rows: () => data.streamRows(file)',
      });
    const { batchSize, shuffle, shuffleBuffer, bucket, seed } = this.#plan;
    const { epoch, row, item } = this.#state;
    this.#labelled = row === 0 && item === 0 ? false : undefined;
    return streamed(opened as Rows, {
      batchSize,
      shuffle,
      shuffleBuffer,
      bucket,
      seed: `${seed}/${epoch}`,
      from: { row, item },
      prepare: (rows, at) => this.#prepare(rows, at),
    });
  }

  #end(): void {
    if (this.#labelled === false)
      throw new BadInput({
        problem: 'The stream gave no row with a token that carries loss',
        where: { key: 'rows' },
        expected: 'a function that gives rows from the first on at every call',
        found: this.#state.epoch === 0 ? 'none' : `none in pass ${this.#state.epoch + 1}`,
        fix: 'open the source inside the function: rows: () => data.streamRows(file)',
      });
    this.#pass = undefined;
    this.#state = { epoch: this.#state.epoch + 1, row: 0, item: 0 };
  }

  #prepare(rows: (Row | TrainRow)[], at: number): TrainRow[] {
    const { packing, seed, options } = this.#plan;
    const ready: TrainRow[] = [];
    rows.forEach((row, i) => {
      if (!isConversation(row)) {
        ready.push(weighPrompt(checkedRow('rows', row, at + i, options), options.promptLossWeight));
        return;
      }
      if (!this.#encoder) throw new BadInput(whyNotEncodable('rows', 0, options));
      const made = this.#encoder.encode(row);
      if (!made) return;
      const { ids, labels, weights } = made;
      ready.push(weighPrompt({ ids, labels, weights, line: row.line, task: row.task }, options.promptLossWeight));
    });
    return packing ? packed(ready, packing, `${seed}/${at}`).rows : ready;
  }
}
