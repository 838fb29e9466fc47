/** A parsed chat template. */

export interface CallArguments {
  args: Expression[];
  kwargs: [name: string, value: Expression][];
  /** `*args` and `**kwargs`. */
  rest?: Expression;
  restNamed?: Expression;
}

export type Expression =
  | { type: 'const'; value: string | number | bigint | boolean | null; float?: boolean }
  | { type: 'name'; name: string }
  | { type: 'tuple' | 'list'; items: Expression[] }
  | { type: 'dict'; items: [Expression, Expression][] }
  | { type: 'attribute'; of: Expression; name: string }
  | { type: 'item'; of: Expression; key: Expression }
  | { type: 'slice'; start?: Expression; stop?: Expression; step?: Expression }
  | { type: 'call'; callee: Expression; with: CallArguments }
  /** `of` is absent in filter blocks and set blocks, where the body stands in its place. */
  | { type: 'filter'; of?: Expression; name: string; with: CallArguments; line: number }
  | { type: 'test'; of: Expression; name: string; with: CallArguments; line: number }
  | { type: 'unary'; op: '-' | '+' | 'not'; of: Expression }
  | { type: 'binary'; op: string; left: Expression; right: Expression }
  | { type: 'and' | 'or'; left: Expression; right: Expression }
  | { type: 'concat'; items: Expression[] }
  | { type: 'compare'; first: Expression; rest: [op: string, right: Expression][] }
  | { type: 'condition'; test: Expression; yes: Expression; otherwise?: Expression };

/** What can be assigned to; `key` is an attribute of a namespace. */
export type Target =
  | { type: 'name'; name: string }
  | { type: 'key'; name: string; key: string }
  | { type: 'tuple'; items: Target[] };

export interface Signature {
  names: string[];
  /** Of the last names. */
  defaults: Expression[];
}

export type Statement =
  | { type: 'data'; text: string }
  | { type: 'print'; value: Expression; line: number }
  | {
      type: 'for';
      target: Target;
      over: Expression;
      test?: Expression;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
    }
  | { type: 'if'; branches: [test: Expression, body: Statement[]][]; otherwise: Statement[] }
  | { type: 'set'; target: Target; value: Expression }
  | { type: 'capture'; target: Target; filter?: Expression; body: Statement[] }
  | { type: 'macro'; name: string; signature: Signature; body: Statement[] }
  | { type: 'callBlock'; signature: Signature; call: Expression; body: Statement[] }
  | { type: 'filterBlock'; filter: Expression; body: Statement[] }
  | { type: 'with'; targets: Target[]; values: Expression[]; body: Statement[] }
  | { type: 'scope'; body: Statement[] }
  | { type: 'generation'; body: Statement[] }
  | { type: 'break' | 'continue' }
  | { type: 'missing'; what: string };
