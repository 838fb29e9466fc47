import { BadInput, type Parameter, quote } from '../../base/core/index.js';

/**
 * Which weights are meant. A string is whole parts of a name, wherever they stand: 'q_proj', 'model.layers.0',
 * 'lm_head.weight'; a pattern is looked for in the name; a function decides by name, shape or anything else.
 */
export type WeightMatch = string | RegExp | ((parameter: Parameter) => boolean);

/** Whether a weight is meant. */
export function isMatch(match: WeightMatch, parameter: Parameter): boolean {
  if (typeof match === 'string') return `.${parameter.name}.`.includes(`.${match}.`);
  // A pattern with the flag g would remember where it stopped.
  return match instanceof RegExp ? parameter.name.search(match) >= 0 : match(parameter);
}

/** How a match is written in a message and in a checkpoint; a function shows as its name alone. */
export function matchText(match: WeightMatch): string {
  return typeof match === 'function' ? `function ${match.name || '(without name)'}` : String(match);
}

/** The weights that are meant by any of `matches`. A match that means nothing is refused: a misspelt name must not be left out silently. */
export function matching<P extends Parameter>(key: string, matches: readonly WeightMatch[], parameters: readonly P[]): P[] {
  for (const match of matches) {
    if (typeof match !== 'string' && typeof match !== 'function' && !(match instanceof RegExp))
      throw new BadInput({
        problem: 'This does not say which weights are meant',
        where: { key },
        expected: 'a name or part of one, a regular expression, or a function of a parameter',
        found: quote(match),
        fix: `write ${key}: ['model.embed_tokens', /layers\\.[0-3]\\./]`,
      });
    if (!parameters.some(parameter => isMatch(match, parameter)))
      throw new BadInput({
        problem: `No weight of the model is meant by ${quote(matchText(match))}`,
        where: { key },
        expected: `a name such as ${parameters[0]?.name ?? '(the model has no weights)'}`,
        fix: 'model.parameters.map(p => p.name) lists them',
      });
  }
  return parameters.filter(parameter => matches.some(match => isMatch(match, parameter)));
}
