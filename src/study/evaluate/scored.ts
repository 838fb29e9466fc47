import type { ColumnTable } from 'arquero';
import { BadInput, nearest, setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { ScoredSample, TaskScore } from './exact-match.js';
import { wilson } from './interval.js';
import { tInterval } from './statistics/index.js';
import { SUPERVISION, type Supervision } from './supervision.js';

/** One scored answer with everything known of it. */
export interface RowSample extends ScoredSample {
  /** Which of the rows. */
  index: number;
  row: Row;
  cluster?: string;
  /** How near the row's task is to what was trained; where the training rows were given. */
  supervision?: Supervision;
  /** `task`, the checker's partial credit, and the metrics asked for. NaN where an answer could not be scored. */
  metrics: Record<string, number>;
  /** The first thing that is wrong with the answer. */
  why?: string;
}

/** A mean over some rows with its 95 % interval, which says what chance in the rows alone may do. */
export interface PartScore {
  /** Name of the part: of a task, a cluster, a group. */
  part: string;
  n: number;
  score: number;
  low: number;
  high: number;
}

/** What a metric found. */
export interface MetricScore {
  metric: string;
  mean: number;
  low: number;
  high: number;
  /** Rows of which it is the mean. */
  n: number;
  /** Rows it could not score (NaN). */
  invalid: number;
}

/** By what {@link Scored.by} tells rows apart. */
export type Parting = 'task' | 'cluster' | 'supervision' | ((sample: RowSample) => string | undefined);

/** Result of `evaluate.score`: every answer, and what they come to. */
export class Scored {
  /** Name of what answered. */
  readonly name: string;
  readonly samples: readonly RowSample[];
  /** Rows whose prompt stands in the training rows too: their score says nothing of new rows. */
  readonly leaked: number;

  constructor(name: string, samples: readonly RowSample[], { leaked = 0 }: { leaked?: number } = {}) {
    this.name = name;
    this.samples = samples;
    this.leaked = leaked;
  }

  /** Number of rows. */
  get n(): number {
    return this.samples.length;
  }

  /** Share of right answers, 0 to 1. */
  get score(): number {
    return this.samples.filter(sample => sample.correct).length / this.n;
  }

  /** Wilson's 95 % interval of {@link score}. */
  get interval(): { low: number; high: number } {
    return wilson(this.score * this.n, this.n);
  }

  /** One entry for each metric, `task` (partial credit) first. */
  get metrics(): MetricScore[] {
    return Object.keys(this.samples[0]?.metrics ?? {}).map(metric => this.metric(metric));
  }

  /** Mean and 95 % interval of one metric: Wilson's where it is 0 or 1, else Student's. */
  metric(name: string): MetricScore {
    const all = this.values(name);
    const values = all.filter(value => !Number.isNaN(value));
    const sum = values.reduce((a, b) => a + b, 0);
    const n = values.length;
    const { low, high } =
      n === 0
        ? { low: Number.NaN, high: Number.NaN }
        : values.every(value => value === 0 || value === 1)
          ? wilson(sum, n)
          : tInterval(values);
    return { metric: name, mean: n === 0 ? Number.NaN : sum / n, low, high, n, invalid: all.length - n };
  }

  /** What a metric gave each row, in their order; `correct` gives 1 for right and 0 for wrong answers. */
  values(metric = 'correct'): number[] {
    if (metric === 'correct') return this.samples.map(sample => Number(sample.correct));
    const known = Object.keys(this.samples[0]?.metrics ?? {});
    if (!known.includes(metric)) {
      const close = nearest(metric, known);
      throw new BadInput({
        problem: `this was not scored by "${metric}"`,
        expected: ['correct', ...known].join(', '),
        fix: close ? `did you mean "${close}"?` : `score with metrics: ['${metric}']`,
      });
    }
    return this.samples.map(sample => sample.metrics[metric] ?? Number.NaN);
  }

  /** Share of right answers by task, in the order the tasks first occur; rows without a task are left out. */
  get byTask(): TaskScore[] {
    return this.by('task').map(({ part, n, score }) => ({ task: part, n, score }));
  }

  get byCluster(): PartScore[] {
    return this.by('cluster');
  }

  /** Fully held out, partly held out and supervised apart; empty where the training rows were not given. */
  get bySupervision(): PartScore[] {
    return this.by('supervision').sort((a, b) => SUPERVISION.indexOf(a.part as never) - SUPERVISION.indexOf(b.part as never));
  }

  /** Share of right answers by anything, in the order the parts first occur; rows without one are left out. */
  by(parting: Parting): PartScore[] {
    const parts = new Map<string, { hits: number; n: number }>();
    for (const sample of this.samples) {
      const part = typeof parting === 'function' ? parting(sample) : sample[parting];
      if (part === undefined) continue;
      const sums = parts.get(part) ?? { hits: 0, n: 0 };
      parts.set(part, { hits: sums.hits + Number(sample.correct), n: sums.n + 1 });
    }
    return Array.from(parts, ([part, { hits, n }]) => ({ part, n, score: hits / n, ...wilson(hits, n) }));
  }

  /** What is to be said beside the score: answers that could not be scored, rows that were trained on. */
  get notes(): string[] {
    const invalid = this.metrics.filter(metric => metric.invalid > 0);
    const count = (n: number) => `${n.toLocaleString('en-US')} row${n === 1 ? '' : 's'}`;
    return [
      ...invalid.map(({ metric, invalid }) => `${metric} could not score ${count(invalid)}: left out of its mean.`),
      ...(this.leaked > 0 ? [`The prompts of ${count(this.leaked)} stand in the training rows too.`] : []),
    ];
  }

  /** Every answer as a row of an arquero table: index, task, cluster, supervision, prompt, expected, got, correct, why, and the metrics. */
  async table(): Promise<ColumnTable> {
    const { from } = await import('arquero');
    return from(
      this.samples.map(({ index, task, cluster, supervision, prompt, expected, got, correct, why, metrics }) => ({
        index,
        task: task ?? null,
        cluster: cluster ?? null,
        supervision: supervision ?? null,
        prompt,
        expected,
        got,
        correct,
        why: why ?? null,
        ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name === 'task' ? 'credit' : name, value])),
      })),
    );
  }
}

setView(Scored, it => {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const means = it.metrics.map(({ metric, mean }) => `${metric === 'task' ? 'credit' : metric} ${mean.toFixed(3)}`);
  const parts = it.bySupervision.map(
    ({ part, n, score, low, high }) => `${part} ${percent(score)} of ${n} (${percent(low)} to ${percent(high)})`,
  );
  return {
    kind: 'scores',
    data: {
      name: it.name,
      score: it.score,
      n: it.n,
      interval: it.interval,
      metrics: it.metrics,
      bySupervision: it.bySupervision,
      notes: [...[means, parts].filter(list => list.length > 0).map(list => `${list.join(', ')}.`), ...it.notes],
      samples: it.samples,
    },
  };
});
