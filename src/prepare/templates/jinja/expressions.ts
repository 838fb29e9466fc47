import type { CallArguments, Expression } from './ast.js';
import { syntax, type Token } from './lexer.js';

const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=']);
const MAX_DEPTH = 200;

interface TupleOptions {
  condition?: boolean;
  ends?: readonly string[];
  parentheses?: boolean;
}

/** Reads expressions, by Jinja's precedence (which is not Python's: `~` binds tighter than `+`, `**` from the left). */
export class ExpressionParser {
  private readonly tokens: readonly Token[];
  private at = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get token(): Token {
    return this.tokens[this.at]!;
  }

  next(): Token {
    const token = this.token;
    if (token.type !== 'eof') this.at++;
    return token;
  }

  is(type: Token['type'], value?: string, ahead = 0): boolean {
    const token = this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!;
    return token.type === type && (value === undefined || token.value === value);
  }

  take(type: Token['type'], value?: string): boolean {
    if (!this.is(type, value)) return false;
    this.next();
    return true;
  }

  expect(type: Token['type'], value?: string): Token {
    if (this.is(type, value)) return this.next();
    throw this.unexpected(value ?? NAMES[type] ?? type);
  }

  unexpected(wanted?: string): Error {
    const { type, value, line } = this.token;
    const found =
      type === 'eof' ? 'the end of the template' : type === 'end' || type === 'printed' ? value.trim() : JSON.stringify(value);
    return syntax(`unexpected ${found}${wanted ? `, expected ${wanted}` : ''}`, line);
  }

  /** An expression, or several with commas between as a tuple. `ends`: names that end it. */
  tuple({ condition = true, ends = [], parentheses = false }: TupleOptions = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    while (true) {
      if (items.length > 0) this.expect('op', ',');
      if (this.is('end') || this.is('printed') || this.is('op', ')') || ends.some(name => this.is('name', name))) break;
      items.push(condition ? this.expression() : this.or());
      if (!this.is('op', ',')) break;
      isTuple = true;
    }
    if (!isTuple) {
      if (items.length > 0) return items[0]!;
      if (!parentheses) throw this.unexpected('an expression');
    }
    return { type: 'tuple', items };
  }

  expression(): Expression {
    if (++this.depth > MAX_DEPTH) throw syntax('nested too deeply', this.token.line);
    let result = this.or();
    while (this.take('name', 'if')) {
      const test = this.or();
      const otherwise = this.take('name', 'else') ? this.expression() : undefined;
      result = { type: 'condition', test, yes: result, ...(otherwise && { otherwise }) };
    }
    this.depth--;
    return result;
  }

  or(): Expression {
    let left = this.and();
    while (this.take('name', 'or')) left = { type: 'or', left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.take('name', 'and')) left = { type: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    let count = 0;
    while (this.take('name', 'not')) count++;
    let of = this.comparison();
    // Two of them make a bool of the value, so no pair is dropped.
    for (let i = 0; i < Math.min(count, 2 + (count % 2)); i++) of = { type: 'unary', op: 'not', of };
    return of;
  }

  private comparison(): Expression {
    const first = this.sum();
    const rest: [string, Expression][] = [];
    while (true) {
      if (this.token.type === 'op' && COMPARISONS.has(this.token.value)) rest.push([this.next().value, this.sum()]);
      else if (this.take('name', 'in')) rest.push(['in', this.sum()]);
      else if (this.is('name', 'not') && this.is('name', 'in', 1)) {
        this.next();
        this.next();
        rest.push(['not in', this.sum()]);
      } else break;
    }
    return rest.length > 0 ? { type: 'compare', first, rest } : first;
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat());
  }

