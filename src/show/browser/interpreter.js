// Vega's expressions evaluated without compiling any code: `new vega.View(vega.parse(spec, null, { ast: true }), { expr: interpreter(vega) })`.
//
// Vega itself turns expressions of a spec into functions by `Function(text)`. That needs a page that allows eval, and in Node it is
// code made from data. Here the syntax tree of an expression (ESTree) becomes closures over the operations below, and nothing else:
// no property of a prototype, no function as a value, nothing of the page (events know their window). Regular expressions are left
// out, since one can be made to run for hours; so are very long sequences.
//
// This file is loaded by Node and written into exported pages as it is: plain JavaScript, no imports, one export.

/** Steps or characters that a single call may ask for. */
const MOST = 1e6;

const CONSTANTS = {
  NaN: Number.NaN,
  E: Math.E,
  LN2: Math.LN2,
  LN10: Math.LN10,
  LOG2E: Math.LOG2E,
  LOG10E: Math.LOG10E,
  PI: Math.PI,
  SQRT1_2: Math.SQRT1_2,
  SQRT2: Math.SQRT2,
  MIN_VALUE: Number.MIN_VALUE,
  MAX_VALUE: Number.MAX_VALUE,
};

/** Functions of a date, by name: the method that gives them. */
const DATE_PARTS = {
  date: 'getDate',
  day: 'getDay',
  year: 'getFullYear',
  month: 'getMonth',
  hours: 'getHours',
  minutes: 'getMinutes',
  seconds: 'getSeconds',
  milliseconds: 'getMilliseconds',
  time: 'getTime',
  timezoneoffset: 'getTimezoneOffset',
  utcdate: 'getUTCDate',
  utcday: 'getUTCDay',
  utcyear: 'getUTCFullYear',
  utcmonth: 'getUTCMonth',
  utchours: 'getUTCHours',
  utcminutes: 'getUTCMinutes',
  utcseconds: 'getUTCSeconds',
  utcmilliseconds: 'getUTCMilliseconds',
};

/** Functions of numbers, texts and dates, which need nothing of the chart. */
const FUNCTIONS = Object.assign(Object.create(null), {
  isNaN: Number.isNaN,
  isFinite: Number.isFinite,
  clamp: (x, low, high) => Math.max(low, Math.min(high, x)),
  now: Date.now,
  utc: Date.UTC,
  datetime: (...parts) => new Date(...parts),
  length: x => x.length,
  parseFloat: Number.parseFloat,
  parseInt: Number.parseInt,
  upper: x => String(x).toUpperCase(),
  lower: x => String(x).toLowerCase(),
  substring: (x, from, to) => String(x).substring(from, to),
  split: (x, separator, limit) => String(x).split(String(separator), limit),
  trim: x => String(x).trim(),
  btoa: x => btoa(x),
  atob: x => atob(x),
});
for (const name of 'abs acos asin atan atan2 ceil cos exp floor hypot log max min pow random round sin sqrt tan'.split(' '))
  FUNCTIONS[name] = Math[name];
for (const name of Object.keys(DATE_PARTS)) FUNCTIONS[name] = x => new Date(x)[DATE_PARTS[name]]();

/** Functions of vega that write to the console, or make as much as they are told to. */
const WITHHELD = new Set(['warn', 'info', 'debug', 'timeSequence', 'utcSequence', '__bandwidth']);
/** Functions that make as much as they are told to. */
const LAVISH = new Set(['sequence', 'pad']);
/** What an event says of itself through vega. */
const OF_EVENT = new Set(['view', 'item', 'group', 'xy', 'x', 'y']);

const BINARY = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '|': (a, b) => a | b,
  '&': (a, b) => a & b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '>>>': (a, b) => a >>> b,
  // biome-ignore lint/suspicious/noDoubleEquals: the language has both
  '==': (a, b) => a == b,
  // biome-ignore lint/suspicious/noDoubleEquals: the language has both
  '!=': (a, b) => a != b,
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

const UNARY = { '+': a => +a, '-': a => -a, '!': a => !a, '~': a => ~a };

/** A property of a value, never one of a prototype, a function, a window or a part of the page. */
function member(object, key) {
  if (object === null || object === undefined) throw new TypeError(`no property of ${object}`);
  const name = typeof key === 'symbol' ? '' : String(key);
  if (name in Object.prototype && !Object.hasOwn(object, name)) return undefined;
  const value = object[name];
  return typeof value === 'function' || isOfPage(value) ? undefined : value;
}

function isOfPage(value) {
  if (value === null || typeof value !== 'object') return false;
  if (typeof Node !== 'undefined' && value instanceof Node) return true;
  return typeof window !== 'undefined' && (value === window || value.window === value);
}

