import { createRequire } from 'node:module';
import { join } from 'node:path';
import vm from 'node:vm';
import type { CellEnd } from './cell-end.js';
import type { CellOutcome, ErrorContent } from './channel.js';
import { functionText, type Surroundings } from './code.js';
import type { CodeHelpers } from './code-helpers.js';
import { type Interrupts, KeyboardInterrupt } from './interrupt.js';
import type { Language } from './language.js';
import type { Modules } from './modules.js';
import { render } from './result.js';
import { type CellSources, DoesNotCompile, diagnosticContent, errorContent } from './traceback.js';

/** A cell to run. `silent` ones show no result. */
export interface Cell {
  /** Serial number: every cell that runs has one of its own. */
  serial: number;
  code: string;
  cell: number;
  expressions: Record<string, string>;
  silent: boolean;
}

/** What becomes of a cell. */
interface Turn {
  /** It has its outcome. */
  over: boolean;
  /** Take down what the code that runs has declared until now; what it declares later is lost. */
  close?: () => void;
}

/** Name of the global on which what a cell finds around it waits for the script that runs it. */
const SURROUNDINGS = '__tunebook_cell__';

/** Runs cells one after the other, with the variables and declarations of those before. */
export class CellRunner {
  readonly #language: Language;
  readonly #modules: Modules;
  readonly #interrupts: Interrupts;
  readonly #sources: CellSources;
  readonly #cellEnd: CellEnd;
  /** The notebook's variables: each is defined by the cell that declared it last, see `transformers`. */
  readonly #variables: Record<string, unknown> = {};

  constructor(language: Language, modules: Modules, interrupts: Interrupts, sources: CellSources, cellEnd: CellEnd) {
    this.#language = language;
    this.#modules = modules;
    this.#interrupts = interrupts;
    this.#sources = sources;
    this.#cellEnd = cellEnd;
  }

  /** Run a cell. @param done gets its outcome, once; also when an interrupt leaves nothing of the cell that could end. */
  run(cell: Cell, done: (outcome: CellOutcome) => void): void {
    const turn: Turn = { over: false };
    const finish = (outcome: CellOutcome) => {
      if (turn.over) return;
      turn.over = true;
      turn.close?.();
      // Shielded: the last picture of a chart that an interrupted cell drew is the one worth having.
      void this.#interrupts.shield(async () => {
        await this.#cellEnd.run();
        this.#interrupts.end(outcome.status === 'error' && outcome.interrupted);
        done(outcome);
      });
    };
    this.#interrupts.begin(cell.serial, () => finish(this.#failure(new KeyboardInterrupt())));
    this.#run(cell, turn).then(finish, error => finish(this.#failure(error)));
  }

  async #run({ code, cell, expressions, silent }: Cell, turn: Turn): Promise<CellOutcome> {
    const value = await this.#evaluate(code, cell, turn);
    const result = silent || value === undefined || turn.over ? undefined : { data: await render(value), metadata: {} };
    return { status: 'ok', result, expressions: await this.#expressions(expressions, cell, turn) };
  }

  /** Value of the last expression; undefined where the cell ends with something else. */
  async #evaluate(code: string, number: number, turn: Turn): Promise<unknown> {
    const { cell, diagnostics } = this.#interrupts.guard(() => this.#language.compile(code));
    if (!cell) throw new DoesNotCompile(diagnosticContent(diagnostics, this.#sources, { code, number }));
    const filename = this.#sources.fileName(number);
    this.#sources.set(filename, cell, `cell ${number}`);
    this.#interrupts.check();

    const reached = new Set<string>();
    let value: unknown;
    let open = true;
    const own: Pick<CodeHelpers, 'define' | 'star' | 'exportAll' | 'result'> = {
      define: (name, get, set) => {
        if (!open) return;
        reached.add(name);
        Object.defineProperty(this.#variables, name, { get, set, enumerable: true, configurable: true });
      },
      star() {},
      exportAll() {},
      result: last => {
        value = last;
      },
    };
    const surroundings: Surroundings = {
      exports: this.#variables,
      require: this.#modules.require(this.#modules.folder),
      filename: join(this.#modules.folder, '__notebook__.mjs'),
      dirname: this.#modules.folder,
      helpers: { ...this.#modules.helpers(filename, this.#modules.folder), ...own },
      variables: this.#variables,
    };
    // A cell that fails half-way keeps what it declared until then; one that was given up and goes on adds nothing to it.
    turn.close = () => {
      if (open) this.#interrupts.guard(() => this.#language.commit(cell, reached));
      open = false;
    };
    try {
      // vm runs a script, not a function with arguments, so the arguments wait on a global.
      Object.defineProperty(globalThis, SURROUNDINGS, { value: surroundings, configurable: true, enumerable: false });
      const script = `${functionText(cell.output)}(${SURROUNDINGS})`;
      await (vm.runInThisContext(script, { filename }) as Promise<void>);
      return value;
    } finally {
      turn.close();
    }
  }

  async #expressions(expressions: Record<string, string>, cell: number, turn: Turn): Promise<Record<string, unknown>> {
    const out: Record<string, unknown> = {};
    for (const [name, code] of Object.entries(expressions)) {
      // The kernel has ended the cell: what still comes of it must not run beside the next one.
      if (turn.over) break;
      this.#interrupts.check();
      try {
        out[name] = { status: 'ok', data: await render(await this.#evaluate(code, cell, turn)), metadata: {} };
      } catch (error) {
        const { ename, evalue, traceback } = this.#failure(error);
        out[name] = { status: 'error', ename, evalue, traceback };
      }
    }
    return out;
  }

  #failure(error: unknown): { status: 'error'; interrupted: boolean } & ErrorContent {
    const kind = kindOf(error);
    const interrupted = kind !== 'type error' && (this.#interrupts.interrupted || kind === 'forced stop');
    // Whatever an interrupt made fail (an aborted wait, a cut script) failed because of it.
    const shown = interrupted && kind !== 'interrupt' ? new KeyboardInterrupt() : error;
    return { status: 'error', interrupted, ...errorContent(shown, this.#sources) };
  }
}

function kindOf(error: unknown): 'type error' | 'interrupt' | 'forced stop' | 'other' {
  try {
    if (error instanceof DoesNotCompile) return 'type error';
    if (error instanceof KeyboardInterrupt) return 'interrupt';
    return (error as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' ? 'forced stop' : 'other';
  } catch {
    // A cell may throw anything, even a proxy that throws when it is looked at.
    return 'other';
  }
}

/** Route tslab's own display functions (`import * as tslab from 'tslab'`) to this kernel. */
export function tslabModule(
  display: (content: { data: Record<string, unknown>; transient?: { display_id?: string } }, update: boolean) => void,
): unknown {
  const require = createRequire(import.meta.url);
  const jupyter = require('tslab/dist/jupyter.js') as { lastWriteDisplayData: typeof display };
  jupyter.lastWriteDisplayData = display;
  return require('tslab');
}
