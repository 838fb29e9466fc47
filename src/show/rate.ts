import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { appendLines, BadInput, quote, Random, setView } from '../base/core/index.js';
import type { ConversationMessage } from './conversation.js';
import type { figure } from './figure.js';
import { inNotebook, newSpot } from './hosts.js';
import { pair as pairFigure } from './rate-figure.js';
import { escapeHtml, oneLine, printable } from './text.js';
import { button, row, WIDGET_MIME } from './widgets.js';

/** Two answers to one prompt; `evaluate.pairs` makes such. */
export interface RatePair {
  /** Names the pair: the same for all raters. */
  item: string;
  prompt: readonly ConversationMessage[];
  task?: string;
  answers: readonly [{ model: string; text: string }, { model: string; text: string }];
}

/** Options of {@link rate}. */
export interface RateOptions {
  /** JSONL file the ratings are appended to; pairs this rater has rated in it are not shown again. */
  file: string;
  /** Who rates; default `me`. */
  rater?: string;
  /** Of which answer stands left; default 1. */
  seed?: number | string;
  /** Asks for the next word in a terminal; the process's own input unless told. */
  ask?: (question: string) => Promise<string>;
}

type Verdict = 'a' | 'b' | 'tie';

/** Pairs on their way to being rated. */
export class RatingSession {
  readonly file: string;
  readonly rater: string;
  /** Pairs in all. */
  readonly total: number;
  /** Resolves when every pair is rated or skipped, or the session is closed. */
  readonly finished: Promise<void>;
  readonly #waiting: RatePair[];
  readonly #seed: number | string;
  #done: number;
  #writing: Promise<void> = Promise.resolve();
  #finish: () => void = () => undefined;

