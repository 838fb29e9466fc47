import { contentText, type Row } from '../../prepare/data/index.js';
import { field } from './questions.js';

/**
 * How near a row's task is to the training rows (Iyer et al. 2022, OPT-IML): nothing of its cluster was trained; other tasks of its
 * cluster were; the task itself was, with other rows.
 */
export type Supervision = 'held out' | 'partly held out' | 'supervised';

/** From far to near. */
export const SUPERVISION: readonly Supervision[] = ['held out', 'partly held out', 'supervised'];

/** What was trained, as far as it says how new a row is. */
export class Trained {
  readonly #tasks = new Set<string>();
  readonly #clusters = new Set<string>();
  readonly #prompts = new Set<string>();

  constructor(rows: readonly Row[]) {
    for (const row of rows) {
      if (row.task !== undefined) this.#tasks.add(row.task);
      const cluster = field(row, 'cluster');
      if (cluster !== undefined) this.#clusters.add(cluster);
      this.#prompts.add(promptKey(row));
    }
  }

  /** Undefined for a row without a task. */
  supervision(row: Row): Supervision | undefined {
    if (row.task === undefined) return undefined;
    if (this.#tasks.has(row.task)) return 'supervised';
    const cluster = field(row, 'cluster');
    return cluster !== undefined && this.#clusters.has(cluster) ? 'partly held out' : 'held out';
  }

  /** Whether the very prompt was trained. */
  holds(row: Row): boolean {
    return this.#prompts.has(promptKey(row));
  }
}

/** What is asked, without the last answer. */
function promptKey({ messages }: Row): string {
  return JSON.stringify(messages.slice(0, -1).map(m => [m.role, contentText(m).trim(), m.input?.trim() ?? '']));
}
