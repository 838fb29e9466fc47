import type ts from 'typescript';
import type { Compiler } from './compiler.js';

/** The compiler's own classes, by compiler: the notebook that came last is asked. */
const originals = new WeakMap<object, Class[]>();

type Class = new (...args: never[]) => object;

/** The part of the compiler that makes its objects: exported, but not declared in its types. */
interface Internals {
  objectAllocator?: { getTypeConstructor(): Class; getSignatureConstructor(): Class };
  setObjectAllocator?(allocator: object): void;
}

/**
 * Let what the type checker does be ended half-way. TypeScript's own cancellation token is asked between statements only, and
 * the types of one statement can take minutes; so it is asked whenever the checker makes a type, too. What is thrown is what the
 * token throws: the program drops its checker, whose state is unknown then.
 * Parsing and binding make no types, so source files, which outlive the checker, are always whole.
 */
export function makeCancellable(compiler: Compiler, cancelled: () => boolean): ts.CancellationToken {
  const throwIfCancellationRequested = () => {
    if (cancelled()) throw new compiler.OperationCanceledException();
  };
  const { objectAllocator, setObjectAllocator } = compiler as unknown as Internals;
  if (objectAllocator && setObjectAllocator) {
    const watched = (base: Class): Class =>
      class extends (base as new (...args: unknown[]) => object) {
        constructor(a: unknown, b: unknown) {
          super(a, b);
          throwIfCancellationRequested();
        }
      };
    const classes = originals.get(compiler) ?? [objectAllocator.getTypeConstructor(), objectAllocator.getSignatureConstructor()];
    originals.set(compiler, classes);
    const [type, signature] = classes.map(watched);
    setObjectAllocator({ ...objectAllocator, getTypeConstructor: () => type, getSignatureConstructor: () => signature });
  }
  return { isCancellationRequested: cancelled, throwIfCancellationRequested };
}