  private concat(): Expression {
    const items = [this.product()];
    while (this.take('op', '~')) items.push(this.product());
    return items.length > 1 ? { type: 'concat', items } : items[0]!;
  }

  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.binary(['**'], () => this.unary()));
  }

  private binary(ops: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.token.type === 'op' && ops.includes(this.token.value)) {
      left = { type: 'binary', op: this.next().value, left, right: operand() };
    }
    return left;
  }

  private unary(filters = true): Expression {
    if (++this.depth > MAX_DEPTH) throw syntax('nested too deeply', this.token.line);
    let result: Expression;
    if (this.is('op', '-') || this.is('op', '+')) {
      const op = this.next().value as '-' | '+';
      result = { type: 'unary', op, of: this.unary(false) };
    } else result = this.primary();
    result = this.postfix(result);
    if (filters) {
      while (true) {
        if (this.is('op', '|')) result = this.filter(result)!;
        else if (this.is('name', 'is')) result = this.test(result);
        else if (this.is('op', '(')) result = { type: 'call', callee: result, with: this.arguments() };
        else break;
      }
    }
    this.depth--;
    return result;
  }

  primary(): Expression {
    const token = this.token;
    switch (token.type) {
      case 'name':
        this.next();
        if (/^[tT]rue$/.test(token.value)) return { type: 'const', value: true };
        if (/^[fF]alse$/.test(token.value)) return { type: 'const', value: false };
        if (/^[nN]one$/.test(token.value)) return { type: 'const', value: null };
        return { type: 'name', name: token.value };
      case 'string': {
        let value = '';
        while (this.is('string')) value += this.next().value;
        return { type: 'const', value };
      }
      case 'int': {
        const value = BigInt(this.next().value.replaceAll('_', ''));
        return { type: 'const', value: Number.isSafeInteger(Number(value)) ? Number(value) : value };
      }
      case 'float':
        return { type: 'const', value: Number(this.next().value.replaceAll('_', '')), float: true };
    }
    if (this.take('op', '(')) {
      const result = this.tuple({ parentheses: true });
      this.expect('op', ')');
      return result;
    }
    if (this.take('op', '[')) return { type: 'list', items: this.items(']', () => this.expression()) };
    if (this.take('op', '{')) {
      const items = this.items('}', (): [Expression, Expression] => {
        const key = this.expression();
        this.expect('op', ':');
        return [key, this.expression()];
      });
      return { type: 'dict', items };
    }
    throw this.unexpected();
  }

  private items<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.is('op', close)) {
      if (items.length > 0) this.expect('op', ',');
      if (this.is('op', close)) break;
      items.push(item());
    }
    this.next();
    return items;
  }

  private postfix(start: Expression): Expression {
    let result = start;
    while (true) {
      if (this.take('op', '.')) {
        if (this.is('name')) result = { type: 'attribute', of: result, name: this.next().value };
        else result = { type: 'item', of: result, key: { type: 'const', value: Number(this.expect('int').value) } };
      } else if (this.take('op', '[')) {
        const keys: Expression[] = [];
        while (!this.is('op', ']')) {
          if (keys.length > 0) this.expect('op', ',');
          keys.push(this.subscript());
        }
        this.next();
        result = { type: 'item', of: result, key: keys.length === 1 ? keys[0]! : { type: 'tuple', items: keys } };
      } else if (this.is('op', '(')) result = { type: 'call', callee: result, with: this.arguments() };
      else return result;
    }
  }

  private subscript(): Expression {
    const ends = () => this.is('op', ']') || this.is('op', ',');
    const start = this.is('op', ':') ? undefined : this.expression();
    if (!this.take('op', ':')) return start!;
    const stop = this.is('op', ':') || ends() ? undefined : this.expression();
    const step = this.take('op', ':') && !ends() ? this.expression() : undefined;
    return { type: 'slice', ...(start && { start }), ...(stop && { stop }), ...(step && { step }) };
  }

  arguments(): CallArguments {
    const { line } = this.expect('op', '(');
    const out: CallArguments = { args: [], kwargs: [] };
    const ensure = (fine: boolean) => {
      if (!fine) throw syntax('invalid arguments of a call', line);
    };
    let first = true;
    while (!this.is('op', ')')) {
      if (!first) {
        this.expect('op', ',');
        if (this.is('op', ')')) break;
      }
      first = false;
      if (this.take('op', '*')) {
        ensure(!out.rest && !out.restNamed);
        out.rest = this.expression();
      } else if (this.take('op', '**')) {
        ensure(!out.restNamed);
        out.restNamed = this.expression();
      } else if (this.is('name') && this.is('op', '=', 1)) {
        ensure(!out.restNamed);
        const { value } = this.next();
        this.next();
        out.kwargs.push([value, this.expression()]);
      } else {
        ensure(!out.rest && !out.restNamed && out.kwargs.length === 0);
        out.args.push(this.expression());
      }
    }
    this.next();
    return out;
  }

  /** `|name(…)|name…`; `inline` where a filter block leaves the first `|` out. */
  filter(start: Expression | undefined, inline = false): Expression | undefined {
    let of = start;
    while (inline || this.is('op', '|')) {
      if (!inline) this.next();
      inline = false;
      const { line } = this.token;
      const name = this.dotted();
      const given = this.is('op', '(') ? this.arguments() : { args: [], kwargs: [] };
      of = { type: 'filter', ...(of && { of }), name, with: given, line };
    }
    return of;
  }

  private dotted(): string {
    let name = this.expect('name').value;
    while (this.take('op', '.')) name += `.${this.expect('name').value}`;
    return name;
  }

  private test(of: Expression): Expression {
    const { line } = this.next();
    const negated = this.take('name', 'not');
    const name = this.dotted();
    let given: CallArguments = { args: [], kwargs: [] };
    const opens = ['[', '{', '('].some(op => this.is('op', op));
    if (this.is('op', '(')) given = this.arguments();
    else if (
      opens ||
      this.is('string') ||
      this.is('int') ||
      this.is('float') ||
      (this.is('name') && !['else', 'or', 'and'].includes(this.token.value))
    ) {
      if (this.is('name', 'is')) throw syntax('tests cannot be chained with is', line);
      given.args.push(this.postfix(this.primary()));
    }
    const test: Expression = { type: 'test', of, name, with: given, line };
    return negated ? { type: 'unary', op: 'not', of: test } : test;
  }
}

const NAMES: Partial<Record<Token['type'], string>> = { end: '%}', printed: '}}', name: 'a name', int: 'a name or number' };
