import { BadInput, quote } from '../../base/core/index.js';
import { BUILTIN } from './builtin.js';
import type { Template } from './types.js';

const registry = new Map<string, Template>(BUILTIN.map(template => [template.name, template]));

/** The template of that name, however it is spelt: `llama3` finds `llama-3`. @throws BadInput naming those there are. */
export function get(name: string): Template {
  const template = registry.get(name) ?? [...registry.values()].find(t => spelling(t.name) === spelling(name));
  if (template) return template;
  throw new BadInput({
    problem: `there is no template ${quote(name)}`,
    expected: `one of ${names().join(', ')}`,
    fix: 'choose one of these, or make one with templates.define and templates.register',
  });
}

const spelling = (name: string) =>
  String(name)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');

/** Names of all templates that `get` finds. */
export function names(): string[] {
  return [...registry.keys()].sort();
}

/** Give a template a name that `get` finds; an earlier one of that name is replaced. Returns the template. */
export function register(template: Template): Template {
  if (typeof template?.name !== 'string' || typeof template.render !== 'function' || !Array.isArray(template.stop)) {
    throw new BadInput({
      problem: 'this is no template',
      expected: 'an object {name, boundary, stop, render}',
      fix: 'make one with templates.define({name, user, assistant, …})',
    });
  }
  registry.set(template.name, template);
  return template;
}
