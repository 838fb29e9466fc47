import { BadInput } from '../../../base/core/index.js';

/** What one rendering may use. Templates come from strangers: without limits a few characters can fill the memory. */
export interface Limits {
  /** Expressions, statements and items visited. Defaults to 20 million, about 2 seconds. */
  steps?: number;
  /** Characters made in all, printed or not. Defaults to 256 million. */
  characters?: number;
  /** Calls within calls. Defaults to 200. */
  depth?: number;
}

/** Counts what a rendering uses and ends it when that is too much. */
export class Meter {
  private steps: number;
  private characters: number;
  private depth: number;

  constructor({ steps = 20e6, characters = 256e6, depth = 200 }: Limits = {}) {
    this.steps = steps;
    this.characters = characters;
    this.depth = depth;
  }

  step(count = 1): void {
    this.steps -= count;
    if (this.steps < 0) throw tooMuch('too many steps', 'limits: {steps}');
  }

  /** To be called before the characters are made. */
  make(count: number): void {
    this.characters -= count;
    if (!(this.characters >= 0)) throw tooMuch('too many characters', 'limits: {characters}');
  }

  enter(): void {
    if (--this.depth < 0) throw tooMuch('calls nested too deeply', 'limits: {depth}');
  }

  leave(): void {
    this.depth++;
  }
}

function tooMuch(what: string, option: string): BadInput {
  return new BadInput({
    problem: `the template was stopped: ${what}`,
    expected: 'a chat template, which needs little',
    fix: `if the template is to be trusted and the conversation really is that long, raise ${option}`,
  });
}

// Rendering is synchronous, so the meter of the rendering at work can stand here instead of in every signature.
let current = new Meter();

/** The meter of the rendering at work. */
export function meter(): Meter {
  return current;
}

/** Run `work` on a meter of its own. */
export function metered<T>(limits: Limits | undefined, work: () => T): T {
  const before = current;
  current = new Meter(limits);
  try {
    return work();
  } finally {
    current = before;
  }
}
