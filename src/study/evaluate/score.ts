import { BadInput, quote } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { references, check as taskCheck, type Verdict } from '../../prepare/tasks/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { encodePrompt, encodeSeq2SeqPrompt, stopsOf } from '../../prepare/tokens/index.js';
import { continuations, type GenerationOptions, type Stops } from './generate.js';
import { type Metric, type MetricName, metricsOf } from './metrics/metrics.js';
import { answerOf, field, needRows, needTemplate, promptOf, question } from './questions.js';
import { SampleLog } from './sample-log.js';
import { type RowSample, Scored } from './scored.js';
import { Trained } from './supervision.js';

/** How answers are judged, whoever gave them. */
export interface JudgingOptions {
  /** Conversations that end with the assistant's answer. */
  rows: readonly Row[];
  /** Says whether an answer is right – true or false, or how much of it is, and why –; defaults to the row's own checker (`tasks.check`). */
  check?: (answer: string, row: Row) => Verdict | boolean;
  /** Also: `exact`, `normalised`, `f1`, `rouge1`, `rouge2`, `rougeL`, `rougeLsum`, or one's own. Default: `normalised`, `f1`, `rougeL`. */
  metrics?: readonly (MetricName | Metric)[];
  /** What was trained on: scores are then reported apart for rows fully held out, partly held out and supervised. */
  trainRows?: readonly Row[];
  /** Name of what answers; default `model`. */
  name?: string;
  /** Write every sample to this JSONL file as it is answered, behind what is there; `readSamples` reads it. */
  log?: string;
}

/** Options of {@link score}. */
export interface ScoreOptions extends GenerationOptions, JudgingOptions {
  template: Template;
}

const DEFAULT_METRICS: readonly MetricName[] = ['normalised', 'f1', 'rougeL'];

/**
 * Let the model answer every row greedily, and judge the answers: `await evaluate.score({ model, tokenizer, template, rows })`. The
 * result shows itself; `.score` is the share of right answers, `.metrics`, `.byTask`, `.byCluster` and `.bySupervision` are its parts,
 * `.samples` every answer, `await scored.table()` an arquero table of them.
 * @throws BadInput for no rows, a row without an answer, an unknown metric.
 */
export async function score(options: ScoreOptions): Promise<Scored> {
  const { rows, tokenizer, template } = options;
  needRows(rows);
  needTemplate(template);
  return scorePrompts(promptsOf(options), stopsOf(template, tokenizer), options);
}

/** What the model is asked, one prompt a row, as ids. */
export function promptsOf({
  rows,
  tokenizer,
  template,
  model,
}: Pick<ScoreOptions, 'rows' | 'tokenizer' | 'template' | 'model'>): number[][] {
  const encode = model.startIds ? encodeSeq2SeqPrompt : encodePrompt;
  return rows.map((row, i) => encode({ ...row, messages: promptOf(row, i) }, { tokenizer, template }));
}

/** The same for prompts written by someone else, one a row. */
export async function scorePrompts(
  prompts: readonly number[][],
  stops: Stops,
  options: GenerationOptions & JudgingOptions,
): Promise<Scored> {
  const judge = new Judge(options);
  const log = options.log === undefined ? undefined : await SampleLog.open(options.log, judge.name);
  const samples = new Array<RowSample>(prompts.length);
  try {
    await continuations(prompts, stops, options, (index, text) => {
      samples[index] = judge.sample(index, text.trim());
      log?.add(samples[index]);
    });
  } finally {
    await log?.close();
  }
  return judge.scored(samples);
}

/** Judge answers that are there already, one a row: of a person, another program, a baseline. */
export async function judgeAnswers(answers: readonly string[], options: JudgingOptions): Promise<Scored> {
  const { rows } = options;
  needRows(rows);
  if (answers.length !== rows.length)
    throw new BadInput({
      problem: 'there is not one answer a row',
      expected: `${rows.length} answers`,
      found: `${answers.length}`,
    });
  const judge = new Judge(options);
  const samples = answers.map((answer, index) => judge.sample(index, answer));
  if (options.log !== undefined) {
    const log = await SampleLog.open(options.log, judge.name);
    for (const sample of samples) log.add(sample);
    await log.close();
  }
  return judge.scored(samples);
}

class Judge {
  readonly name: string;
  readonly #rows: readonly Row[];
  readonly #metrics: readonly Metric[];
  readonly #check: (answer: string, row: Row) => Verdict | boolean;
  readonly #trained: Trained | undefined;

  constructor({ rows, check, metrics = DEFAULT_METRICS, trainRows, name = 'model' }: JudgingOptions) {
    this.name = name;
    this.#rows = rows;
    rows.forEach(promptOf);
    this.#metrics = metricsOf(metrics);
    this.#check = check ?? ((answer, row) => taskCheck(row, answer));
    this.#trained = trainRows && new Trained(trainRows);
  }

  sample(index: number, got: string): RowSample {
    const row = this.#rows[index]!;
    const verdict = asVerdict(this.#check(got, row), index);
    const expected = answerOf(row);
    // The row's own answer first, which is the one that is shown.
    const all = [...new Set([expected, ...references(row)])];
    const metrics: Record<string, number> = { task: verdict.score };
    for (const metric of this.#metrics)
      metrics[metric.name] = asNumber(metric.of({ got, references: all, row }), metric.name, index);
    const cluster = field(row, 'cluster');
    const supervision = this.#trained?.supervision(row);
    return {
      index,
      prompt: question(row),
      expected,
      got,
      correct: verdict.correct,
      ...(row.task === undefined ? {} : { task: row.task }),
      ...(cluster === undefined ? {} : { cluster }),
      ...(supervision === undefined ? {} : { supervision }),
      ...(verdict.why === undefined ? {} : { why: verdict.why }),
      metrics,
      row,
    };
  }

  scored(samples: readonly RowSample[]): Scored {
    const leaked = this.#trained ? this.#rows.filter(row => this.#trained!.holds(row)).length : 0;
    return new Scored(this.name, samples, { leaked });
  }
}

function asVerdict(given: Verdict | boolean, index: number): Verdict {
  if (typeof given === 'boolean') return { correct: given, score: Number(given) };
  if (typeof given?.correct === 'boolean' && Number.isFinite(given.score)) return given;
  throw new BadInput({
    problem: `"check" does not say whether the answer of row ${index} is right`,
    where: { key: 'check' },
    expected: 'true or false, or { correct, score, why? }',
    found: quote(given ?? String(given)),
  });
}

function asNumber(value: number, metric: string, index: number): number {
  if (Number.isFinite(value) || Number.isNaN(value)) return value;
  throw new BadInput({
    problem: `the metric "${metric}" gave no number for row ${index}`,
    where: { key: 'metrics' },
    expected: 'a finite number, or NaN for an answer that cannot be scored',
    found: quote(typeof value === 'number' ? String(value) : (value ?? String(value))),
  });
}
