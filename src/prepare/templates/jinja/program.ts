import type { Expression, Statement, Target } from './ast.js';
import { applyFilter, argumentsOf, call, evaluate, isKnown } from './evaluate.js';
import { checkKey, globals } from './globals.js';
import { syntax } from './lexer.js';
import { Loop } from './loop.js';
import { makeMacro } from './macro.js';
import { type Limits, meter, metered } from './meter.js';
import { plain } from './numbers.js';
import { parse } from './parser.js';
import { str } from './repr.js';
import { Scope } from './scope.js';
import { concat, raw, type Text } from './text.js';
import { type Arguments, type Callable, fail, Iter, listOf, Namespace, truthy, type Value, walk } from './values.js';

export interface ProgramOptions {
  limits?: Limits;
  /** The clock of strftime_now. Defaults to the time of rendering. */
  now?: () => Date;
}

export interface Rendered {
  text: Text;
  /** UTF-16 offsets of what `{% generation %}` blocks printed. */
  generations: [start: number, end: number][];
}

type Leave = 'break' | 'continue' | undefined;

/** A parsed template, ready to be rendered any number of times. */
export class Program {
  private readonly body: readonly Statement[];
  private readonly options: ProgramOptions;

  /** @throws BadInput for a template that is no Jinja, naming the line. */
  constructor(source: string, options: ProgramOptions = {}) {
    this.body = parse(source);
    this.options = options;
    check(this.body, false);
  }

  /** @throws BadInput for what is an error in Python, what the template itself raises, and what goes beyond the limits. */
  render(variables: Iterable<readonly [string, Value]>): Rendered {
    return metered(this.options.limits, () => {
      const context = new Scope();
      for (const [name, value] of globals(this.options.now ?? (() => new Date()))) context.set(name, value);
      for (const [name, value] of variables) context.set(name, value);
      const run = new Run();
      run.statements(this.body, new Scope(context));
      return run.result();
    });
  }
}

/** One rendering. */
class Run {
  private out: Text[] = [];
  private length = 0;
  /** How many macros, set blocks and the like collect what is printed. */
  private collecting = 0;
  private readonly generations: [number, number][] = [];

  result(): Rendered {
    return { text: concat(this.out), generations: this.generations };
  }

  statements(body: readonly Statement[], scope: Scope): Leave {
    for (const statement of body) {
      const leave = this.statement(statement, scope);
      if (leave) return leave;
    }
    return undefined;
  }

  private print(text: Text): void {
    meter().make(raw(text).length);
    this.out.push(plain(text));
    if (this.collecting === 0) this.length += raw(text).length;
  }

  /** What the statements print, as a value. */
  private collect(body: readonly Statement[], scope: Scope): Text {
    const outer = this.out;
    this.out = [];
    this.collecting++;
    this.statements(body, scope);
    const text = concat(this.out);
    this.collecting--;
    this.out = outer;
    return text;
  }

  private statement(node: Statement, scope: Scope): Leave {
    meter().step();
    switch (node.type) {
      case 'data':
        this.print(node.text);
        return undefined;
      case 'print':
        this.print(str(evaluate(node.value, scope)));
        return undefined;
      case 'if':
        for (const [test, body] of node.branches) {
          if (truthy(evaluate(test, scope))) return this.statements(body, scope);
        }
        return this.statements(node.otherwise, scope);
      case 'for':
        this.for(node, scope);
        return undefined;
      case 'set':
        this.assign(node.target, evaluate(node.value, scope), scope);
        return undefined;
      case 'capture': {
        const inner = new Scope(scope);
        const text = this.collect(node.body, inner);
        this.assign(node.target, node.filter ? filtered(node.filter, text, inner) : text, scope);
        return undefined;
      }
      case 'macro':
        scope.set(node.name, this.macro(node.name, node, scope));
        return undefined;
      case 'callBlock': {
        const { callee, with: given } = node.call as Extract<Expression, { type: 'call' }>;
        const target = evaluate(callee, scope);
        const { args, kwargs } = argumentsOf(given, scope);
        kwargs.set('caller', this.macro('caller', node, scope));
        this.print(str(call(target, { args, kwargs })));
        return undefined;
      }
      case 'filterBlock': {
        const inner = new Scope(scope);
        this.print(str(filtered(node.filter, this.collect(node.body, inner), inner)));
        return undefined;
      }
      case 'with': {
        const inner = new Scope(scope);
        for (const [i, target] of node.targets.entries()) this.assign(target, evaluate(node.values[i]!, scope), inner);
        return this.statements(node.body, inner);
      }
      case 'scope':
        return this.statements(node.body, new Scope(scope));
      case 'generation':
        this.generation(node.body, scope);
        return undefined;
      case 'missing':
        throw fail(`${node.what} loads another template, and a chat template has none`);
      default:
        return node.type;
    }
  }

