import { BadInput, quote, refuseUnknown, setView } from '../../base/core/index.js';
import { checkTokenizer, type Model } from '../../learn/models/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import { type MeanLoss, responseLoss, score } from '../evaluate/index.js';
import { type Cka, cka } from './cka.js';
import { type ComparedRow, compare } from './compare.js';
import { type Drift, drift } from './drift.js';
import { isRight } from './is-right.js';
import { baseSamples, type Divergence, klToBase } from './kl.js';
import { type Memory, measure, type Probe } from './measure.js';
import { checkPair, onBase, refuseNonFinite } from './pair.js';
import { type Said, said } from './said.js';
import { reportSentences } from './sentences.js';
import { textRows } from './text-rows.js';

/** What base and tuned model are asked for a {@link report}. */
export interface ReportProbes {
  tokenizer: Tokenizer;
  template: Template;
  /** Held-out conversations of the new tasks: rows, or several sets by name. Rows with a checker are judged by it, others by their text. */
  answers: readonly Row[] | Readonly<Record<string, readonly Row[]>>;
  /** Base text held out from everything, in lines. */
  texts: readonly string[];
  /** Facts of the base text. */
  facts?: readonly Probe[];
  /** Prompts of which the page shows what was said before and after: texts to continue, or conversations. Default: two rows of every set. */
  prompts?: readonly (string | Row)[];
  /** Longest answer in tokens; default 32. */
  maxNewTokens?: number;
  /** Tokens of base text on which predictions and hidden states are compared, at most; default 4,096. */
  tokens?: number;
  /** Prompts of new tasks that the base is sampled on, at most; default 64. */
  samples?: number;
  /** Tokens of one window of base text; default 64. */
  length?: number;
  seed?: number;
  title?: string;
  signal?: AbortSignal;
}

/** One measure before and after, as `show.beforeAfter` takes it. */
export type ReportRow = Omit<ComparedRow, 'unit'> & { unit: string };

/** What a {@link Report} says, as plain data: its view of kind 'forgetting-report'. */
export interface ReportData {
  title: string;
  /** The whole in a few sentences. */
  sentences: string[];
  /** Scores and loss on the new tasks. */
  gained: ReportRow[];
  /** Loss on base text, facts. */
  lost: ReportRow[];
  /** Divergence from the base: on what it says to prompts of the new tasks, and on base text; nats per token. */
  kl: { on: string; kl: number; reverse: number; tokens: number }[];
  drift: { name: string; drift: number; rank?: number; side?: number }[];
  cka: { layer: number; cka: number }[];
  said: { prompt: string; before: string; after: string; expected?: string; correct?: boolean; task?: string }[];
  /** What could not be measured, and why. */
  missing: string[];
}

/** Result of {@link report}. */
export class Report {
  readonly title: string;
  readonly gained: readonly ReportRow[];
  readonly lost: readonly ReportRow[];
  /** On what the base says to prompts of the new tasks. */
  readonly klOnTasks: Divergence;
  readonly klOnText: Divergence;
  /** Undefined where an adapter is no change of weights. */
  readonly drift: Drift | undefined;
  /** Undefined for encoder–decoders. */
  readonly cka: Cka | undefined;
  readonly said: Said;
  readonly missing: readonly string[];

  constructor(
    parts: Pick<Report, 'title' | 'gained' | 'lost' | 'klOnTasks' | 'klOnText' | 'drift' | 'cka' | 'said' | 'missing'>,
  ) {
    this.title = parts.title;
    this.gained = parts.gained;
    this.lost = parts.lost;
    this.klOnTasks = parts.klOnTasks;
    this.klOnText = parts.klOnText;
    this.drift = parts.drift;
    this.cka = parts.cka;
    this.said = parts.said;
    this.missing = parts.missing;
  }

  /** Δg: mean change of the scores on the new tasks (shares; Chen et al. 2025). */
  get gain(): number {
    const scores = this.gained.filter(({ unit }) => unit === 'share');
    return scores.reduce((sum, { before, after }) => sum + (after - before) / scores.length, 0);
  }

  /** By how much the loss on base text rose, nats per token. */
  get rise(): number {
    return this.lost[0]!.after - this.lost[0]!.before;
  }

  /** The whole as plain data. */
  get data(): ReportData {
    const { title, gained, lost, klOnTasks, klOnText, said, missing } = this;
    const kl = Object.entries({ 'what the base says to new tasks': klOnTasks, 'base text': klOnText });
    return {
      title,
      sentences: reportSentences(this),
      gained: [...gained],
      lost: [...lost],
      kl: kl.map(([on, { kl, reverse, tokens }]) => ({ on, kl, reverse, tokens })),
      drift: (this.drift ?? []).map(({ name, drift, rank, shape }) => ({
        name,
        drift,
        ...(rank !== undefined && { rank, side: Math.min(...shape) }),
      })),
      cka: [...(this.cka ?? [])],
      said: said.map(row => ({ ...row })),
      missing: [...missing],
    };
  }
}

