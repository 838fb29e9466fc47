import { BadInput, quote, Random, setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { get, type Template } from '../../prepare/templates/index.js';
import { needRows } from './questions.js';
import { type ScoreOptions, score } from './score.js';
import type { Scored } from './scored.js';
import { percentile } from './statistics/bootstrap.js';

/** Options of {@link sensitivity}. */
export interface SensitivityOptions extends Omit<ScoreOptions, 'template' | 'name' | 'log'> {
  /** Templates the same rows are written with, or their names. */
  templates: readonly (Template | string)[];
  /** Ways to word the rows, by name, e.g. `{ tags: row => tasks.reword(row, { style: 'tags' }) }`; the rows as they are unless told. */
  wordings?: Readonly<Record<string, (row: Row, index: number) => Row>>;
  /** Resamples of the rows for the interval of the spread; default 2,000. */
  resamples?: number;
  /** Of the resampling; default 1. */
  seed?: number | string;
}

/** The same rows asked in one way. */
export interface Variant {
  template: string;
  wording: string;
  scored: Scored;
}

/** Result of {@link sensitivity}. */
export class Sensitivity {
  readonly variants: readonly Variant[];
  /** Best less worst score, with its 95 % interval over the rows. */
  readonly spread: { value: number; low: number; high: number };
  /** The spread that chance alone gives when the way of asking makes no difference: mean over shuffles of each row's results. */
  readonly byChance: number;
  /** Share of shuffles with at least the spread found. */
  readonly p: number;

  constructor(variants: readonly Variant[], { resamples = 2000, seed = 1 }: { resamples?: number; seed?: number | string } = {}) {
    this.variants = variants;
    const right = variants.map(({ scored }) => Float64Array.from(scored.values()));
    const random = new Random(`sensitivity/${seed}`);
    const value = spreadOf(variants.map(({ scored }) => scored.score));
    const drawn = Float64Array.from({ length: resamples }, () => drawnSpread(right, random)).sort();
    this.spread = { value, low: percentile(drawn, 0.025), high: percentile(drawn, 0.975) };
    const shuffled = Float64Array.from({ length: resamples }, () => shuffledSpread(right, random));
    this.byChance = shuffled.reduce((sum, spread) => sum + spread, 0) / resamples;
    this.p = (shuffled.filter(spread => spread >= value - 1e-12).length + 1) / (resamples + 1);
  }

  get best(): Variant {
    return this.variants.reduce((best, one) => (one.scored.score > best.scored.score ? one : best));
  }

  get worst(): Variant {
    return this.variants.reduce((worst, one) => (one.scored.score < worst.scored.score ? one : worst));
  }

  /** Mean of the variants' scores. */
  get mean(): number {
    return this.variants.reduce((sum, { scored }) => sum + scored.score, 0) / this.variants.length;
  }

  /** Share of rows that are right in every way of asking, and in at least one. */
  get consistency(): { always: number; ever: number } {
    const right = this.variants.map(({ scored }) => scored.values());
    const share = (holds: (row: number) => boolean) => right[0]!.filter((_, row) => holds(row)).length / right[0]!.length;
    return {
      always: share(row => right.every(values => values[row] === 1)),
      ever: share(row => right.some(values => values[row] === 1)),
    };
  }
}

setView(Sensitivity, it => {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const several = (key: 'template' | 'wording') => new Set(it.variants.map(variant => variant[key])).size > 1;
  const label = ({ template, wording }: Variant) =>
    [several('template') || !several('wording') ? template : '', several('wording') ? wording : ''].filter(Boolean).join(', ');
  return {
    kind: 'intervals',
    data: {
      title: 'The same rows asked in other ways',
      unit: 'share',
      rows: it.variants.map(variant => ({ label: label(variant), value: variant.scored.score, ...variant.scored.interval })),
      notes: [
        `Spread ${percent(it.spread.value)} (95 % interval ${percent(it.spread.low)} to ${percent(it.spread.high)}); chance alone gives ${percent(it.byChance)} (p = ${it.p.toPrecision(2)}).`,
        `${percent(it.consistency.always)} of the rows are right in every way, ${percent(it.consistency.ever)} in at least one.`,
      ],
    },
  };
});

/**
 * How much the score depends on how it is asked: the same rows under several templates and wordings.
 * `await evaluate.sensitivity({ model, tokenizer, rows, templates: ['chatml', 'alpaca'], wordings: { … } })`
 */
export async function sensitivity(options: SensitivityOptions): Promise<Sensitivity> {
  const { templates, wordings = { 'as given': row => row }, resamples, seed, rows, ...rest } = options;
  needRows(rows);
  const asked = templates.flatMap(template =>
    Object.entries(wordings).map(([wording, rewrite]) => ({
      template: typeof template === 'string' ? get(template) : template,
      wording,
      rewrite,
    })),
  );
  if (asked.length < 2)
    throw new BadInput({
      problem: 'sensitivity is told from two ways of asking or more',
      where: { key: templates.length < 2 ? 'templates' : 'wordings' },
      expected: 'several templates, or several wordings',
      found: quote({ templates: templates.length, wordings: Object.keys(wordings).length }),
    });
  const variants: Variant[] = [];
  for (const { template, wording, rewrite } of asked) {
    const name = `${template.name}, ${wording}`;
    const scored = await score({ ...rest, rows: rows.map(rewrite), template, name, label: `answering: ${name}` });
    variants.push({ template: template.name, wording, scored });
  }
  return new Sensitivity(variants, { resamples, seed });
}

/** The spread over rows drawn with replacement. */
function drawnSpread(right: readonly Float64Array[], random: Random): number {
  const n = right[0]!.length;
  const totals = new Float64Array(right.length);
  for (let i = 0; i < n; i++) {
    const row = random.int(n);
    for (let v = 0; v < totals.length; v++) totals[v]! += right[v]![row]!;
  }
  return spreadOf(totals) / n;
}

/** The spread when the results of each row are dealt out among the variants anew. */
function shuffledSpread(right: readonly Float64Array[], random: Random): number {
  const n = right[0]!.length;
  const totals = new Float64Array(right.length);
  for (let row = 0; row < n; row++) {
    let hits = right.reduce((sum, values) => sum + values[row]!, 0);
    // A row that is right everywhere or nowhere tells nothing apart.
    if (hits === right.length) continue;
    for (let left = right.length; hits > 0; left--)
      if (random.int(left) < hits) {
        totals[left - 1]! += 1;
        hits--;
      }
  }
  return spreadOf(totals) / n;
}

function spreadOf(values: ArrayLike<number>): number {
  const all = Array.from(values);
  return Math.max(...all) - Math.min(...all);
}
