import type ts from 'typescript';

/** What this Node has, by the file of TypeScript's library that declares it. */
const FEATURES: readonly (readonly [lib: string, has: () => boolean])[] = [
  ['es2024.arraybuffer', () => 'transfer' in ArrayBuffer.prototype],
  ['es2024.collection', () => 'groupBy' in Map],
  ['es2024.object', () => 'groupBy' in Object],
  ['es2024.promise', () => 'withResolvers' in Promise],
  ['es2024.regexp', () => 'unicodeSets' in RegExp.prototype],
  ['es2024.sharedmemory', () => 'waitAsync' in Atomics],
  ['es2024.string', () => 'isWellFormed' in String.prototype],
  ['es2025.collection', () => 'union' in Set.prototype],
  ['es2025.float16', () => 'Float16Array' in globalThis],
  ['es2025.intl', () => 'DurationFormat' in Intl],
  ['es2025.iterator', () => 'Iterator' in globalThis],
  ['es2025.promise', () => 'try' in Promise],
  ['es2025.regexp', () => 'escape' in RegExp],
  ['esnext.array', () => 'fromAsync' in Array],
  ['esnext.collection', () => 'getOrInsert' in Map.prototype],
  ['esnext.date', () => 'toTemporalInstant' in Date.prototype],
  ['esnext.disposable', () => 'DisposableStack' in globalThis],
  ['esnext.error', () => 'isError' in Error],
  ['esnext.sharedmemory', () => 'pause' in Atomics],
  ['esnext.temporal', () => 'Temporal' in globalThis],
  ['esnext.typedarrays', () => 'fromBase64' in Uint8Array],
];

/**
 * The library declarations cells are checked against: those of the Node that runs them, feature by feature. What a newer Node
 * has is an error of the type checker here, not a surprise at run time. `Symbol.dispose` comes from Node's own types.
 */
export function libraries(): string[] {
  const found = FEATURES.filter(([, has]) => has()).map(([lib]) => lib);
  return ['es2023', ...found].map(lib => `lib.${lib}.d.ts`);
}

/** Name of the library file that {@link webAssembly} makes, and of the one it is made from. */
export const WEB_ASSEMBLY = { file: 'lib.webassembly.d.ts', from: 'lib.webworker.d.ts' } as const;

/** The namespace `WebAssembly`, which neither ES libraries nor Node's types declare, out of a library for browsers. */
export function webAssembly(library: string): string {
  const found = /^declare namespace WebAssembly \{$.*?^\}$/ms.exec(library)?.[0] ?? '';
  return found.replace('{', '{ type BufferSource = ArrayBufferView<ArrayBuffer> | ArrayBuffer;');
}

/** Syntax of ES2025; a text, since an older Node could not even read a file that holds it. */
const MODIFIERS = '(?i:a)';

/** The newest syntax this Node runs as it is. Decorators and `using` are compiled away. */
export function syntaxTarget(compiler: typeof ts): ts.ScriptTarget {
  try {
    new RegExp(MODIFIERS);
    return compiler.ScriptTarget.ES2025;
  } catch {
    return compiler.ScriptTarget.ES2024;
  }
}
