import vm from 'node:vm';
import { type CodeHelpers, HELPERS, VARIABLES } from './code-helpers.js';

/** What compiled code finds around it. */
export interface Surroundings {
  exports: object;
  require: NodeJS.Require;
  filename: string;
  dirname: string;
  helpers: CodeHelpers;
  /** The notebook's variables: what other cells declared. */
  variables: object;
}

/** Lines of {@link functionText} before the compiled text. */
export const LINES_BEFORE = 1;

/** The text of a function that runs a compiled text among its {@link Surroundings}. */
export function functionText(output: string): string {
  // The outer function holds the names that a cell may declare for itself (`const require = createRequire(…)`).
  return `(function ({ exports, require, filename: __filename, dirname: __dirname, helpers: ${HELPERS}, variables: ${VARIABLES} }) { return (async () => { "use strict";\n${output}\n})(); })`;
}

/** Run a compiled text as the file of this name. */
export function run(output: string, surroundings: Surroundings): Promise<void> {
  const body = vm.runInThisContext(functionText(output), { filename: surroundings.filename }) as (
    given: Surroundings,
  ) => Promise<void>;
  return body(surroundings);
}
