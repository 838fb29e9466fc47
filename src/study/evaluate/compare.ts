import { setView } from '../../base/core/index.js';
import { type Arm, type CompareOptions, type Comparison, compareArms } from './comparison.js';
import { Ladder } from './ladder.js';

/** Exact match of one rung before and after, as `show.beforeAfter` takes it. */
export interface ComparedRung {
  label: string;
  before: number;
  after: number;
  unit: 'share';
  better: 'higher';
}

/** What was said to one question before and after, as `show.samples` takes it. */
export interface ComparedSample {
  task: string;
  prompt: string;
  expected: string;
  before: string;
  after: string;
  /** Whether the answer after is right. */
  correct: boolean;
}

/** Result of {@link compare} for ladders. */
export class LadderComparison {
  readonly before: Ladder;
  readonly after: Ladder;

  constructor(before: Ladder, after: Ladder) {
    this.before = before;
    this.after = after;
  }

  /** One entry for each rung. */
  get rows(): ComparedRung[] {
    return this.after.rungs.map(({ rung, score }) => ({
      label: rung,
      before: this.before.score(rung),
      after: score,
      unit: 'share',
      better: 'higher',
    }));
  }

  /** Answers side by side: the first `each` (default 2) of every rung, whether right or wrong. `task` is the rung. */
  samples({ each = 2 }: { each?: number } = {}): ComparedSample[] {
    return [...this.after.scores].flatMap(([rung, { samples }]) =>
      samples.slice(0, each).map(({ prompt, expected, got, correct }, i) => ({
        task: rung,
        prompt,
        expected,
        before: this.before.scores.get(rung)!.samples[i]!.got,
        after: got,
        correct,
      })),
    );
  }
}

setView(LadderComparison, it => ({ kind: 'beforeAfter', data: { rows: it.rows, title: 'Exact match before and after' } }));

/**
 * Two of a kind, side by side. Ladders over the same rungs: what each rung was before and is after. Else two arms over the same seeds
 * (numbers, or what `evaluate.score` gave, one a seed): difference, interval, p with Holm's correction, smallest detectable effect.
 */
export function compare(before: Ladder, after: Ladder): LadderComparison;
export function compare(a: Arm, b: Arm, options?: CompareOptions): Comparison;
export function compare(a: Ladder | Arm, b: Ladder | Arm, options: CompareOptions = {}): LadderComparison | Comparison {
  if (a instanceof Ladder && b instanceof Ladder) return new LadderComparison(a, b);
  return compareArms(a as Arm, b as Arm, options);
}
