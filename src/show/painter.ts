import { host } from '../base/core/index.js';
import { type Figure, JUPYTER_DISPLAY } from './figure.js';
import type { Spot } from './hosts.js';

/** Milliseconds between two pictures of a live display at least: four a second. */
export const PAINT_EVERY = 250;
/** Drawing may take this share of the time of the work that is watched. */
const SHARE = 0.02;
/** Points of an update, and of the picture that stays. */
const UPDATE_POINTS = 300;
const FINAL_POINTS = 1000;
/** Milliseconds without news after which what is watched counts as resting: paused, stopped or over. */
const QUIET = 1000;

/**
 * Draws a figure anew in place while what it shows changes. Updates are quick ones without PNG, at most four a second and
 * fewer when drawing is slow; the last state always arrives: with its PNG once things rest, and at the latest when the cell
 * ends, be it by an error or an interrupt. A figure that cannot be drawn says so on stderr and harms nothing else.
 */
export class Painter {
  readonly #spot: Spot | undefined;
  readonly #draw: (maxPoints: number) => Figure;
  readonly #every: number;
  /** Earliest time of the next update, and of the next PNG that is drawn for mere rest. */
  #next = 0;
  #nextPng = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  /** Number of the latest news, of the news that the latest picture holds, and of the one that came with its PNG. */
  #version = 0;
  #painted = 0;
  #completed = 0;
  #isChart = true;
  #chain: Promise<void> = Promise.resolve();
  /** The cell whose end will be told, by its signal. */
  #cell: { signal: AbortSignal | undefined } | undefined;

  constructor(spot: Spot | undefined, draw: (maxPoints: number) => Figure, every: number = PAINT_EVERY) {
    this.#spot = spot;
    this.#draw = draw;
    this.#every = every;
  }

  /** There is news: paint now, or when the time has come. */
  changed(): void {
    if (!this.#spot) return;
    this.#version++;
    this.#watchCell();
    const now = performance.now();
    if (now >= this.#next) this.#paint();
    else this.#timer ??= wait(this.#next - now, () => this.#paint());
    clearTimeout(this.#quiet);
    this.#quiet = wait(Math.max(QUIET, this.#nextPng - now), () => void this.#rest());
  }

  /** The state of now with its PNG; repeated should there be news meanwhile and then rest. */
  async complete(): Promise<void> {
    this.#clear();
    if (this.#spot) await this.#complete(this.#spot);
    await this.#chain;
  }

  /** All pictures made so far have been handed to the host. */
  sent(): Promise<void> {
    return this.#chain;
  }

  /** The last state when the cell ends: at once, then with its PNG. */
  async #settle(): Promise<void> {
    this.#cell = undefined;
    if (this.#painted !== this.#version) this.#paint();
    await this.#rest();
  }

  /** What is still missing of the state of now. A figure without a chart has no PNG to come. */
  #rest(): Promise<void> {
    const whole = this.#completed === this.#version || (this.#painted === this.#version && !this.#isChart);
    return whole ? this.#chain : this.complete();
  }

  async #complete(spot: Spot): Promise<void> {
    const version = this.#version;
    const start = performance.now();
    try {
      const figure = this.#draw(FINAL_POINTS);
      this.#next = performance.now() + this.#every;
      const bundle = await figure[JUPYTER_DISPLAY]();
      this.#nextPng = performance.now() + (performance.now() - start) / SHARE;
      // News that came while the PNG was drawn has been or will be shown; an older state must not replace it.
      if (version !== this.#version) return;
      this.#painted = version;
      this.#completed = version;
      this.#enqueue(() => spot.show(bundle));
    } catch (error) {
      complain(error);
    }
  }

  #paint(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const start = performance.now();
    try {
      const figure = this.#draw(UPDATE_POINTS);
      const bundle = figure.quickBundle();
      this.#isChart = figure.spec !== undefined;
      const drawn = performance.now() - start;
      this.#painted = this.#version;
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

  /** One message after the other, so that an update never overtakes a later one. */
  #enqueue(send: () => Promise<void>): void {
    this.#chain = this.#chain.then(send).catch(complain);
  }

  /** An interrupt drops a cell's timers, and a headless run ends with its last cell: its end is told by the host. */
  #watchCell(): void {
    const now = host();
    if (!now?.onCellEnd || (this.#cell && this.#cell.signal === now.signal)) return;
    this.#cell = { signal: now.signal };
    now.onCellEnd(() => this.#settle());
  }

  #clear(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    this.#timer = undefined;
    this.#quiet = undefined;
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