  constructor(pairs: readonly RatePair[], rated: ReadonlySet<string>, { file, rater = 'me', seed = 1 }: RateOptions) {
    this.file = file;
    this.rater = rater;
    this.total = pairs.length;
    this.#seed = seed;
    this.#waiting = pairs.filter(pair => !rated.has(pair.item));
    this.#done = pairs.length - this.#waiting.length;
    this.finished = new Promise(resolve => {
      this.#finish = () => void this.#writing.then(resolve, resolve);
    });
    if (this.#waiting.length === 0) this.#finish();
  }

  /** Pairs rated or skipped. */
  get done(): number {
    return this.#done;
  }

  /** The pair that is to be rated, as it is shown; undefined at the end. */
  get current(): { pair: RatePair; left: RatePair['answers'][number]; right: RatePair['answers'][number] } | undefined {
    const [pair] = this.#waiting;
    if (!pair) return undefined;
    // Neither side is any model's: it is drawn for every pair and rater.
    const turned = new Random(`rate/${this.#seed}/${this.rater}/${pair.item}`).next() < 0.5;
    const [one, other] = pair.answers;
    return turned ? { pair, left: other, right: one } : { pair, left: one, right: other };
  }

  /** Take a verdict on the current pair; it is on disk when this resolves. */
  rate(verdict: Verdict): Promise<void> {
    const now = this.current;
    if (!now) return this.#writing;
    const { pair, left, right } = now;
    const say = ({ text }: { text: string }) => [{ role: 'assistant', content: text }];
    const winner = { a: left, b: right, tie: undefined }[verdict];
    const loser = winner === left ? right : left;
    const line = {
      prompt: pair.prompt,
      // A preference row; a tie is none, so that whoever trains on the file passes over it.
      ...(winner ? { chosen: say(winner), rejected: say(loser) } : { answers: pair.answers.map(say) }),
      ...(pair.task === undefined ? {} : { task: pair.task }),
      meta: {
        item: pair.item,
        rater: this.rater,
        models: pair.answers.map(answer => answer.model),
        ...(winner ? { winner: winner.model } : {}),
        shown: [left.model, right.model],
        at: new Date().toISOString(),
      },
    };
    const written = this.#writing.then(() => appendLines(this.file, `${JSON.stringify(line)}\n`));
    this.#writing = written.catch(() => undefined);
    this.#next();
    return written;
  }

  /** Go on without a verdict. */
  skip(): void {
    if (this.#waiting.length > 0) this.#next();
  }

  /** End here; what was rated is kept, and the rest is shown the next time. */
  close(): void {
    this.#waiting.length = 0;
    this.#finish();
  }

  #next(): void {
    this.#waiting.shift();
    this.#done++;
    if (this.#waiting.length === 0) this.#finish();
  }
}

setView(RatingSession, it => ({ kind: 'table', data: [{ rater: it.rater, rated: it.done, of: it.total, file: it.file }] }));

/**
 * Ask a person which of two answers is better, without saying whose they are: buttons in the notebook, letters in a terminal. Every
 * verdict is appended to a JSONL file of preference rows, so that `evaluate.preferences(file)` counts them and
 * `data.readPreferences(file, { onBad: 'skip' })` reads them for training (a tie is no preference). In a notebook this returns when
 * the first pair stands there (`await session.finished` waits for the last one), in a terminal when all are rated.
 */
export async function rate(pairs: readonly RatePair[], options: RateOptions): Promise<RatingSession> {
  check(pairs, options);
  const session = new RatingSession(pairs, await ratedBefore(options.file, options.rater ?? 'me'), options);
  if (options.ask === undefined && inNotebook() && (await showButtons(session))) return session;
  const ask = options.ask ?? terminal();
  try {
    await askAll(session, ask);
  } finally {
    (ask as { close?: () => void }).close?.();
  }
  return session;
}

/** False where there are no buttons to be had. */
async function showButtons(session: RatingSession): Promise<boolean> {
  const place = newSpot();
  const bar = newSpot();
  let failed = '';
  // The second click of two must not fall on a pair that nobody has seen yet.
  let busy = false;
  const press = (act: () => Promise<void> | void) => async () => {
    if (busy) return;
    busy = true;
    try {
      await act();
      failed = '';
    } catch (error) {
      failed = error instanceof Error ? error.message : String(error);
    }
    await draw();
    busy = false;
  };
  const words: [string, string, () => Promise<void> | void][] = [
    ['A is better', 'The left answer', () => session.rate('a')],
    ['Tie', 'Neither is better', () => session.rate('tie')],
    ['B is better', 'The right answer', () => session.rate('b')],
    ['Skip', 'No verdict on this pair', () => session.skip()],
    ['Stop', 'The rest another time', () => session.close()],
  ];
  const buttons = words.map(([description, tooltip, act]) => button({ description, tooltip }, press(act)));
  const controls = row(buttons);
  if (!controls || !place || !bar) return false;
  const draw = async () => {
    await place.show(bundle(session, failed));
    if (session.current) return;
    await bar.show({ 'text/html': '', 'text/plain': '' });
    controls.close();
  };
  const view = { [WIDGET_MIME]: controls.view, 'text/plain': 'Rating needs a front end with widgets.' };
  await draw();
  if (session.current) await bar.show(view);
  return true;
}

function bundle(session: RatingSession, failed: string): Record<string, unknown> {
  const { current, done, total, file } = session;
  if (!current) {
    const text = `${done} of ${total} pairs are done. evaluate.preferences('${oneLine(file)}') counts them.`;
    return { 'text/html': `<p>${escapeHtml(text)}</p>`, 'text/plain': text };
  }
  const shown = pairOf(session)!;
  const problem = failed === '' ? '' : `<p><b>Not saved:</b> ${escapeHtml(printable(failed))}</p>`;
  return { 'text/html': problem + shown.html, 'text/plain': shown.text };
}

function pairOf(session: RatingSession): ReturnType<typeof figure> | undefined {
  const { current, done, total } = session;
  if (!current) return undefined;
  const { pair, left, right } = current;
  return pairFigure({
    prompt: pair.prompt,
    ...(pair.task === undefined ? {} : { task: pair.task }),
    a: left.text,
    b: right.text,
    place: `pair ${done + 1} of ${total}`,
  });
}

const LETTERS: Record<string, Verdict | 'skip' | 'quit'> = { a: 'a', b: 'b', t: 'tie', s: 'skip', q: 'quit' };

async function askAll(session: RatingSession, ask: (question: string) => Promise<string>): Promise<void> {
  while (session.current) {
    const word = (await ask(`${pairOf(session)!.text}\n\nWhich is better? a, b, t (tie), s (skip), q (quit): `))
      .trim()
      .toLowerCase();
    const act = LETTERS[word.slice(0, 1)];
    if (act === 'quit') session.close();
    else if (act === 'skip') session.skip();
    else if (act) await session.rate(act);
  }
}

/** Lines of the terminal; where a kernel has its own way to ask, that. */
function terminal(): (question: string) => Promise<string> {
  const own = (globalThis as { prompt?: (question: string) => string | null }).prompt;
  if (inNotebook() && typeof own === 'function') return async question => own(question) ?? 'q';
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // Lines that come before they are asked for wait here; an input that ends is a rater who goes.
  const waiting = lines[Symbol.asyncIterator]();
  const ask = async (question: string) => {
    process.stdout.write(question);
    const { value, done } = await waiting.next();
    return done ? 'q' : value;
  };
  return Object.assign(ask, { close: () => lines.close() });
}

/** Items this rater has rated in the file. Lines that cannot be read are nobody's. */
async function ratedBefore(file: string, rater: string): Promise<Set<string>> {
  const text = await readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const items = text.split('\n').flatMap(line => {
    try {
      const { meta } = JSON.parse(line) as { meta?: { item?: unknown; rater?: unknown } };
      return meta?.rater === rater && typeof meta.item === 'string' ? [meta.item] : [];
    } catch {
      return [];
    }
  });
  return new Set(items);
}

function check(pairs: readonly RatePair[], { file }: RateOptions): void {
  const good = (pair: RatePair | null) =>
    typeof pair?.item === 'string' &&
    Array.isArray(pair.prompt) &&
    pair.answers?.length === 2 &&
    pair.answers.every(answer => typeof answer?.model === 'string' && typeof answer.text === 'string');
  const wrong = Array.isArray(pairs) ? pairs.findIndex(pair => !good(pair)) : 0;
  if (Array.isArray(pairs) && pairs.length > 0 && wrong < 0 && typeof file === 'string' && file !== '') return;
  throw new BadInput({
    problem: 'there is nothing to rate',
    expected: '{ item, prompt, answers: [{ model, text }, { model, text }] }, and a file for the ratings',
    found: quote(Array.isArray(pairs) && pairs.length > 0 && wrong >= 0 ? pairs[wrong] : { pairs: pairs?.length ?? 0, file }),
    fix: "show.rate(evaluate.pairs([base, tuned]), { file: 'ratings.jsonl' })",
  });
}