  private generation(body: readonly Statement[], scope: Scope): void {
    const start = this.length;
    const text = this.collect(body, new Scope(scope));
    // Spans nest where blocks do: the inner one is recorded first.
    this.generations.push([start, start + raw(text).length]);
    this.print(text);
  }

  private macro(name: string, node: Pick<Extract<Statement, { type: 'macro' }>, 'signature' | 'body'>, scope: Scope): Callable {
    return makeMacro({
      name,
      signature: node.signature,
      body: node.body,
      scope,
      render: (body, inner) => this.collect(body, inner),
      evaluate,
    });
  }

  private for(node: Extract<Statement, { type: 'for' }>, scope: Scope): void {
    const loop = (over: Value, depth: number) => {
      const chosen = node.test ? this.where(node.target, node.test, over, scope) : over;
      const recurse = node.recursive
        ? ({ args }: Arguments) => {
            meter().enter();
            const outer = this.out;
            this.out = [];
            this.collecting++;
            loop(args[0] ?? null, depth + 1);
            const text = concat(this.out);
            this.collecting--;
            this.out = outer;
            meter().leave();
            return text;
          }
        : undefined;
      const state = new Loop(chosen, depth, recurse);
      let empty = true;
      for (let item = state.next(); item !== undefined; item = state.next()) {
        const inner = new Scope(scope);
        inner.set('loop', state.thing);
        this.assign(node.target, item, inner);
        const leave = this.statements(node.body, inner);
        if (leave === 'break') break;
        // As in Jinja, an iteration left early does not count against `else`.
        if (leave !== 'continue') empty = false;
      }
      if (empty) this.statements(node.otherwise, new Scope(scope));
    };
    loop(evaluate(node.over, scope), 0);
  }

  /** `for … if test`: the items that pass, tested when their turn comes. */
  private where(target: Target, test: Expression, over: Value, scope: Scope): Iter {
    const assign = (item: Value, inner: Scope) => this.assign(target, item, inner);
    return new Iter(
      'generator',
      (function* () {
        for (const item of walk(over)) {
          const inner = new Scope(scope);
          assign(item, inner);
          if (truthy(evaluate(test, inner))) yield item;
        }
      })(),
    );
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.type === 'name') scope.set(target.name, value);
    else if (target.type === 'key') {
      const of = scope.get(target.name);
      if (!(of instanceof Namespace)) throw fail('cannot assign attribute on non-namespace object');
      checkKey(target.key);
      of.attributes.set(target.key, value);
    } else {
      const items = listOf(value);
      if (items.length !== target.items.length)
        throw fail(`${items.length} values cannot be unpacked into ${target.items.length} names`);
      for (const [i, part] of target.items.entries()) this.assign(part, items[i]!, scope);
    }
  }
}

/** The filters of a filter block or set block, applied to its body. */
function filtered(filter: Expression, body: Text, scope: Scope): Value {
  if (filter.type !== 'filter') return body;
  const of = filter.of ? filtered(filter.of, body, scope) : body;
  return applyFilter(filter.name, of, argumentsOf(filter.with, scope));
}

/**
 * Refuse filters and tests that do not exist, also where they would never be reached. As in Jinja, inside an `if` they are
 * only refused when reached.
 */
function check(node: unknown, soft: boolean): void {
  if (Array.isArray(node)) {
    for (const item of node) check(item, soft);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const { type } = node as { type?: string };
  if ((type === 'filter' || type === 'test') && !soft) {
    const { name, line } = node as Extract<Expression, { type: 'filter' }>;
    if (!isKnown(type, name)) throw syntax(`no ${type} named ${JSON.stringify(name)}`, line);
  }
  const hard = type === 'for' || type === 'macro' || type === 'callBlock' || type === 'capture' || type === 'with';
  const within = type === 'if' || type === 'condition' || (soft && !hard);
  for (const value of Object.values(node)) check(value, within);
}
