import { BadInput, progress, quote, setView } from '../../base/core/index.js';
import { copyOf, interpolate, type Model, scaleAdapter } from '../../learn/models/index.js';
import { checkPair, type Pair } from './pair.js';

/** A model between base and tuned model, measured. */
export type WisePoint = { alpha: number } & Record<string, number>;

/** Result of {@link wiseFt}. */
export class WiseCurve {
  /** In the order of the alphas. */
  readonly points: readonly WisePoint[];

  constructor(points: readonly WisePoint[]) {
    this.points = points;
  }

  /**
   * The point with the most of a measure among those that satisfy a condition: `curve.best('heldOut', p => p.baseLoss < 1.7)`. Undefined
   * where none does.
   */
  best(measure: string, within: (point: WisePoint) => boolean = () => true): WisePoint | undefined {
    const usable = this.points.filter(point => Number.isFinite(point[measure]) && within(point));
    return usable.reduce<WisePoint | undefined>(
      (best, point) => (best && best[measure]! >= point[measure]! ? best : point),
      undefined,
    );
  }
}

setView(WiseCurve, ({ points }) =>
  points.every(({ learned, forgotten }) => learned !== undefined && forgotten !== undefined)
    ? {
        kind: 'tradeOff',
        data: points.map(({ alpha, learned, forgotten }) => ({ label: `α ${Number(alpha.toFixed(3))}`, learned, forgotten })),
      }
    : { kind: 'table', data: points.map(point => ({ ...point })) },
);

/** Options of {@link wiseFt}. */
export interface WiseOptions extends Pair {
  /** Shares of the tuned model, 0 to 1. Default 0, 0.1 … 1. */
  alphas?: readonly number[];
  /** Measure one of the models, by names of your own; with `learned` and `forgotten` the curve draws itself as a trade-off. */
  measure(model: Model, alpha: number): Record<string, number> | Promise<Record<string, number>>;
}

/**
 * WiSE-FT (Wortsman et al. 2022): models on the line between base and tuned model, (1 − α) θ₀ + α θ, each measured. Costs the memory of one
 * more model. Where adapters were tuned (`base` the same model), what those in use add is scaled instead, and they are as they were afterwards. The
 * one that is wanted: `models.interpolate(base, tuned, alpha)`, or `models.scaleAdapter(model, alpha)`.
 */
export async function wiseFt(options: WiseOptions): Promise<WiseCurve> {
  const { base, tuned, measure, alphas = Array.from({ length: 11 }, (_, i) => i / 10) } = options;
  checkPair(options);
  if (alphas.length === 0 || !alphas.every(alpha => alpha >= 0 && alpha <= 1))
    throw new BadInput({
      problem: 'These are no places between base and tuned model',
      where: { key: 'alphas' },
      expected: 'numbers from 0 (the base) to 1 (the tuned model)',
      found: quote(alphas),
    });
  const points: WisePoint[] = [];
  const bar = progress('between base and tuned model', { total: alphas.length, unit: 'models' });
  const between = base === tuned ? undefined : copyOf(base);
  try {
    for (const [i, alpha] of alphas.entries()) {
      const restore: (() => void)[] = [];
      try {
        if (!between) for (const name of tuned.inUse) restore.push(scaleAdapter(tuned, alpha, { name }));
        if (between) interpolate(base, tuned, alpha, { into: between });
        points.push({ ...(await measure(between ?? tuned, alpha)), alpha });
      } finally {
        for (const back of restore) back();
      }
      bar.update(i + 1, `α ${alpha}`);
    }
    return new WiseCurve(points);
  } finally {
    bar.finish();
    between?.dispose();
  }
}
