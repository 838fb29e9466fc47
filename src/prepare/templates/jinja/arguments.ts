import { type Arguments, fail, type Value } from './values.js';

/**
 * The arguments of a call in the order of `names`, given by place or by name. A name that ends with `?` may be left out.
 * @throws for one too many, one too few or one unknown, as Python does.
 */
export function bind(what: string, { args, kwargs }: Arguments, names: readonly string[]): (Value | undefined)[] {
  if (args.length > names.length) throw fail(`${what}() takes at most ${names.length} arguments, ${args.length} were given`);
  const out: (Value | undefined)[] = [...args];
  let used = 0;
  for (const [i, name] of names.entries()) {
    const key = name.replace('?', '');
    const given = kwargs.get(key);
    if (given !== undefined) {
      if (i < args.length) throw fail(`${what}() got multiple values for argument ${key}`);
      out[i] = given;
      used++;
    } else if (i >= args.length && key === name) throw fail(`${what}() needs the argument ${key}`);
  }
  if (used < kwargs.size) {
    const unknown = [...kwargs.keys()].find(key => !names.some(name => name.replace('?', '') === key));
    throw fail(`${what}() has no argument ${unknown}`);
  }
  return out;
}
