import { BadInput, quote, viewOf } from '../base/core/index.js';
import { drawable } from './axes.js';
import { columns, type LossHistory } from './loss-curve.js';
import { smoothed } from './series.js';
import { label } from './theme.js';

/** A run as {@link runs} draws it: a `train.Run`, a recorded run (`train.readRecords(dir)`), or plain data. */
export interface RunCurves {
  readonly name?: string;
  /** Tells runs of the same name apart. */
  readonly id?: string;
  readonly history: LossHistory;
  /** What evaluations found, with their steps: `run.evaluations`. */
  readonly evaluations?: readonly { readonly step: number; readonly [metric: string]: number }[];
}

/** The curves of one run, as far as they can be drawn. */
export interface Curve {
  name: string;
  step: number[];
  loss: number[];
  /** Moving average of the losses; the losses themselves where they are few. */
  mean: number[];
  rate: number[] | undefined;
  evaluations: { step: number; value: number }[];
  /** Steps without a loss that can be drawn. */
  lost: number;
}

/** The curves of runs, each with a name of its own. */
export function curvesOf(
  given: readonly (RunCurves | LossHistory)[],
  options: { metric: string; smooth?: number | false; log: boolean; names?: readonly string[] },
): Curve[] {
  const all = given.map(described);
  const names = distinct(all, options.names);
  const longest = Math.max(0, ...all.map(({ history }) => columns(history).loss.length));
  // One span for all: a shorter run must not look rougher.
  const span = options.smooth === false ? 1 : (options.smooth ?? (longest < 20 ? 1 : Math.max(5, longest / 20)));
  return all.map(({ history, evaluations = [] }, i) => {
    const { step, loss, learningRate } = columns(history);
    const usable = (value: number | undefined) => drawable(value, options.log);
    const keep = step.map((_, k) => k).filter(k => Number.isFinite(step[k]) && usable(loss[k]));
    const losses = keep.map(k => loss[k]!);
    return {
      name: names[i]!,
      step: keep.map(k => step[k]!),
      loss: losses,
      mean: smoothed(losses, span),
      rate: learningRate && keep.map(k => learningRate[k]!),
      evaluations: evaluations
        .filter(found => usable(found[options.metric]))
        .map(found => ({ step: found.step, value: found[options.metric]! })),
      lost: step.length - keep.length,
    };
  });
}

function described(given: RunCurves | LossHistory): RunCurves {
  if (given !== null && typeof given === 'object' && 'history' in given) return given;
  const view = viewOf(given);
  if (view?.kind === 'run') return view.data as RunCurves;
  if (Array.isArray(given) || (given as { loss?: unknown } | null)?.loss !== undefined) return { history: given as LossHistory };
  throw new BadInput({
    problem: 'This is no run',
    expected: 'a run, a recorded run, or { name, history, evaluations }',
    found: quote(given),
    fix: "show.runs(train.readRecords('runs'))",
  });
}

/** Names of their own: those given, else the runs', with their id or a number where two have the same. */
function distinct(all: readonly RunCurves[], given: readonly string[] | undefined): string[] {
  const plain = all.map((run, i) => label(given?.[i] ?? run.name ?? `run ${i + 1}`, 40));
  const twice = (names: readonly string[], i: number) => names.indexOf(names[i]!) !== names.lastIndexOf(names[i]!);
  const named = plain.map((name, i) => {
    const { id } = all[i]!;
    return twice(plain, i) && id && !given?.[i] ? label(id, 60) : name;
  });
  return named.map((name, i) => (twice(named, i) ? `${name} (${i + 1})` : name));
}
