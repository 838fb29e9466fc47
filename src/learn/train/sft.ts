import type * as tf from '@tensorflow/tfjs-core';
import { current, matmulSpeed } from '../../base/backend/index.js';
import { BadInput, type Parameter, TunebookError } from '../../base/core/index.js';
import type { EncodeSummary, PackReport } from '../../prepare/tokens/index.js';
import { firstSpoilt, GoodState, NonFinite } from './accidents.js';
import type { BestState } from './best.js';
import { type Checkpointed, hold, type Snapshot, saveCheckpoint, saveFailed, warn } from './checkpoints/index.js';
import { Evaluations } from './evaluations.js';
import { stepFlops } from './flops.js';
import { FrozenTokens } from './frozen-tokens.js';
import type { StepReport } from './history.js';
import { callHook, callNow, type SavedHookState } from './hooks.js';
import { countLabels } from './labels.js';
import { matching } from './match.js';
import { isOutOfMemory, memoryNeed, outOfMemory } from './memory-need.js';
import { OptimizerMemory } from './optimizer-memory.js';
import { swapEma } from './optimizers/ema.js';
import { plan, type SftOptions, type SftPlan } from './options.js';
import type { DataOrder } from './order.js';
import { followed } from './record/followed.js';
import { withRecorded } from './record/from.js';
import type { Driver, Run, RunStatus } from './run.js';
import { factorOf } from './schedules.js';
import { dataOrder, type RowSource, rowSource } from './source.js';
import { spike } from './spikes.js';
import { type StepOutcome, takeStep } from './step.js';
import { isSeq2Seq, type TrainableModel, type TrainRow } from './types.js';

/**
 * Supervised fine-tuning: next-token loss on the labelled tokens. Nothing is computed before the run is pulled:
 *
 *     const run = train.sft({ model, rows, tokenizer, template, epochs: 2, learningRate: 1e-3 });
 *     for await (const { step, loss } of run) …        // or: await run.finish()
 *
 * @throws BadInput on an option that is unknown or not usable.
 */
export function sft(options: SftOptions): Run {
  const made = plan(options.from === undefined ? options : withRecorded(options));
  return followed(made, new SftDriver(made, options.signal), options.signal);
}

/** What of a run's state is in neither weights, optimizer nor data position; plain JSON. */
export interface LoopState {
  /** Factor on the learning rate, lowered after accidents. */
  rate: number;
  best?: BestState;
  /** Names of the weights the optimizer remembers, and the updates of those that have had fewer than the others. */
  remembered: string[];
  fewer: Record<string, number>;
}

/** Steps whose mean duration gives the time that is left. */
const PACE = 20;

/** The loop of supervised fine-tuning, one optimizer step a call. */
export class SftDriver implements Driver {
  readonly name: string;
  readonly model: TrainableModel;
  readonly total: number;
  readonly encoding: EncodeSummary | undefined;
  readonly packing: PackReport | undefined;
  readonly #plan: SftPlan;
  readonly #signal: AbortSignal | undefined;
  readonly #seq2seq: boolean;
  readonly #frozen: Parameter<tf.Tensor>[];
  readonly #source: RowSource;
  readonly #replay: DataOrder | undefined;
  readonly #replayed: ReadonlySet<TrainRow>;
  readonly #evaluations: Evaluations;
  readonly #frozenTokens: FrozenTokens;
  /** What the hooks of the run that is resumed had. */
  #hookState: SavedHookState | undefined;
  #memory: OptimizerMemory | undefined;
  #good: GoodState | undefined;
  #step = 0;
  #saved = 0;
  /** The step whose checkpoint could not be written. */
  #unsaved: number | undefined;
  /** Gives up the folder of checkpoints, while the run is on its way. */
  #release: (() => void) | undefined;
  /** Factor on the learning rate. */
  #rate = 1;
  /** The model has the average of the weights, and the optimizer's memory the weights. */
  #swapped = false;
  /** Steps left out since the last one that was taken. */
  #rejected = 0;
  #pace: number[] = [];
  /** GFLOP/s of a large matrix product. */
  #speed: number | undefined;
  #losses: readonly number[] = [];

