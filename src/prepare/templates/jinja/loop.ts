import { meter } from './meter.js';
import {
  type Arguments,
  Callable,
  equal,
  fail,
  Iter,
  iterate,
  or,
  sizeOf,
  Thing,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** A for loop at work: gives the items, and `loop` with what it knows of its place. Looks ahead only when asked. */
export class Loop {
  /** What the template sees as `loop`. */
  readonly thing: Thing;
  private readonly iterator: Iterator<Value>;
  private readonly known: number | undefined;
  private index0 = -1;
  private before: Value | undefined;
  private current: Value | undefined;
  private ahead: { item: Value | undefined } | undefined;
  private counted: number | undefined;
  private lastChanged: Tuple | undefined;

  constructor(over: Value, depth0: number, recurse: ((given: Arguments) => Value) | undefined) {
    const iterator = iterate(over);
    if (!iterator) throw fail(`${typeName(over)} is not iterable`);
    this.iterator = iterator;
    this.known = over instanceof Iter ? undefined : sizeOf(over);
    const methods = new Map<string, Value>([
      ['cycle', new Callable('cycle', given => this.cycle(given))],
      ['changed', new Callable('changed', given => this.changed(given))],
    ]);
    const attributes: Record<string, () => Value> = {
      index: () => this.index0 + 1,
      index0: () => this.index0,
      first: () => this.index0 === 0,
      last: () => this.peek() === undefined,
      length: () => this.length(),
      revindex: () => this.length() - this.index0,
      revindex0: () => this.length() - this.index0 - 1,
      previtem: () => (this.index0 === 0 ? new Undefined('there is no previous item') : this.before!),
      nextitem: () => or(this.peek(), new Undefined('there is no next item')),
      depth: () => depth0 + 1,
      depth0: () => depth0,
    };
    this.thing = new Thing(
      'LoopContext',
      name => (Object.hasOwn(attributes, name) ? attributes[name]!() : methods.get(name)),
      given => {
        if (recurse) return recurse(given);
        throw fail("the loop must have the 'recursive' marker to be called recursively");
      },
      () => this.length(),
    );
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.peek();
    this.ahead = undefined;
    if (item === undefined) return undefined;
    meter().step();
    this.index0++;
    this.before = this.current;
    this.current = item;
    return item;
  }

  private peek(): Value | undefined {
    if (!this.ahead) {
      const { done, value } = this.iterator.next();
      this.ahead = { item: done ? undefined : value };
    }
    return this.ahead.item;
  }

  private length(): number {
    if (this.known !== undefined) return this.known;
    if (this.counted === undefined) {
      const rest: Value[] = [];
      const first = this.peek();
      if (first !== undefined) {
        rest.push(first);
        for (let next = this.iterator.next(); !next.done; next = this.iterator.next()) {
          meter().step();
          rest.push(next.value);
        }
      }
      this.counted = rest.length + this.index0 + 1;
      const again = rest.values();
      this.ahead = undefined;
      this.iterator.next = () => again.next();
    }
    return this.counted;
  }

  private cycle({ args }: Arguments): Value {
    if (args.length === 0) throw fail('no items for cycling given');
    return args[this.index0 % args.length]!;
  }

  private changed({ args }: Arguments): boolean {
    const value = new Tuple(args);
    if (this.lastChanged && equal(this.lastChanged, value)) return false;
    this.lastChanged = value;
    return true;
  }
}
