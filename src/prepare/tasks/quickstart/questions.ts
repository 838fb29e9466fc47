import type { Random } from '../../../base/core/index.js';
import type { Question, Skill } from './skills.js';
import { NOUNS } from './world.js';

/** A random question for a skill: 2–4 distinct nouns (one for `classify`), the parameter among `parameters`. */
export function question(skill: Skill, random: Random, parameters: readonly string[] = NOUNS): Question {
  const length = 2 + random.int(3);
  if (skill.parameter === 'none') return { words: random.sample(NOUNS, length) };
  const parameter = random.pick(parameters);
  if (skill.parameter === 'only') return { words: [parameter], parameter };
  const others = NOUNS.filter(noun => noun !== parameter);
  if (skill.parameter === 'outside') return { words: random.sample(others, length), parameter };
  const words = random.sample(others, length - 1);
  // Places before the last word are one fewer than places altogether.
  words.splice(random.int(skill.parameter === 'not last' ? words.length : words.length + 1), 0, parameter);
  return { words, parameter };
}
