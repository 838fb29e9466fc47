import { BadInput, quote } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { type Panel, panels } from './panels.js';
import { formatNumber, sparkline } from './text.js';
import { label, spec } from './theme.js';
import type { Column } from './training.js';

/** The history of training on rewards, by column. Columns that are absent have no panel. */
export interface RewardHistory {
  /** Numbered from 1 where absent. */
  step?: ArrayLike<number>;
  /** Mean reward of the step's responses. */
  reward: Column;
  /** Standard deviation of these rewards: a band around the line. */
  rewardStd?: Column;
  /** Parts of the reward by name: lines beside it. */
  rewards?: Readonly<Record<string, Column>>;
  /** Divergence from the reference model, in nats per token or per response, as the trainer counts it. */
  kl?: Column;
  /** Mean tokens of a response. */
  length?: Column;
  /** Mean entropy of the predictions, in nats. */
  entropy?: Column;
}

export interface RewardsOptions {
  /** Defaults to `Training on rewards`. */
  title?: string;
  /** Steps planned; the axis reaches to there. */
  total?: number;
  /** Logarithmic axis of the divergence; values at or below 0 are then left out. */
  logKl?: boolean;
  /** Points of one line at most; defaults to 1,000. */
  maxPoints?: number;
  /** Width of the plots in pixels; defaults to 560. */
  width?: number;
}

/**
 * What reinforcement learning does to a model, on one axis of steps: the reward, how far the model has gone from its reference,
 * how long its responses are, and how sure it is. A reward that rises while length or divergence run away is being gamed.
 *
 * @throws BadInput where there are no rewards.
 */
export function rewards(history: RewardHistory, options: RewardsOptions = {}): Figure {
  const { title = 'Training on rewards', maxPoints = 1000, width = 560, total, logKl = false } = options;
  if (typeof history?.reward?.length !== 'number')
    throw new BadInput({
      problem: 'a reward panel needs rewards',
      expected: 'columns with reward, and step, rewardStd, kl, length, entropy where there are any',
      found: quote(history),
      fix: 'show.rewards(run.history)',
    });
  const step = history.step ? Array.from(history.step) : Array.from(history.reward, (_, i) => i + 1);
  const line = (name: string, values: Column | undefined, spread?: Column) =>
    values ? [{ name, step, values: Array.from(values), ...(spread ? { spread: Array.from(spread) } : {}) }] : [];
  const parts = Object.entries(history.rewards ?? {}).slice(0, 5);
  const all: Panel[] = [
    {
      title: history.rewardStd ? 'reward (band: one standard deviation)' : 'reward',
      height: 150,
      series: [...line('reward', history.reward, history.rewardStd), ...parts.flatMap(([name, values]) => line(name, values))],
    },
    { title: 'KL to the reference (nats)', height: 80, log: logKl, series: line('KL', history.kl) },
    { title: 'response length (tokens)', height: 70, series: line('length', history.length) },
    { title: 'entropy (nats)', height: 70, series: line('entropy', history.entropy) },
  ];
  const alt = describe(history);
  return figure({
    kind: 'rewards',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      ...panels(all, { width, maxPoints, ...(total ? { total } : {}) }),
    }),
    text: [
      label(title, 120),
      ...all.flatMap(({ title: name, series }) =>
        series
          .slice(0, 1)
          .map(
            ({ values }) =>
              `${name.padEnd(38)} ${sparkline(finite(values), 40)} ${formatNumber(finite(values).at(-1) ?? Number.NaN)}`,
          ),
      ),
      alt,
    ].join('\n'),
    alt,
  });
}

function finite(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values).filter((value): value is number => Number.isFinite(value));
}

function describe(history: RewardHistory): string {
  const columns = [
    ['Reward', history.reward],
    ['KL', history.kl],
    ['length', history.length],
    ['entropy', history.entropy],
  ] as const;
  const said = columns.flatMap(([name, column]) => {
    const values = finite(column ?? []);
    if (values.length === 0) return [];
    const [first, last] = [values[0]!, values.at(-1)!];
    return [values.length === 1 ? `${name} ${formatNumber(last)}` : `${name} ${formatNumber(first)} → ${formatNumber(last)}`];
  });
  return said.length === 0 ? 'No finite reward yet.' : `${said.join(', ')}.`;
}
