import type { CallArguments, Expression } from './ast.js';
import { FILTERS } from './filters.js';
import { attributeOf, itemOf } from './lookup.js';
import { meter } from './meter.js';
import { binary, join, unary } from './numbers.js';
import type { Scope } from './scope.js';
import { named } from './sequences.js';
import { TESTS } from './tests.js';
import { isText, raw } from './text.js';
import {
  type Arguments,
  Callable,
  compare,
  contains,
  Dict,
  equal,
  Float,
  fail,
  listOf,
  Slice,
  Thing,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './values.js';

named.filter = applyFilter;
named.test = applyTest;

/** The value of an expression. */
export function evaluate(node: Expression, scope: Scope): Value {
  meter().step();
  switch (node.type) {
    case 'const':
      return node.float ? new Float(node.value as number) : node.value;
    case 'name':
      return scope.get(node.name);
    case 'attribute':
      return attributeOf(evaluate(node.of, scope), node.name);
    case 'item':
      return itemOf(evaluate(node.of, scope), evaluate(node.key, scope));
    case 'call':
      return call(evaluate(node.callee, scope), argumentsOf(node.with, scope));
    case 'filter':
      return applyFilter(node.name, evaluate(node.of!, scope), argumentsOf(node.with, scope));
    case 'test':
      return applyTest(node.name, evaluate(node.of, scope), argumentsOf(node.with, scope));
    case 'and': {
      const left = evaluate(node.left, scope);
      return truthy(left) ? evaluate(node.right, scope) : left;
    }
    case 'or': {
      const left = evaluate(node.left, scope);
      return truthy(left) ? left : evaluate(node.right, scope);
    }
    case 'unary': {
      const value = evaluate(node.of, scope);
      return node.op === 'not' ? !truthy(value) : unary(node.op, value);
    }
    case 'binary':
      return binary(node.op, evaluate(node.left, scope), evaluate(node.right, scope));
    case 'concat':
      return join(node.items.map(item => evaluate(item, scope)));
    case 'compare': {
      let left = evaluate(node.first, scope);
      for (const [op, next] of node.rest) {
        const right = evaluate(next, scope);
        if (!holds(op, left, right)) return false;
        left = right;
      }
      return true;
    }
    case 'condition':
      if (truthy(evaluate(node.test, scope))) return evaluate(node.yes, scope);
      return node.otherwise
        ? evaluate(node.otherwise, scope)
        : new Undefined('the inline if-expression evaluated to false and no else section was defined');
    case 'list':
      return node.items.map(item => evaluate(item, scope));
    case 'tuple':
      return new Tuple(node.items.map(item => evaluate(item, scope)));
    case 'dict':
      return new Dict(node.items.map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)]));
    case 'slice': {
      const bound = (part: Expression | undefined) => (part ? evaluate(part, scope) : null);
      return new Slice(bound(node.start), bound(node.stop), bound(node.step));
    }
  }
}

function holds(op: string, left: Value, right: Value): boolean {
  switch (op) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
  }
  const order = compare(left, right);
  return op === '<' ? order < 0 : op === '<=' ? order <= 0 : op === '>' ? order > 0 : order >= 0;
}

/** Evaluate the arguments of a call. */
export function argumentsOf(given: CallArguments, scope: Scope): Arguments {
  const args = given.args.map(arg => evaluate(arg, scope));
  const kwargs = new Map(given.kwargs.map(([name, value]) => [name, evaluate(value, scope)]));
  if (given.rest) args.push(...listOf(evaluate(given.rest, scope)));
  if (given.restNamed) {
    const more = evaluate(given.restNamed, scope);
    if (!(more instanceof Dict)) throw fail(`** needs a mapping, not ${typeName(more)}`);
    for (const [key, value] of more.entries()) {
      if (!isText(key) || kwargs.has(raw(key))) throw fail('** gives an argument twice, or one without a name');
      kwargs.set(raw(key), value);
    }
  }
  return { args, kwargs };
}

export function call(callee: Value, given: Arguments): Value {
  if (callee instanceof Undefined) throw fail(callee.message);
  const target = callee instanceof Callable || callee instanceof Thing ? callee.call : undefined;
  if (!target) throw fail(`${typeName(callee)} is not callable`);
  meter().enter();
  const result = target(given);
  meter().leave();
  return result;
}

export function applyFilter(name: string, value: Value, given: Arguments): Value {
  const filter = FILTERS.get(name);
  if (!filter) throw fail(`no filter named ${name}`);
  return filter(value, given);
}

function applyTest(name: string, value: Value, given: Arguments): boolean {
  if (name === 'filter' || name === 'test') {
    return isText(value) && (name === 'filter' ? FILTERS : TESTS).has(raw(value));
  }
  const test = TESTS.get(name);
  if (!test) throw fail(`no test named ${name}`);
  return test(value, given);
}

/** Whether there is such a filter or test. */
export function isKnown(kind: 'filter' | 'test', name: string): boolean {
  return kind === 'filter' ? FILTERS.has(name) : TESTS.has(name) || name === 'filter' || name === 'test';
}
