import type { Expression, Signature, Statement, Target } from './ast.js';
import { ExpressionParser } from './expressions.js';
import { syntax, tokenize } from './lexer.js';

const MAX_DEPTH = 100;
// Jinja knows these; they load other templates, of which a chat template has none.
const LOADING = new Set(['extends', 'include', 'import', 'from']);
const CONSTANTS = new Set(['true', 'false', 'none', 'True', 'False', 'None']);

/** Parse a chat template. @throws BadInput naming the line. */
export function parse(source: string): Statement[] {
  const parser = new StatementParser(tokenize(source));
  return parser.template();
}

class StatementParser extends ExpressionParser {
  private nesting = 0;
  private loops = 0;

  template(): Statement[] {
    const body = this.body([]);
    if (!this.is('eof')) throw this.unexpected();
    return body;
  }

  /** Statements up to a tag whose name is among `ends`; the parser then stands on that name. */
  private body(ends: readonly string[]): Statement[] {
    const out: Statement[] = [];
    if (++this.nesting > MAX_DEPTH) throw syntax('blocks nested too deeply', this.token.line);
    while (!this.is('eof')) {
      const { type, value, line } = this.next();
      if (type === 'data') out.push({ type: 'data', text: value });
      else if (type === 'print') {
        out.push({ type: 'print', value: this.tuple(), line });
        this.expect('printed');
      } else {
        if (this.is('name') && ends.includes(this.token.value)) {
          this.nesting--;
          return out;
        }
        out.push(...this.statement());
        this.expect('end');
      }
    }
    if (ends.length > 0) throw syntax(`the template ends where ${ends.join(' or ')} was expected`, this.token.line);
    this.nesting--;
    return out;
  }

  /** The body of a block, from the end of its tag to the tag that ends it; returns that tag's name, already passed. */
  private block(...ends: string[]): [Statement[], string] {
    this.take('op', ':');
    this.expect('end');
    const body = this.body(ends);
    return [body, this.next().value];
  }

  private statement(): Statement[] {
    const { value: tag, line } = this.expect('name');
    switch (tag) {
      case 'for':
        return [this.for()];
      case 'if':
        return [this.if()];
      case 'set':
        return [this.set()];
      case 'macro': {
        const name = this.expect('name').value;
        const signature = this.signature();
        return [{ type: 'macro', name, signature, body: this.apart('endmacro') }];
      }
      case 'call': {
        const signature = this.is('op', '(') ? this.signature() : { names: [], defaults: [] };
        const call = this.expression();
        if (call.type !== 'call') throw syntax('call needs a call', line);
        return [{ type: 'callBlock', signature, call, body: this.apart('endcall') }];
      }
      case 'filter':
        return [{ type: 'filterBlock', filter: this.filter(undefined, true)!, body: this.block('endfilter')[0] }];
      case 'with':
        return [this.with()];
      case 'autoescape':
        this.expression();
        return [{ type: 'scope', body: this.block('endautoescape')[0] }];
      case 'block': {
        const name = this.expect('name').value;
        this.take('name', 'scoped');
        this.take('name', 'required');
        const body = this.apart('endblock');
        this.take('name', name);
        return [{ type: 'scope', body }];
      }
      case 'generation':
        return [{ type: 'generation', body: this.apart('endgeneration') }];
      case 'print': {
        const out: Statement[] = [];
        while (!this.is('end')) {
          if (out.length > 0) this.expect('op', ',');
          out.push({ type: 'print', value: this.expression(), line });
        }
        return out;
      }
      case 'break':
      case 'continue':
        if (this.loops === 0) throw syntax(`${tag} outside a loop`, line);
        return [{ type: tag }];
    }
    if (LOADING.has(tag)) {
      while (!this.is('end') && !this.is('eof')) this.next();
      return [{ type: 'missing', what: tag }];
    }
    throw syntax(`unknown tag ${JSON.stringify(tag)}`, line);
  }

  /** A body that is a function of its own in Jinja: loops outside cannot be left from within. */
  private apart(end: string): Statement[] {
    const loops = this.loops;
    this.loops = 0;
    const [body] = this.block(end);
    this.loops = loops;
    return body;
  }

  private for(): Statement {
    const target = this.target(false, ['in']);
    this.expect('name', 'in');
    const over = this.tuple({ condition: false, ends: ['recursive'] });
    const test = this.take('name', 'if') ? this.expression() : undefined;
    const recursive = this.take('name', 'recursive');
    this.loops++;
    const [body, end] = this.block('endfor', 'else');
    this.loops--;
    const otherwise = end === 'else' ? this.block('endfor')[0] : [];
    return { type: 'for', target, over, ...(test && { test }), recursive, body, otherwise };
  }

  private if(): Statement {
    const branches: [Expression, Statement[]][] = [];
    while (true) {
      const test = this.tuple({ condition: false });
      const [body, end] = this.block('elif', 'else', 'endif');
      branches.push([test, body]);
      if (end === 'elif') continue;
      return { type: 'if', branches, otherwise: end === 'else' ? this.block('endif')[0] : [] };
    }
  }

  private set(): Statement {
    const target = this.target(true, []);
    if (this.take('op', '=')) return { type: 'set', target, value: this.tuple() };
    const filter = this.filter(undefined);
    return { type: 'capture', target, ...(filter && { filter }), body: this.block('endset')[0] };
  }

  private with(): Statement {
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!this.is('end')) {
      if (targets.length > 0) this.expect('op', ',');
      targets.push(this.target(false, []));
      this.expect('op', '=');
      values.push(this.expression());
    }
    return { type: 'with', targets, values, body: this.block('endwith')[0] };
  }

  private signature(): Signature {
    const out: Signature = { names: [], defaults: [] };
    this.expect('op', '(');
    while (!this.is('op', ')')) {
      if (out.names.length > 0) this.expect('op', ',');
      out.names.push(this.expect('name').value);
      if (this.take('op', '=')) out.defaults.push(this.expression());
      else if (out.defaults.length > 0) throw syntax('an argument without a default after one with', this.token.line);
    }
    this.next();
    return out;
  }

  private target(keys: boolean, ends: readonly string[]): Target {
    const items: Target[] = [];
    let isTuple = false;
    while (true) {
      if (items.length > 0) this.expect('op', ',');
      if (this.is('end') || this.is('op', ')') || ends.some(name => this.is('name', name))) break;
      if (this.take('op', '(')) {
        items.push(this.target(keys, []));
        this.expect('op', ')');
      } else {
        const { value: name, line } = this.expect('name');
        if (CONSTANTS.has(name)) throw syntax(`${name} cannot be assigned to`, line);
        if (keys && this.take('op', '.')) items.push({ type: 'key', name, key: this.expect('name').value });
        else items.push({ type: 'name', name });
      }
      if (!this.is('op', ',')) break;
      isTuple = true;
    }
    if (items.length === 1 && !isTuple) return items[0]!;
    if (items.length === 0) throw this.unexpected('a name');
    return { type: 'tuple', items };
  }
}