  constructor(plan: SftPlan, signal: AbortSignal | undefined, resumed?: Checkpointed) {
    this.#plan = plan;
    this.#signal = signal;
    this.name = plan.name;
    this.model = plan.model;
    this.packing = plan.packed;
    this.#seq2seq = isSeq2Seq(plan.model);
    this.#frozen = matching('freeze', plan.freeze, plan.model.parameters).filter(({ trainable }) => trainable);
    for (const parameter of this.#frozen) parameter.trainable = false;
    this.#frozenTokens = new FrozenTokens(plan.model, plan.options.tokenizer);
    this.#source = rowSource(plan, resumed?.order);
    this.encoding = plan.encoding ?? this.#source.encoding;
    if (plan.replay) this.#replay = dataOrder(plan, plan.replay.rows, `replay/${plan.seed}`, resumed?.replay);
    this.#replayed = new Set(plan.replay?.rows);
    this.total = plan.steps ?? this.#stepsOf(plan.epochs);
    this.#step = this.#saved = resumed?.step ?? 0;
    this.#evaluations = new Evaluations(plan, signal, resumed?.loop?.best);
    if (!resumed) return;
    const { loop } = resumed;
    const { parameters } = plan.model;
    const remembered = parameters.filter(({ name, trainable }) => loop?.remembered.includes(name) ?? trainable);
    const state = resumed.optimizer(plan.optimizer, remembered);
    this.#memory = new OptimizerMemory(plan.optimizer, remembered, { state, fewer: loop?.fewer });
    this.#rate = loop?.rate ?? 1;
    this.#hookState = resumed.hooks;
  }

  async start(run: Run): Promise<void> {
    this.#losses = run.history.loss;
    if (stepFlops(this.model, []) !== undefined && current()) this.#speed = await matmulSpeed();
    const state = this.#hookState;
    this.#hookState = undefined;
    if (state) await callHook('onLoad', this.#step, () => this.#plan.hooks.onLoad?.(state));
    await callHook('onStart', this.#step, () => this.#plan.hooks.onStart?.({ run, signal: this.#signal }));
    if (this.#step === 0 && this.#evaluations.atStart) await this.#evaluations.take(0, undefined, run);
  }

  async step(): Promise<StepReport | undefined> {
    const { learningRate, schedule, batchSize, spikes } = this.#plan;
    const started = performance.now();
    this.#show(false);
    const { checkpoint } = this.#plan;
    if (checkpoint) this.#release ??= hold(checkpoint.dir, this.name);
    let skipped = 0;
    for (;;) {
      if (this.#exhausted()) return undefined;
      const drawn = split(await this.#draw(skipped > 0), batchSize);
      const batches = drawn.filter(rows => rows.some(row => countLabels(row, this.#seq2seq) > 0));
      skipped += drawn.length - batches.length;
      if (batches.length === 0) continue;
      this.#frozenTokens.look(batches.flat());
      const rate = learningRate * this.#rate * factorOf(schedule, this.#step, this.total);
      const outcome = await this.#attempt(batches, rate);
      if (!outcome) continue;
      this.#step++;
      const rejected = this.#rejected;
      this.#rejected = 0;
      const seconds = (performance.now() - started) / 1000;
      const { tokens, rectangles } = sizes(batches, this.#seq2seq);
      const labelTokens = batches.flat().reduce((sum, row) => sum + countLabels(row, this.#seq2seq), 0);
      const jump = spikes && spike(this.#losses, outcome.loss, spikes);
      return {
        step: this.#step,
        ...outcome,
        learningRate: rate,
        tokens,
        padding: 1 - tokens / rectangles,
        labelTokens,
        tokensPerSecond: tokens / seconds,
        labelTokensPerSecond: labelTokens / seconds,
        seconds,
        epoch: this.#source.progress,
        skipped,
        ...(rejected > 0 && { rejected }),
        ...(jump && { spike: jump }),
        ...this.#machine(batches, seconds),
      };
    }
  }

  async reported(report: StepReport, run: Run): Promise<void> {
    const { hooks, checkpoint } = this.#plan;
    await callHook('onStep', report.step, () => hooks.onStep?.(report, { run, signal: this.#signal }));
    if (this.#evaluations.due(report.step, this.total))
      await this.#averaged(() => this.#evaluations.take(report.step, report, run));
    if (checkpoint && report.step % (checkpoint.every ?? this.total) === 0) await this.#saveOrWarn(run);
  }

  async ended(status: RunStatus, run: Run): Promise<void> {
    try {
      if (status === 'done' && this.#evaluations.missed(this.#step, run))
        await this.#averaged(() => this.#evaluations.take(this.#step, run.last, run));
      // A run that has failed says why; that it could not be saved either comes beside.
      if (this.#plan.checkpoint && this.#step > this.#saved) await (status === 'failed' ? this.#saveOrWarn(run) : this.save(run));
    } finally {
      this.#free();
    }
    // The average is what the run was for.
    this.#show(status === 'done' || (status === 'stopped' && this.#evaluations.over));
    await callHook('onStop', this.#step, () => this.#plan.hooks.onStop?.(status, { run, signal: this.#signal }));
  }

  /** Others may write into the folder of checkpoints. */
  #free(): void {
    this.#release?.();
    this.#release = undefined;
  }

  dispose(): void {
    this.#free();
    this.#memory?.dispose();
    this.#memory = undefined;
    this.#good?.dispose();
    this.#good = undefined;
    this.#source.close?.();
    for (const parameter of this.#frozen) parameter.trainable = true;
    const { hooks } = this.#plan;
    callNow('onDispose', this.#step, () => {
      const freeing: unknown = hooks.onDispose?.();
      if (freeing instanceof Promise)
        freeing.catch(error => warn(`The hook onDispose failed: ${(error as Error)?.message ?? error}`));
    });
  }

  /** Take a step, or leave its rows out where they cannot be trained on and the policy says so: undefined. */
  async #attempt(batches: TrainRow[][], learningRate: number): Promise<StepOutcome | undefined> {
    const { model, optimizer, clip, hooks, labelSmoothing, neftune, recompute, seed, detailEvery, nonFinite, options } =
      this.#plan;
    const parameters = model.parameters.filter(({ trainable }) => trainable);
    if (parameters.length === 0)
      throw new BadInput({
        problem: 'Every weight of the model is frozen: there is nothing to train',
        where: { key: 'freeze' },
        fix: 'freeze less, or attach an adapter: model.attach(models.lora())',
      });
    const step = this.#step + 1;
    try {
      this.#memory ??= new OptimizerMemory(optimizer, parameters);
      const due = nonFinite.policy === 'restore' && (!this.#good || this.#step % nonFinite.every === 0);
      const now = due ? new GoodState(parameters, this.#memory) : undefined;
      try {
        const outcome = await takeStep({
          model,
          parameters,
          batches,
          memory: this.#memory,
          learningRate,
          clip,
          hooks,
          replayed: this.#replayed,
          labelSmoothing,
          neftune,
          recompute,
          step,
          seed,
          detail: detailEvery !== undefined && step % detailEvery === 0,
          show: { tokenizer: options.tokenizer, seq2seq: this.#seq2seq },
        });
        // Weights that gave a finite loss and gradient are good ones.
        if (now) this.#good?.dispose();
        this.#good = now ?? this.#good;
        return outcome;
      } catch (error) {
        now?.dispose();
        throw error;
      }
    } catch (error) {
      if (isOutOfMemory(error)) {
        const { batchSize, accumulate } = this.#plan;
        const adapters = parameters.length < model.parameters.length;
        const setting = { batchSize, accumulate, optimizer: optimizer.name, adapters };
        throw outOfMemory(step, memoryNeed(model, optimizer, batches), setting, error);
      }
      if (!(error instanceof NonFinite) || nonFinite.policy === 'halt') throw error;
      this.#rejected++;
      if (this.#rejected >= nonFinite.limit) throw error;
      if (nonFinite.policy === 'restore') {
        this.#good?.restore();
        this.#rate *= nonFinite.factor;
      } else if (error.weights) throw error;
      return undefined;
    }
  }

  /** What a step says about the machine. */
  #machine(batches: TrainRow[][], seconds: number): Pick<StepReport, 'secondsLeft' | 'memory' | 'matmulShare'> {
    this.#pace = [...this.#pace, seconds].slice(-PACE);
    const mean = this.#pace.reduce((a, b) => a + b, 0) / this.#pace.length;
    const flops = this.#speed && stepFlops(this.model, batches.flat());
    return {
      secondsLeft: (this.total - this.#step) * mean,
      memory: process.memoryUsage.rss(),
      ...(flops && { matmulShare: flops / seconds / (this.#speed! * 1e9) }),
    };
  }

  /** Do something with the averaged weights in the model, where there are any. */
  async #averaged<T>(work: () => Promise<T>): Promise<T> {
    this.#show(true);
    try {
      return await work();
    } finally {
      this.#show(false);
    }
  }

  /** Put the average of the weights into the model, where there is one, or the weights themselves. */
  #show(average: boolean): void {
    if (average === this.#swapped || !this.#plan.averaged || !this.#memory) return;
    swapEma(this.model.parameters, this.#memory.state);
    this.#swapped = average;
  }

  /** A checkpoint on the way: where it cannot be written the run goes on. */
  async #saveOrWarn(run: Run): Promise<void> {
    if (this.#unsaved === this.#step) return;
    try {
      await this.save(run);
    } catch (error) {
      if (this.#unsaved !== this.#step) throw error;
      warn(`${(error as Error).message} The run goes on.`);
    }
  }

  /** Write a checkpoint into the run's folder or another. @throws TunebookError when it cannot be written. */
  async save(run: Run, dir: string | undefined = this.#plan.checkpoint?.dir): Promise<string> {
    const { checkpoint, hooks } = this.#plan;
    const memory = this.#memory;
    if (dir === undefined || !memory)
      throw new BadInput({
        problem: memory ? 'The run has no folder for checkpoints' : 'The run has no memory of an optimizer that could be saved',
        fix: memory ? "say where: run.save('runs/mine')" : 'model.save(dir) writes the weights',
      });
    await this.#refuseSpoilt(dir);
    const remembered = new Set(Object.values(memory.state.slots).flatMap(values => values.map(({ name }) => name)));
    const loop: LoopState = {
      rate: this.#rate,
      best: this.#evaluations.best,
      remembered: [...remembered],
      fewer: memory.fewer,
    };
    const snapshot: Snapshot = {
      plan: this.#plan,
      step: this.#step,
      order: this.#source.state,
      replay: this.#replay?.state,
      state: memory.state,
      loop,
      hooks: hooks.onSave && callNow('onSave', this.#step, () => hooks.onSave!()),
      told: { history: run.history, evaluations: run.evaluations, samples: run.samples },
    };
    const average = this.#swapped;
    this.#show(false);
    let folder: string;
    try {
      folder = await saveCheckpoint({ ...checkpoint, dir }, snapshot);
    } catch (error) {
      this.#unsaved = this.#step;
      throw await saveFailed(dir, this.#step, this.#saved || undefined, error);
    } finally {
      this.#show(average);
    }
    this.#saved = this.#step;
    this.#unsaved = undefined;
    run.checkpoints.push({ step: this.#step, dir: folder });
    await callHook('onCheckpoint', this.#step, () => hooks.onCheckpoint?.(folder, { run, signal: this.#signal }));
    return folder;
  }

  /** Weights that are lost must not take the place of good ones. */
  async #refuseSpoilt(dir: string): Promise<void> {
    const spoilt = await firstSpoilt(this.model.parameters.filter(({ trainable }) => trainable));
    if (spoilt === undefined) return;
    this.#unsaved = this.#step;
    throw new TunebookError({
      problem: `The weights are not finite after step ${this.#step}, first ${spoilt}: no checkpoint was written of them`,
      where: { file: dir },
      fix: `go on from ${this.#saved ? `that of step ${this.#saved}` : 'the start'} with a lower learning rate, a longer warm-up or a lower clip`,
    });
  }

  /** The rows of one optimizer step, replay rows last. Once more for a step (`again`) there is a row of the run's own among them. */
  async #draw(again: boolean): Promise<TrainRow[]> {
    const { replay, batchSize, accumulate } = this.#plan;
    const all = batchSize * accumulate;
    const other = Math.min(this.#replayRows(this.#step), again ? all - 1 : all);
    const main = await this.#source.take(all - other);
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
    const wanted = epochs * rows.length * (1 - Number.EPSILON);
    for (let left = rows.length, done = 0; done + (rows.length - left) < wanted; steps++) {
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

/** Tokens of batches, and what they would be if every row were padded to the longest of its batch. */
function sizes(batches: readonly (readonly TrainRow[])[], seq2seq: boolean): { tokens: number; rectangles: number } {
  let [tokens, rectangles] = [0, 0];
  for (const batch of batches)
    for (const side of seq2seq ? (['ids', 'labels'] as const) : (['ids'] as const)) {
      const lengths = batch.map(row => row[side].length);
      tokens += lengths.reduce((a, b) => a + b, 0);
      rectangles += batch.length * Math.max(...lengths);
    }
  return { tokens, rectangles };
}
