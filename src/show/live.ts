import { type Changing, setFollower, VIEW, writeFileAtomic } from '../base/core/index.js';
import type { Figure } from './figure.js';
import { newSpot } from './hosts.js';
import { type LossCurveOptions, type LossHistory, lossCurve } from './loss-curve.js';
import { page } from './page.js';
import { PAINT_EVERY, Painter } from './painter.js';
import { figureOf } from './views.js';

/** What a live figure asks of a run; `train.Run` is one. */
export interface LiveRun {
  readonly name?: string;
  /** Steps planned. */
  readonly total?: number;
  readonly history: LossHistory;
  /** Call `listener` after every step; returns the function that unsubscribes. */
  onStep(listener: (report: unknown) => void): (() => void) | undefined;
}

export interface LiveOptions extends LossCurveOptions {
  /** Milliseconds between updates at least; defaults to 250 and is never less. */
  every?: number;
  /** Outside a notebook: write the final figure to this HTML file on `flush()`. */
  html?: string;
  /** Another figure than the loss curve. */
  draw?: () => Figure;
}

/** A figure that follows a run. */
export interface LiveView {
  /** Deliver the state of now, complete with its PNG. Await it after the run, so that the saved notebook holds the last state. */
  flush(): Promise<void>;
  /** Stop following the run, after a last {@link flush}. */
  stop(): Promise<void>;
}

/**
 * Follow a run with a figure that is redrawn in place. It subscribes and never drives the run. Updates carry the spec
 * alone and keep their distance when drawing is slow (at most 2 % of the time); the last state always arrives, also when the
 * run fails or its cell is interrupted, and comes with its PNG once the run rests or the cell ends. Outside a notebook nothing
 * is drawn: the run reports its own progress there.
 */
export function live(run: LiveRun, options: LiveOptions = {}): LiveView {
  const spot = newSpot();
  const every = Math.max(PAINT_EVERY, options.every ?? PAINT_EVERY);
  const draw = (maxPoints: number): Figure =>
    options.draw?.() ??
    lossCurve(run.history, {
      ...(run.name ? { title: run.name } : {}),
      ...(run.total ? { total: run.total } : {}),
      ...options,
      maxPoints: Math.min(maxPoints, options.maxPoints ?? 1000),
    });
  const painter = new Painter(spot, draw, every);
  // A listener that throws would end the run; a chart is not worth that.
  const unsubscribe = run.onStep(() => painter.changed());
  const flush = async () => {
    await painter.complete();
    if (!spot && options.html) await writeFileAtomic(options.html, await page([draw(1000)], run.name ? { title: run.name } : {}));
  };
  return {
    flush,
    async stop() {
      unsubscribe?.();
      await flush();
    },
  };
}

/**
 * Show an object that describes itself (`Symbol.for('tunebook.view')`) and draw it anew in place as it changes, at most four
 * times a second. Undefined outside a notebook, where nothing is drawn.
 */
export function follow(object: Changing): LiveView | undefined {
  const spot = newSpot();
  if (!spot) return undefined;
  const painter = new Painter(spot, () => figureOf(object[VIEW]()));
  const unsubscribe = object.onChange(() => painter.changed());
  painter.changed();
  return {
    flush: () => painter.complete(),
    stop() {
      unsubscribe();
      return painter.complete();
    },
  };
}

// So that models show what they are writing without knowing of figures.
setFollower(follow);
