import type { Signature, Statement } from './ast.js';
import { Scope } from './scope.js';
import { type Arguments, Callable, Dict, fail, or, Tuple, Undefined, type Value } from './values.js';

interface Macro {
  name: string;
  signature: Signature;
  body: readonly Statement[];
  /** Where it was defined: its body sees these names. */
  scope: Scope;
  render: (body: readonly Statement[], scope: Scope) => Value;
  evaluate: (of: Signature['defaults'][number], scope: Scope) => Value;
}

/** A macro, or the body of a call block, as something to call. */
export function makeMacro({ name, signature, body, scope, render, evaluate }: Macro): Callable {
  const { names, defaults } = signature;
  // As in Jinja, a macro takes further arguments exactly when its body mentions where they would be.
  const takes = (special: string) => !names.includes(special) && mentions(body, special);
  const [caller, named, rest] = [takes('caller'), takes('kwargs'), takes('varargs')];
  const run = ({ args, kwargs }: Arguments): Value => {
    const inner = new Scope(scope);
    const left = new Map(kwargs);
    if (args.length > names.length && !rest) throw fail(`macro ${name} takes not more than ${names.length} arguments`);
    const values: (Value | undefined)[] = names.map((parameter, i) => {
      if (i < args.length) return args[i];
      const value = left.get(parameter);
      left.delete(parameter);
      return value;
    });
    if (caller) {
      inner.set('caller', or(left.get('caller'), new Undefined('no caller defined')));
      left.delete('caller');
    }
    if (!named && left.size > 0) throw fail(`macro ${name} takes no keyword argument ${[...left.keys()][0]}`);
    if (named) inner.set('kwargs', new Dict(left));
    if (rest) inner.set('varargs', new Tuple(args.slice(names.length)));
    for (const [i, parameter] of names.entries()) {
      const fallback = defaults[i - (names.length - defaults.length)];
      const given = values[i];
      const value = given === undefined && fallback ? evaluate(fallback, inner) : given;
      inner.set(parameter, or(value, new Undefined(`parameter ${parameter} was not provided`)));
    }
    return render(body, inner);
  };
  const attributes = new Map<string, Value>([
    ['name', name],
    ['arguments', new Tuple(names)],
    ['caller', caller],
    ['catch_kwargs', named],
    ['catch_varargs', rest],
  ]);
  return new Callable(name, run, attributes, 'Macro');
}

const found = new WeakMap<object, Map<string, boolean>>();

/** Whether the statements use a name anywhere. */
function mentions(body: readonly Statement[], name: string): boolean {
  const known = found.get(body)?.get(name);
  if (known !== undefined) return known;
  const look = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(look);
    if (typeof node !== 'object' || node === null) return false;
    const { type, name: own } = node as { type?: string; name?: string };
    if (type === 'name' && own === name) return true;
    return Object.values(node).some(look);
  };
  const result = look(body);
  if (!found.has(body)) found.set(body, new Map());
  found.get(body)!.set(name, result);
  return result;
}
