import { createRequire } from 'node:module';
import type ts from 'typescript';

/** The TypeScript that checks and compiles cells. */
export type Compiler = typeof ts;

/** TypeScript, loaded when first asked for: it takes a fifth of a second. */
export function loadCompiler(): Compiler {
  return createRequire(import.meta.url)('typescript') as Compiler;
}