/** The expression functions of vega's runtime, without `Function`. @param vega the library, for its own functions */
export function interpreter(vega) {
  const known = name => !(name in Object.prototype) && typeof vega.expressionFunction(name) === 'function';

  /** Scope: {_ signals and scales, datum, item, event, fn}. */
  function compile(node) {
    switch (node.type) {
      case 'Literal': {
        if (node.regex || node.value instanceof RegExp) throw new Error('regular expressions are not evaluated here');
        const { value } = node;
        return () => value;
      }
      case 'Identifier': {
        // An internal reference of vega has its name as a value.
        const name = node.name ?? node.value;
        if (name === 'datum' || name === 'item' || name === 'event') return scope => scope[name];
        if (Object.hasOwn(CONSTANTS, name)) return () => CONSTANTS[name];
        const key = `$${name}`;
        return scope => scope._[key];
      }
      case 'MemberExpression': {
        const object = compile(node.object);
        if (node.computed) {
          const property = compile(node.property);
          return scope => member(object(scope), property(scope));
        }
        const { name } = node.property;
        return scope => member(object(scope), name);
      }
      case 'CallExpression':
        return call(node);
      case 'ArrayExpression': {
        const elements = node.elements.map(compile);
        return scope => elements.map(element => element(scope));
      }
      case 'BinaryExpression': {
        const operation = BINARY[node.operator];
        if (!Object.hasOwn(BINARY, node.operator)) throw new Error(`no operation ${node.operator}`);
        const [left, right] = [compile(node.left), compile(node.right)];
        return scope => operation(left(scope), right(scope));
      }
      case 'LogicalExpression': {
        const [left, right] = [compile(node.left), compile(node.right)];
        return node.operator === '&&' ? scope => left(scope) && right(scope) : scope => left(scope) || right(scope);
      }
      case 'UnaryExpression': {
        if (!Object.hasOwn(UNARY, node.operator)) throw new Error(`no operation ${node.operator}`);
        const operation = UNARY[node.operator];
        const argument = compile(node.argument);
        return scope => operation(argument(scope));
      }
      case 'ConditionalExpression': {
        const [test, yes, no] = [compile(node.test), compile(node.consequent), compile(node.alternate)];
        return scope => (test(scope) ? yes(scope) : no(scope));
      }
      case 'ObjectExpression': {
        const properties = node.properties.map(({ key, value }) => {
          const name = String(key.type === 'Identifier' ? key.name : key.value);
          if (name in Object.prototype) throw new Error(`no object may have a property ${name}`);
          return [name, compile(value)];
        });
        return scope => Object.fromEntries(properties.map(([name, value]) => [name, value(scope)]));
      }
      default:
        throw new Error(`no expression of type ${node.type}`);
    }
  }

  function call({ callee, arguments: given }) {
    if (callee.type !== 'Identifier') throw new Error('only functions of the language can be called');
    const { name } = callee;
    const args = given.map(compile);
    if (name === 'if') {
      const [test, yes, no] = args;
      return scope => (test(scope) ? yes(scope) : no(scope));
    }
    // Scales that a mark's encoding refers to: arguments of the operator, not values of the language.
    if (name === '_scale' || name === '_range' || name === '_bandwidth') {
      const scaleOf = scope => scope._[`%${args[0](scope)}`];
      if (name === '_scale') return scope => scaleOf(scope)(args[1](scope));
      if (name === '_range') return scope => scaleOf(scope).range();
      return scope => {
        const scale = scaleOf(scope);
        return scale?.bandwidth ? scale.bandwidth() : 0;
      };
    }
    if (OF_EVENT.has(name)) return scope => scope.event.vega[name](...args.map(arg => arg(scope)));
    if (WITHHELD.has(name)) throw new Error(`the function ${name} is not evaluated here`);
    if (known(name)) {
      const lavish = LAVISH.has(name);
      return scope => {
        const values = args.map(arg => arg(scope));
        if (lavish) checkSize(name, values);
        return scope.fn[name](...values);
      };
    }
    const own = FUNCTIONS[name];
    if (!own) throw new Error(`no function ${name}`);
    return scope => own(...args.map(arg => arg(scope)));
  }

  /** Expressions that have been seen, by their syntax tree. */
  const compiled = new WeakMap();
  function evaluator(ast) {
    if (!compiled.has(ast)) compiled.set(ast, compile(ast));
    return compiled.get(ast);
  }

  return {
    operator(ctx, { ast }) {
      const run = evaluator(ast);
      return _ => run({ _, fn: ctx.functions });
    },
    parameter(ctx, { ast }) {
      const run = evaluator(ast);
      return (datum, _) => run({ datum, _, fn: ctx.functions });
    },
    event(ctx, { ast }) {
      const run = evaluator(ast);
      return event => run({ event, fn: ctx.functions, _: {} });
    },
    handler(ctx, { ast }) {
      const run = evaluator(ast);
      return (_, event) => run({ _, event, datum: event.item?.datum, fn: ctx.functions });
    },
    encode(ctx, { marktype, channels }) {
      const all = Object.keys(channels).map(name => [name, evaluator(channels[name].ast)]);
      const place = placed(channels, marktype);
      return (item, _) => {
        const scope = { item, datum: item.datum, _, fn: ctx.functions };
        let changed = 0;
        for (const [name, run] of all) {
          const value = run(scope);
          if (item[name] !== value) {
            item[name] = value;
            changed = 1;
          }
        }
        place(item);
        return changed;
      };
    },
  };
}

function checkSize(name, [first, second, step = 1]) {
  const size = name === 'pad' ? second : second === undefined ? first : Math.abs((second - first) / step);
  if (!(size <= MOST)) throw new Error(`${name} is asked for too much`);
}

/** What vega does after an encoding: two ends become a place and a size. */
function placed(channels, marktype) {
  if (marktype === 'rule') return () => {};
  const swaps = marktype === 'group' || marktype === 'image' || marktype === 'rect';
  const axis = (at, size) => {
    const [end, centre] = [`${at}2`, `${at}c`];
    const [hasStart, hasEnd, hasCentre] = [at, end, centre].map(name => name in channels);
    return item => {
      if (hasEnd && hasStart) {
        if (swaps && item[at] > item[end]) [item[at], item[end]] = [item[end], item[at]];
        item[size] = item[end] - item[at];
      } else if (hasEnd) item[at] = item[end] - (item[size] || 0);
      if (hasCentre) item[at] = item[centre] - (item[size] || 0) / 2;
    };
  };
  const [x, y] = [axis('x', 'width'), axis('y', 'height')];
  return item => {
    x(item);
    y(item);
  };
}
