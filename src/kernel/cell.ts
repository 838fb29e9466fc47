import { createRequire } from 'node:module';
import vm from 'node:vm';
import type { CellOutcome, ErrorContent } from './channel.js';
import { type Interrupts, KeyboardInterrupt } from './interrupt.js';
import type { Language } from './language.js';
import type { Modules } from './modules.js';
import { render } from './result.js';
import { type CellHelpers, HELPERS } from './rewrite.js';
import { type CellSources, diagnosticContent, errorContent } from './traceback.js';

/** A cell to run. `silent` ones show no result. */
export interface Cell {
  code: string;
  cell: number;
  expressions: Record<string, string>;
  silent: boolean;
}

/** A type error, carried to where the outcome is made. */
class DoesNotCompile extends Error {
  constructor(readonly content: ErrorContent) {
    super(content.evalue);
  }
}

/** Runs cells one after the other, with the variables and declarations of those before. */
export class CellRunner {
  readonly #language: Language;
  readonly #modules: Modules;
  readonly #interrupts: Interrupts;
  readonly #sources: CellSources;
  readonly #exports: Record<string, unknown> = variables();
  #declarations = '';

  constructor(language: Language, modules: Modules, interrupts: Interrupts, sources: CellSources) {
    this.#language = language;
    this.#modules = modules;
    this.#interrupts = interrupts;
    this.#sources = sources;
    const helpers: CellHelpers = {
      import: specifier => modules.import(specifier),
      namespace: specifier => modules.namespace(specifier),
      dynamicImport: specifier => modules.namespace(String(specifier)),
      await: value => interrupts.await(value),
      iterate: source => interrupts.iterate(source),
      meta: modules.meta,
    };
    // vm runs a script, not a function with arguments, so the arguments wait on a global.
    Object.defineProperty(globalThis, HELPERS, {
      value: { exports: this.#exports, require: modules.require, helpers },
      enumerable: false,
    });
  }

  /** Declarations known so far, for completion and inspection. */
  get declarations(): string {
    return this.#declarations;
  }

  async run({ code, cell, expressions, silent }: Cell): Promise<CellOutcome> {
    this.#interrupts.begin();
    try {
      const value = await this.#evaluate(code, cell);
      const result =
        silent || value === undefined ? undefined : { data: await this.#interrupts.race(render(value)), metadata: {} };
      return { status: 'ok', result, expressions: await this.#expressions(expressions, cell) };
    } catch (error) {
      return this.#failure(error);
    } finally {
      this.#interrupts.end();
    }
  }

  /** Value of the last expression; undefined where the cell ends with something else. */
  async #evaluate(code: string, cell: number): Promise<unknown> {
    const compiled = this.#interrupts.guard(() => this.#language.compile(this.#declarations, code));
    this.#modules.update(compiled.sideOutputs ?? []);
    if (compiled.diagnostics.length > 0) throw new DoesNotCompile(diagnosticContent(compiled.diagnostics, code, cell));
    this.#sources.set(cell, code, compiled.output?.split('\n').length ?? 0, compiled.trace);
    this.#interrupts.check();
    // A cell that fails half-way keeps its names, as it keeps the values it assigned before.
    this.#declarations = compiled.declOutput ?? '';
    if (!compiled.output) return undefined;

    const script = `(async function (exports, require, ${HELPERS}) { ${compiled.output}\n})(${HELPERS}.exports, ${HELPERS}.require, ${HELPERS}.helpers)`;
    const filename = this.#sources.fileName(cell);
    const running = this.#interrupts.inVm(() => vm.runInThisContext(script, { filename, breakOnSigint: true })) as Promise<void>;
    await this.#interrupts.race(running);
    const name = compiled.lastExpressionVar;
    if (name === undefined) return undefined;
    const value = this.#exports[name];
    delete this.#exports[name];
    return value;
  }

  async #expressions(expressions: Record<string, string>, cell: number): Promise<Record<string, unknown>> {
    const out: Record<string, unknown> = {};
    for (const [name, code] of Object.entries(expressions)) {
      try {
        out[name] = { status: 'ok', data: await render(await this.#evaluate(code, cell)), metadata: {} };
      } catch (error) {
        const { ename, evalue, traceback } = this.#failure(error);
        out[name] = { status: 'error', ename, evalue, traceback };
      }
    }
    return out;
  }

  #failure(error: unknown): { status: 'error'; interrupted: boolean } & ErrorContent {
    if (error instanceof DoesNotCompile) return { status: 'error', interrupted: false, ...error.content };
    const interrupted = this.#interrupts.interrupted || isForced(error);
    // Whatever an interrupt made fail (an aborted wait, a cut script) failed because of it.
    const shown = interrupted && !(error instanceof KeyboardInterrupt) ? new KeyboardInterrupt() : error;
    return { status: 'error', interrupted, ...errorContent(shown, this.#sources) };
  }
}

function isForced(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
}

/** The notebook's variables. Compiled imports are defined by getters; assigned as values they can be set again by a later cell. */
function variables(): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  return new Proxy(own, {
    defineProperty(_target, name, attributes) {
      if (name !== '__esModule') own[name as string] = attributes.get ? attributes.get() : attributes.value;
      return true;
    },
  });
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
