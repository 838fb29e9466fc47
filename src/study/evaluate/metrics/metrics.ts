import { BadInput, nearest, quote } from '../../../base/core/index.js';
import { type RougeKind, rouge } from '../../../base/text/index.js';
import type { Row } from '../../../prepare/data/index.js';
import { normalise } from '../normalise.js';
import { squadNormalise, tokenF1 } from './squad.js';

/** An answer and what it is held against. */
export interface Answered {
  got: string;
  /** Answers that are right; the first is the row's own. */
  references: readonly string[];
  row: Row;
}

/** A number for every answer, the higher the better. */
export interface Metric {
  name: string;
  /** NaN where the answer cannot be scored: such answers are left out of the mean, and counted. */
  of(answer: Answered): number;
}

/** Best agreement with any of the references, as SQuAD, SuperNI and rouge-score take it. */
const best =
  (agreement: (expected: string, got: string) => number): Metric['of'] =>
  ({ got, references }) =>
    references.reduce((most, expected) => Math.max(most, agreement(expected, got)), 0);

const equal = (form: (text: string) => string) => best((expected, got) => (form(expected) === form(got) ? 1 : 0));
const rougeOf = (kind: RougeKind) => best((expected, got) => rouge(kind, expected, got).f);

/** Names of the metrics there are; the checker's partial credit, `task`, is always there. */
export type MetricName = 'exact' | 'normalised' | 'f1' | 'rouge1' | 'rouge2' | 'rougeL' | 'rougeLsum';

const BUILT_IN: Readonly<Record<MetricName, Metric['of']>> = {
  /** The same text up to case and white space: {@link normalise}. */
  exact: equal(normalise),
  /** The same words up to case, punctuation and articles: SQuAD's exact match. */
  normalised: equal(squadNormalise),
  f1: best(tokenF1),
  rouge1: rougeOf('rouge1'),
  rouge2: rougeOf('rouge2'),
  rougeL: rougeOf('rougeL'),
  rougeLsum: rougeOf('rougeLsum'),
};

/** All of {@link MetricName}. */
export const METRICS: readonly MetricName[] = Object.keys(BUILT_IN) as MetricName[];

/** What a scored answer has besides its metrics: columns of the table. */
const TAKEN: readonly string[] = [
  'task',
  'correct',
  'credit',
  'index',
  'cluster',
  'supervision',
  'prompt',
  'expected',
  'got',
  'why',
];

/** The metrics asked for by name or as one's own; BadInput for a name there is not. */
export function metricsOf(asked: readonly (MetricName | Metric)[]): Metric[] {
  const found = asked.map(metric => {
    if (typeof metric === 'object' && metric !== null && typeof metric.of === 'function' && typeof metric.name === 'string')
      return metric;
    if (typeof metric === 'string' && Object.hasOwn(BUILT_IN, metric)) return { name: metric, of: BUILT_IN[metric] };
    const close = typeof metric === 'string' ? closest(metric) : undefined;
    throw new BadInput({
      problem: 'there is no such metric',
      where: { key: 'metrics' },
      expected: `${METRICS.join(', ')}, or { name, of(answer) }`,
      found: quote(metric),
      ...(close ? { fix: `did you mean "${close}"?` } : {}),
    });
  });
  const names = found.map(metric => metric.name);
  const taken = names.find((name, i) => TAKEN.includes(name) || names.indexOf(name) !== i);
  if (taken !== undefined)
    throw new BadInput({
      problem: `the metric "${taken}" is there already`,
      where: { key: 'metrics' },
      fix: 'give it another name',
    });
  return found;
}

/** A slip of case before a slip of letters: `rougel` means `rougeL`, though `rouge1` is as near. */
function closest(name: string): string | undefined {
  return METRICS.find(metric => metric.toLowerCase() === name.toLowerCase()) ?? nearest(name, METRICS);
}
