import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../base/core/index.js';
import type { EncodeSummary, PackReport } from '../../prepare/tokens/index.js';
import { type Checkpointed, saveCheckpoint } from './checkpoint.js';
import type { StepReport } from './history.js';
import { callHook } from './hooks.js';
import { plan, type SftOptions, type SftPlan } from './options.js';
import type { DataOrder } from './order.js';
import { type Driver, Run, type RunStatus } from './run.js';
import { dataOrder, type RowSource, rowSource } from './source.js';
import { countLabels, takeStep } from './step.js';
import { disposeState, type OptimizerState, type TrainableModel, type TrainRow } from './types.js';

/**
 * Supervised fine-tuning: next-token loss on the labelled tokens. Nothing is computed before the run is pulled:
 *
 *     const run = train.sft({ model, rows, tokenizer, template, epochs: 2, learningRate: 1e-3 });
 *     for await (const { step, loss } of run) …        // or: await run.finish()
 *
 * @throws BadInput on an option that is unknown or not usable.
 */
export function sft(options: SftOptions): Run {
  return new Run(new SftDriver(plan(options), options.signal), { signal: options.signal });
}

/** The loop of supervised fine-tuning, one optimizer step a call. */
export class SftDriver implements Driver {
  readonly name: string;
  readonly model: TrainableModel;
  readonly total: number;
  readonly encoding: EncodeSummary | undefined;
  readonly packing: PackReport | undefined;
  readonly #plan: SftPlan;
  readonly #signal: AbortSignal | undefined;
  readonly #parameters: readonly Parameter<tf.Tensor>[];
  readonly #source: RowSource;
  readonly #replay: DataOrder | undefined;
  #state: OptimizerState | undefined;
  #step = 0;
  #saved = 0;

  constructor(plan: SftPlan, signal: AbortSignal | undefined, resumed?: Checkpointed) {
    this.#plan = plan;
    this.#signal = signal;
    this.name = plan.name;
    this.model = plan.model;
    this.packing = plan.packed;
    this.#parameters = plan.model.parameters.filter(parameter => parameter.trainable);
    this.#source = rowSource(plan, resumed?.order);
    this.encoding = plan.encoding ?? this.#source.encoding;
    if (plan.replay) this.#replay = dataOrder(plan, plan.replay.rows, `replay/${plan.seed}`, resumed?.replay);
    this.total = plan.steps ?? this.#stepsOf(plan.epochs);
    this.#step = this.#saved = resumed?.step ?? 0;
    this.#state = resumed?.optimizer(plan.optimizer, this.#parameters);
  }

  async start(run: Run): Promise<void> {
    await callHook('onStart', this.#step, () => this.#plan.hooks.onStart?.({ run, signal: this.#signal }));
  }

  async step(): Promise<StepReport | undefined> {
    const { model, optimizer, learningRate, schedule, clip, batchSize, hooks } = this.#plan;
    const started = performance.now();
    let skipped = 0;
    let batches: TrainRow[][] = [];
    while (batches.length === 0) {
      if (this.#exhausted()) return undefined;
      const drawn = split(await this.#draw(), batchSize);
      batches = drawn.filter(rows => rows.some(row => countLabels(row) > 0));
      skipped += drawn.length - batches.length;
    }
    const rate = learningRate * schedule(this.#step, this.total);
    this.#state ??= optimizer.init(this.#parameters);
    const { loss, gradNorm } = await takeStep({
      model,
      parameters: this.#parameters,
      batches,
      optimizer,
      state: this.#state,
      learningRate: rate,
      clip,
      extra: hooks.loss && (pass => hooks.loss!(pass)),
      step: this.#step + 1,
    });
    this.#step++;
    const rows = batches.flat();
    const tokens = rows.reduce((sum, row) => sum + row.ids.length, 0);
    const rectangles = batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map(row => row.ids.length)), 0);
    const labelTokens = rows.reduce((sum, row) => sum + countLabels(row), 0);
    const seconds = (performance.now() - started) / 1000;
    return {
      step: this.#step,
      loss,
      gradNorm,
      learningRate: rate,
      tokens,
      padding: 1 - tokens / rectangles,
      labelTokens,
      tokensPerSecond: tokens / seconds,
      labelTokensPerSecond: labelTokens / seconds,
      seconds,
      epoch: this.#source.progress,
      skipped,
    };
  }

  async reported(report: StepReport, run: Run): Promise<void> {
    const { hooks, evaluateEvery, checkpoint } = this.#plan;
    const context = { run, signal: this.#signal };
    await callHook('onStep', report.step, () => hooks.onStep?.(report, context));
    const last = report.step === this.total;
    if (hooks.onEval && (last || (evaluateEvery && report.step % evaluateEvery === 0))) {
      const found = await callHook('onEval', report.step, () => hooks.onEval!(report, context));
      run.evaluations.push({ step: report.step, ...found });
    }
    if (checkpoint && report.step % (checkpoint.every ?? this.total) === 0) await this.#save(run);
  }

  async ended(status: RunStatus, run: Run): Promise<void> {
    if (this.#plan.checkpoint && this.#step > this.#saved) await this.#save(run);
    await callHook('onStop', this.#step, () => this.#plan.hooks.onStop?.(status, { run, signal: this.#signal }));
  }

  dispose(): void {
    if (this.#state) disposeState(this.#state);
    this.#state = undefined;
    this.#source.close?.();
  }

  async #save(run: Run): Promise<void> {
    const { checkpoint, hooks } = this.#plan;
    const dir = await saveCheckpoint(checkpoint!, {
      plan: this.#plan,
      step: this.#step,
      order: this.#source.state,
      replay: this.#replay?.state,
      history: run.history,
      state: this.#state!,
    });
    this.#saved = this.#step;
    await callHook('onCheckpoint', this.#step, () => hooks.onCheckpoint?.(dir, { run, signal: this.#signal }));
  }

  /** The rows of one optimizer step, replay rows last. */
  async #draw(): Promise<TrainRow[]> {
    const { replay, batchSize, accumulate } = this.#plan;
    const other = this.#replayRows(this.#step);
    const main = await this.#source.take(batchSize * accumulate - other);
    return [...main, ...(this.#replay?.cycle(other) ?? []).map(i => replay!.rows[i]!)];
  }

  /** Replay rows of a step: over many steps they are `share` of all rows, whatever the batch size. */
  #replayRows(step: number): number {
    const { replay, batchSize, accumulate } = this.#plan;
    const perStep = (replay?.share ?? 0) * batchSize * accumulate;
    return Math.floor((step + 1) * perStep) - Math.floor(step * perStep);
  }

  #exhausted(): boolean {
    return this.#plan.steps === undefined && this.#source.progress >= this.#plan.epochs;
  }

  /** Optimizer steps that so many passes over the rows take. */
  #stepsOf(epochs: number): number {
    const { rows, batchSize, accumulate } = this.#plan;
    let steps = 0;
    for (let left = rows.length, done = 0; done + (rows.length - left) < epochs * rows.length; steps++) {
      if (left === 0) [left, done] = [rows.length, done + rows.length];
      left -= Math.min(left, batchSize * accumulate - this.#replayRows(steps));
    }
    return steps;
  }
}

function split(rows: TrainRow[], size: number): TrainRow[][] {
  const batches: TrainRow[][] = [];
  for (let start = 0; start < rows.length; start += size) batches.push(rows.slice(start, start + size));
  return batches;
}
