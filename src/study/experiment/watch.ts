import { join } from 'node:path';
import { type Progress, type ProgressEvent, progress } from '../../base/core/index.js';
import { type Attempt, FILES, tailOf } from './attempt.js';
import type { EngineSession } from './engine.js';
import type { CheckedOptions } from './options.js';
import type { SweepState } from './records.js';
import { statusOf } from './results.js';

/** Trials whose own progress is shown below the sweep's. */
const SHOWN = 4;
/** Milliseconds between two looks at what the trials say. */
const PACE = 1000;

interface Inner {
  bar: Progress;
  /** What of the trial it shows. */
  label: string;
  total: number | undefined;
}

/** The sweep's progress and time left, and below it that of some trials that run. */
export class Watch {
  readonly #ids: string[];
  readonly #state: SweepState;
  readonly #session: EngineSession;
  readonly #outer: Progress;
  readonly #inner = new Map<string, Inner>();
  #looked = Date.now();

  constructor(
    { name, plan }: Pick<CheckedOptions, 'name' | 'plan'>,
    state: SweepState,
    session: EngineSession,
    stop: () => void,
  ) {
    this.#ids = plan.map(({ id }) => id);
    this.#state = state;
    this.#session = session;
    this.#outer = progress(`sweep ${name}`, { total: plan.length, unit: 'trials', stop });
    this.#report();
  }

  async update(): Promise<void> {
    // Counting is linear in the trials, and this is called at every end.
    if (Date.now() - this.#looked < PACE) return;
    this.#looked = Date.now();
    this.#report();
    const shown = this.#session.running().slice(0, SHOWN);
    const names = new Set(shown.map(({ attempt }) => attempt.id));
    for (const [id, { bar }] of this.#inner) {
      if (names.has(id)) continue;
      bar.finish();
      this.#inner.delete(id);
    }
    for (const { attempt, folder } of shown) this.#show(attempt, await lastEvent(folder));
  }

  finish(): void {
    for (const { bar } of this.#inner.values()) bar.finish();
    this.#report();
    const { done, failed } = statusOf(this.#state, this.#ids);
    this.#outer.finish(failed > 0 ? `${failed} failed` : `${done} done`);
  }

  #report(): void {
    const { done, failed, running } = statusOf(this.#state, this.#ids);
    const notes = [`${running} running`, ...(failed > 0 ? [`${failed} failed`] : [])];
    this.#outer.update(done + failed, notes.join(', '));
  }

  #show(attempt: Attempt, event: ProgressEvent | undefined): void {
    if (!event) return;
    let inner = this.#inner.get(attempt.id);
    if (inner && (inner.label !== event.label || inner.total !== event.total)) {
      inner.bar.finish();
      inner = undefined;
    }
    if (!inner) {
      const label = `  ${nameOf(attempt)}: ${event.label}`;
      inner = { label: event.label, total: event.total, bar: progress(label, { total: event.total, unit: event.unit }) };
      this.#inner.set(attempt.id, inner);
    }
    inner.bar.update(event.done, event.note);
  }
}

/** A trial by its settings, shortly. */
export function nameOf({ config, seed }: Pick<Attempt, 'config' | 'seed'>, limit = 60): string {
  const settings = Object.entries(config).map(
    ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const text = [...settings, `seed ${seed}`].join(', ');
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** The last event that a trial's process has appended; undefined while there is none. */
async function lastEvent(folder: string): Promise<ProgressEvent | undefined> {
  const lines = (await tailOf(join(folder, FILES.progress), 2048)).trimEnd().split('\n');
  for (const line of lines.reverse()) {
    try {
      return JSON.parse(line) as ProgressEvent;
    } catch {
      // The half line that is being written.
    }
  }
  return undefined;
}
