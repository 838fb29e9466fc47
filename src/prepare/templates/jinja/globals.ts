import { BadInput } from '../../../base/core/index.js';
import { bind } from './arguments.js';
import { str } from './repr.js';
import { strftime } from './strftime.js';
import { isText, like, raw, type Text } from './text.js';
import {
  type Arguments,
  Callable,
  Dict,
  fail,
  isList,
  listOf,
  Namespace,
  needInt,
  needText,
  or,
  Range,
  Thing,
  Tuple,
  type Value,
} from './values.js';

// Jinja's sandbox refuses longer ranges.
const MAX_RANGE = 100_000;

/** What every chat template can call. `now` is the clock of strftime_now. */
export function globals(now: () => Date): [string, Value][] {
  const functions: [string, (given: Arguments) => Value][] = [
    ['range', range],
    ['dict', makeDict],
    [
      'namespace',
      given => {
        const attributes = makeDict(given);
        for (const key of attributes.keys()) checkKey(isText(key) ? raw(key) : '');
        return new Namespace(attributes);
      },
    ],
    ['cycler', cycler],
    ['joiner', joiner],
    [
      'raise_exception',
      given => {
        throw refusal(str(bind('raise_exception', given, ['message'])[0]!));
      },
    ],
    [
      'strftime_now',
      given => {
        const format = needText(bind('strftime_now', given, ['format'])[0]!, 'strftime_now');
        return like(strftime(now(), raw(format)), format);
      },
    ],
  ];
  return functions.map(([name, call]) => [name, new Callable(name, call)]);
}

/** The template says no, in its own words. */
function refusal(message: Text): BadInput {
  return new BadInput({
    problem: `the chat template refuses this conversation: ${raw(message)}`,
    fix: 'change the conversation as the template asks, or use another template',
  });
}

/** Attributes of a namespace must not begin with an underscore. */
export function checkKey(key: string): void {
  if (key.startsWith('_')) throw fail(`a namespace cannot have the attribute ${key}`);
}

function range(given: Arguments): Range {
  const numbers = given.args.map(value => needInt(value, 'range'));
  if (given.kwargs.size > 0 || numbers.length < 1 || numbers.length > 3) throw fail('range needs one to three numbers');
  const [start, stop, step] = numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
  if (step === 0) throw fail('range: the step must not be zero');
  const made = new Range(start, stop, step);
  if (made.length > MAX_RANGE) throw fail(`a range of ${made.length} is too big: the sandbox allows ${MAX_RANGE}`);
  return made;
}

function makeDict({ args, kwargs }: Arguments): Dict {
  if (args.length > 1) throw fail('dict takes at most one argument');
  const out = new Dict();
  const [source] = args;
  if (source instanceof Dict) for (const [key, value] of source.entries()) out.set(key, value);
  else if (source !== undefined) {
    for (const pair of listOf(source)) {
      const items = isList(pair) ? pair : pair instanceof Tuple ? pair.items : listOf(pair);
      if (items.length !== 2) throw fail('dict needs pairs');
      out.set(items[0]!, items[1]!);
    }
  }
  for (const [key, value] of kwargs) out.set(key, value);
  return out;
}

function cycler({ args }: Arguments): Thing {
  if (args.length === 0) throw fail('cycler: at least one item is needed');
  let at = 0;
  const methods = new Map<string, Value>([
    [
      'next',
      new Callable('next', () => {
        const item = args[at]!;
        at = (at + 1) % args.length;
        return item;
      }),
    ],
    [
      'reset',
      new Callable('reset', () => {
        at = 0;
        return null;
      }),
    ],
  ]);
  return new Thing('Cycler', name => (name === 'current' ? args[at]! : name === 'pos' ? at : methods.get(name)));
}

function joiner(given: Arguments): Thing {
  const separator = or(bind('joiner', given, ['sep?'])[0], ', ');
  let used = false;
  return new Thing(
    'Joiner',
    name => (name === 'sep' ? separator : name === 'used' ? used : undefined),
    () => {
      if (used) return separator;
      used = true;
      return '';
    },
  );
}