const PROBES: readonly string[] = [
  ...['tokenizer', 'template', 'answers', 'texts', 'facts', 'prompts', 'maxNewTokens', 'tokens', 'samples', 'length'],
  ...['seed', 'title', 'signal'],
];

setView(Report, it => ({ kind: 'forgetting-report', data: it.data }));

/**
 * What tuning gave, what it took, and why, on one page: scores on new tasks, loss and facts of base text, before and after; divergence from
 * the base, drift and effective rank of every weight, likeness of hidden states by layer; what was said to the same prompts. In a notebook it
 * shows itself; `show.page(show.toFigure(report))` makes a page of it.
 * @param base the model it was tuned from; where adapters were tuned, the tuned model itself may be given
 * @throws BadInput for models that do not belong together, and for probes that are empty
 */
export async function report(base: Model, tuned: Model, probes: ReportProbes): Promise<Report> {
  refuseUnknown('forgetting.report', probes, PROBES);
  const { tokenizer, template, texts, facts, length, signal, maxNewTokens = 32, tokens = 4096, samples = 64, seed = 0 } = probes;
  for (const [key, value] of Object.entries({ tokens, samples }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new BadInput({
        problem: 'a report cannot be made of so many',
        where: { key },
        expected: 'a whole number from 1',
        found: quote(value),
      });
  const pair = { base, tuned };
  checkPair(pair);
  for (const model of [base, tuned]) {
    checkTokenizer(model, tokenizer);
    refuseNonFinite(model);
  }
  const rungs = rungsOf(probes.answers);
  const rows = Object.values(rungs).flat();
  const how = { tokenizer, template, maxNewTokens, signal };
  const answered = async (model: Model) => {
    const scores: Record<string, number> = {};
    for (const [rung, rows] of Object.entries(rungs))
      scores[rung] = (await score({ ...how, model, rows, metrics: [], check: isRight, label: `answering: ${rung}` })).score;
    return scores;
  };
  const exam = async (model: Model): Promise<Exam> => ({
    answers: await answered(model),
    loss: await responseLoss({ ...how, model, rows }),
    memory: await measure({ model, tokenizer, texts, facts, length, signal }),
  });
  // Base text first: what is wrong with the probes shows before the long work.
  const windows = textRows({ tokenizer, texts, length });
  const some = windows.slice(0, Math.max(1, Math.ceil(tokens / windows[0]!.ids.length)));
  const before = await onBase(pair, exam);
  const after = await exam(tuned);
  const spread = spaced(rows, samples);
  const asked = await baseSamples({ ...pair, tokenizer, template, rows: spread, maxNewTokens, seed, signal });
  const missing: string[] = [];
  const orMissing = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      missing.push(`${what}: ${error.parts.problem}`);
      return undefined;
    }
  };
  return new Report({
    title: probes.title ?? 'What tuning gave and took',
    gained: [
      ...Object.keys(rungs).map(
        (label): ReportRow => ({
          label,
          before: before.answers[label]!,
          after: after.answers[label]!,
          unit: 'share',
          better: 'higher',
        }),
      ),
      {
        label: 'loss on answers',
        before: before.loss.loss,
        after: after.loss.loss,
        unit: 'nats per answer token',
        better: 'lower',
      },
    ],
    lost: compare(before.memory, after.memory).rows,
    klOnTasks: await klToBase({ ...pair, rows: asked, signal, label: 'KL on new tasks' }),
    klOnText: await klToBase({ ...pair, rows: some, signal, label: 'KL on base text' }),
    drift: await orMissing('drift of the weights', () => drift({ ...pair, signal })),
    cka: await orMissing('hidden states', () => cka({ ...pair, ids: some.map(({ ids }) => ids), signal })),
    said: await said({ ...pair, ...how, prompts: probes.prompts ?? Object.values(rungs).flatMap(rows => rows.slice(0, 2)) }),
    missing,
  });
}

interface Exam {
  /** Share of right answers by set. */
  answers: Record<string, number>;
  loss: MeanLoss;
  memory: Memory;
}

function rungsOf(answers: ReportProbes['answers']): Record<string, readonly Row[]> {
  const rungs = Array.isArray(answers)
    ? { 'new tasks': answers as readonly Row[] }
    : { ...(answers as Record<string, readonly Row[]>) };
  const empty = Object.entries(rungs).find(([, rows]) => !Array.isArray(rows) || rows.length === 0);
  if (Object.keys(rungs).length > 0 && !empty) return rungs;
  throw new BadInput({
    problem: 'There are no held-out rows of the new tasks',
    where: { key: empty ? `answers.${empty[0]}` : 'answers' },
    expected: 'conversations, or several sets of them by name',
    fix: 'give answers: world.rungs, or rows that were kept out of training',
  });
}

/** At most so many rows, from all of them. */
function spaced<T>(rows: readonly T[], most: number): T[] {
  if (rows.length <= most) return [...rows];
  return Array.from({ length: most }, (_, i) => rows[Math.floor((i * rows.length) / most)]!);
}
