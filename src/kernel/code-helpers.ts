import type ts from 'typescript';

/** Name of the object that compiled code finds its helpers in (see {@link CodeHelpers}). */
export const HELPERS = '__tunebook__';
/** Name of the object that holds the notebook's variables. */
export const VARIABLES = '__notebook__';

/** What compiled cells and local files call. */
export interface CodeHelpers {
  /** Namespace of a static import: `import … from`. */
  import(specifier: string): Promise<object>;
  /** `import * as name from`. */
  namespace(specifier: string): Promise<object>;
  /** `import name = require()`. */
  required(specifier: string): Promise<unknown>;
  /** `import()`. */
  dynamicImport(specifier: string): Promise<object>;
  /** Every `await x` is `await helpers.await(x, place)`: where an interrupt takes hold and an asynchronous stack is noted. */
  await<T>(value: T, place: number): T | Promise<Awaited<T>>;
  /** Every `for await (… of x)`. */
  iterate<T>(source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>, place: number): AsyncIterable<T>;
  /** `import.meta`. */
  meta: object;
  /** A cell has declared a variable, or a file exports one; without `set` it is constant. */
  define(name: string, get: () => unknown, set?: (value: unknown) => void): void;
  /** `export * from`. */
  star(namespace: object): void;
  /** `export =`. */
  exportAll(value: unknown): void;
  /** The last expression of a cell. */
  result(value: unknown): void;
}

export function helperMember(factory: ts.NodeFactory, name: keyof CodeHelpers): ts.Expression {
  return factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), name);
}

export function call(factory: ts.NodeFactory, name: keyof CodeHelpers, values: readonly ts.Expression[]): ts.CallExpression {
  return factory.createCallExpression(helperMember(factory, name), undefined, values);
}

export function constant(
  factory: ts.NodeFactory,
  name: string,
  value: ts.Expression,
  modifiers?: readonly ts.ModifierLike[],
): ts.Statement {
  // 2 is NodeFlags.Const.
  return factory.createVariableStatement(
    modifiers,
    factory.createVariableDeclarationList([factory.createVariableDeclaration(name, undefined, undefined, value)], 2),
  );
}

/** `helpers.define("a", () => a, value => a = value);` */
export function defineStatement(factory: ts.NodeFactory, name: string, value: ts.Expression, isConstant: boolean): ts.Statement {
  const arrow = (parameters: string[], result: ts.Expression) =>
    factory.createArrowFunction(
      undefined,
      undefined,
      parameters.map(each => factory.createParameterDeclaration(undefined, undefined, each)),
      undefined,
      undefined,
      result,
    );
  const set = isConstant ? [] : [arrow(['$value'], factory.createAssignment(value, factory.createIdentifier('$value')))];
  return factory.createExpressionStatement(
    call(factory, 'define', [factory.createStringLiteral(name), arrow([], value), ...set]),
  );
}

/** `object.property`, or `object["property"]` where it is no name. */
export function memberOf(factory: ts.NodeFactory, object: string, property: string): ts.Expression {
  const base = factory.createIdentifier(object);
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(property)
    ? factory.createPropertyAccessExpression(base, property)
    : factory.createElementAccessExpression(base, factory.createStringLiteral(property));
}
