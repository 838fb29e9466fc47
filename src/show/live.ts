import { type Changing, setFollower, VIEW, writeFileAtomic } from '../base/core/index.js';
import { type Figure, JUPYTER_DISPLAY } from './figure.js';
import { newSpot, type Spot } from './hosts.js';
import { type LossCurveOptions, type LossHistory, lossCurve } from './loss-curve.js';
import { page } from './page.js';
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

/** Drawing may take this share of the time of training. */
const SHARE = 0.02;
/** Points of an update; the last one has more. */
const UPDATE_POINTS = 300;
/** Milliseconds without a step after which a run counts as resting: paused, stopped or over. */
const QUIET = 1000;

/**
 * Follow a run with a figure that is redrawn in place. It subscribes and never drives the run. Updates carry the spec
 * alone and keep their distance when drawing is slow (at most 2 % of the time); the last state always arrives, and comes
 * with its PNG once the run rests. Outside a notebook nothing is drawn: the run reports its own progress there.
 */
export function live(run: LiveRun, options: LiveOptions = {}): LiveView {
  const spot = newSpot();
  const every = Math.max(250, options.every ?? 250);
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
  const painter = new Painter(spot, () => figureOf(object[VIEW]()), 250);
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

class Painter {
  readonly #spot: Spot | undefined;
  readonly #draw: (maxPoints: number) => Figure;
  readonly #every: number;
  #next = 0;
  #nextPng = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #version = 0;
  #chain: Promise<void> = Promise.resolve();

  constructor(spot: Spot | undefined, draw: (maxPoints: number) => Figure, every: number) {
    this.#spot = spot;
    this.#draw = draw;
    this.#every = every;
  }

  /** There is news: paint now, or when the time has come. */
  changed(): void {
    if (!this.#spot) return;
    this.#version++;
    const now = performance.now();
    if (now >= this.#next) this.#paint();
    else this.#timer ??= wait(this.#next - now, () => this.#paint());
    clearTimeout(this.#quiet);
    this.#quiet = wait(Math.max(QUIET, this.#nextPng - now), () => void this.complete());
  }

  #paint(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const start = performance.now();
    try {
      const bundle = this.#draw(UPDATE_POINTS).quickBundle();
      const drawn = performance.now() - start;
      this.#enqueue(() => {
        const begin = performance.now();
        const sent = this.#spot!.show(bundle);
        // Handing over (serialising) costs too; waiting for the other side does not.
        this.#next = Math.max(this.#next, start + (drawn + performance.now() - begin) / SHARE);
        return sent;
      });
    } catch (error) {
      complain(error);
    }
    this.#next = Math.max(this.#next, start + this.#every);
  }

  /** The state of now with its PNG; repeated should the run go on meanwhile and then rest. */
  async complete(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    this.#timer = undefined;
    if (!this.#spot) return;
    const version = this.#version;
    const start = performance.now();
    try {
      const figure = this.#draw(1000);
      this.#next = performance.now() + this.#every;
      const bundle = await figure[JUPYTER_DISPLAY]();
      this.#nextPng = performance.now() + (performance.now() - start) / SHARE;
      // Steps that came while the PNG was drawn have been or will be shown; an older state must not replace them.
      if (version === this.#version) this.#enqueue(() => this.#spot!.show(bundle));
    } catch (error) {
      complain(error);
    }
    await this.#chain;
  }

  /** One message after the other, so that an update never overtakes a later one. */
  #enqueue(send: () => Promise<void>): void {
    this.#chain = this.#chain.then(send).catch(complain);
  }
}

/** A timer that keeps no process alive. */
function wait(ms: number, then: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(then, ms);
  timer.unref?.();
  return timer;
}

function complain(error: unknown): void {
  process.stderr.write(`live display failed: ${error instanceof Error ? error.message : String(error)}\n`);
}
