import type { BeamOptions } from './beam.js';
import type { Finish } from './row.js';
import { kthLargest, penalised } from './sampling.js';

/** A running beam: its new tokens and their Σ log p. */
interface Beam {
  tokens: number[];
  score: number;
}

/** A finished hypothesis; its score carries the length penalty. */
export interface FinishedBeam extends Beam {
  finish: Finish;
}

/** Where the beams of the next step come from. Both are empty when the search is over. */
export interface BeamStep {
  /** Row of this step that each goes on from. */
  parents: number[];
  tokens: number[];
}

/** The beam search of one prompt: running beams and finished hypotheses. */
export class Hypotheses {
  readonly #before: readonly number[];
  readonly #most: number;
  readonly #stops: ReadonlySet<number>;
  readonly #options: BeamOptions;
  readonly #numBeams: number;
  /** One at first: the prompt. */
  #running: Beam[] = [{ tokens: [], score: 0 }];
  /** Best first, at most as many as beams. */
  #finished: FinishedBeam[] = [];
  #over: boolean;

  /**
   * @param before what the repetition penalty counts
   * @param most new tokens at most
   */
  constructor(before: readonly number[], most: number, stops: ReadonlySet<number>, options: BeamOptions) {
    this.#before = before;
    this.#most = most;
    this.#stops = stops;
    this.#options = options;
    this.#numBeams = options.numBeams ?? 4;
    this.#over = most <= 0;
  }

  /** Rows of the batch that belong to this prompt. */
  get rows(): number {
    return this.#running.length;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The best hypotheses; when nothing was to be generated, the empty one. */
  best(count: number): FinishedBeam[] {
    if (this.#finished.length === 0) return [{ tokens: [], score: 0, finish: 'length' }];
    return this.#finished.slice(0, count);
  }

  /**
   * Take one step.
   * @param logits of the running beams, [rows · vocabulary]
   */
  step(logits: Float32Array, vocabulary: number): BeamStep {
    const { lengthPenalty = 1, earlyStopping = false } = this.#options;
    // As many candidates that, should the best all end, as many as beams go on.
    const wide = Math.max(2, 1 + this.#stops.size) * this.#numBeams;
    const candidates = this.#candidates(logits, vocabulary, wide);
    const length = this.#running[0]!.tokens.length + 1;
    const atEnd = length >= this.#most;
    const full = earlyStopping === true && this.#finished.length === this.#numBeams;
    const going: { parent: number; beam: Beam }[] = [];
    candidates.forEach(({ parent, token, score }, rank) => {
      const ends = this.#stops.has(token);
      const tokens = [...this.#running[parent]!.tokens, token];
      if (!ends && !atEnd) {
        if (going.length < this.#numBeams) going.push({ parent, beam: { tokens, score } });
      } else if (rank < this.#numBeams && !full) {
        this.#finished.push({ tokens, score: score / length ** lengthPenalty, finish: ends ? 'stop' : 'length' });
      }
    });
    this.#finished.sort((a, b) => b.score - a.score);
    this.#finished.length = Math.min(this.#finished.length, this.#numBeams);
    this.#running = going.map(({ beam }) => beam);
    this.#over = going.length === 0 || this.#settled(length);
    if (this.#over) {
      this.#running = [];
      return { parents: [], tokens: [] };
    }
    return { parents: going.map(({ parent }) => parent), tokens: going.map(({ beam }) => beam.tokens[length - 1]!) };
  }

  /** Whether no running beam is expected to displace a finished one. */
  #settled(length: number): boolean {
    const { lengthPenalty = 1, earlyStopping = false } = this.#options;
    if (this.#finished.length < this.#numBeams) return false;
    if (earlyStopping === true) return true;
    const bestLength = earlyStopping === 'never' && lengthPenalty > 0 ? this.#most : length;
    return this.#running[0]!.score / bestLength ** lengthPenalty <= this.#finished.at(-1)!.score;
  }

  /** The best continuations over all running beams, best first. */
  #candidates(logits: Float32Array, vocabulary: number, count: number): { parent: number; token: number; score: number }[] {
    const found: { parent: number; token: number; score: number }[] = [];
    this.#running.forEach((beam, parent) => {
      const row = logits.subarray(parent * vocabulary, (parent + 1) * vocabulary);
      const logProbs = logSoftmax(row);
      const seen = new Set([...this.#before, ...beam.tokens]);
      // transformers penalises log-probabilities here, where sampling penalises logits.
      const scores = penalised(logProbs, seen, this.#options.repetitionPenalty);
      const least = kthLargest(scores, Math.min(count, vocabulary));
      for (let token = 0; token < vocabulary; token++)
        if (scores[token]! >= least) found.push({ parent, token, score: beam.score + scores[token]! });
    });
    return found.sort((a, b) => b.score - a.score || a.parent - b.parent || a.token - b.token).slice(0, count);
  }
}

function logSoftmax(logits: Float32Array): Float32Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > top) top = logits[i]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - top);
  const norm = top + Math.log(sum);
  return logits.map(z => z - norm);
}
