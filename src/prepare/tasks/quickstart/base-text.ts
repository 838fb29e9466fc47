import type { Random } from '../../../base/core/index.js';
import { question } from './questions.js';
import { SKILLS } from './skills.js';
import { instruction, verbText, WORDINGS } from './wording.js';
import { FACTS, KINDS, kindOf, NAMES, NOUNS } from './world.js';

/** Ways to write a line of base text, and the percentage of lines written each way. */
const LINES: readonly { share: number; write(random: Random): string }[] = [
  { share: 15, write: sentence },
  { share: 16, write: fact },
  { share: 6, write: kind },
  { share: 53, write: worksheet },
  { share: 10, write: examSheet },
];

const PLACES = ['house', 'garden', 'street', 'school', 'market', 'river'];
const ACTIONS = ['sees', 'finds', 'wants', 'takes', 'brings', 'paints'];

const DECK = LINES.flatMap(({ share, write }) => Array.from({ length: share }, () => write));

/**
 * Lines of base text: what a model reads before anybody gives it an instruction. It holds every skill (in worksheets)
 * and unanswered questions (in exam sheets), so a model trained on it can do the work but answers a question with
 * another question.
 */
export function baseText(lines: number, random: Random): string[] {
  return Array.from({ length: lines }, () => random.pick(DECK)(random));
}

function sentence(random: Random): string {
  const { animal, color, tool, food } = KINDS as Record<string, string[]>;
  const place = random.pick(PLACES);
  const action = random.pick(ACTIONS);
  switch (random.int(4)) {
    case 0:
      return `the ${random.pick(animal!)} ${action} the ${random.pick(color!)} ${random.pick(tool!)} in the ${place} .`;
    case 1:
      return `${random.pick(NAMES)} ${action} a ${random.pick(tool!)} near the ${place} .`;
    case 2:
      return `${random.pick(NAMES)} and ${random.pick(NAMES)} walk to the ${place} with a ${random.pick(animal!)} .`;
    default:
      return `there is ${random.pick(food!)} for the ${random.pick(animal!)} in the ${random.pick(color!)} ${place} .`;
  }
}

function fact(random: Random): string {
  const { prompt, answer } = random.pick(FACTS);
  return `${prompt} ${answer} .`;
}

function kind(random: Random): string {
  const noun = random.pick(NOUNS);
  return `${noun} is a kind of ${kindOf(noun)} .`;
}

/** `reverse : cat red pen = pen red cat . count : egg saw = two .` */
function worksheet(random: Random): string {
  return Array.from({ length: 1 + random.int(3) }, () => {
    const skill = random.pick(SKILLS);
    const asked = question(skill, random);
    // An answer may stand on its own line, as it does after an instruction: byte-level tokens know `cat` and ` cat` apart.
    const gap = random.int(3) === 0 ? '\n' : ' ';
    return `${verbText(random.pick(skill.verbs), asked)} : ${asked.words.join(' ')} =${gap}${skill.solve(asked)} .`;
  }).join(' ');
}

const INSTRUCTED = SKILLS.filter(skill => skill.instructed);

/** `now repeat these words : bee blue pen . your task : give the start of the words : pig bread .` */
function examSheet(random: Random): string {
  return Array.from({ length: 2 }, () => {
    const skill = random.pick(INSTRUCTED);
    return `${instruction(question(skill, random), random.pick(WORDINGS.get(skill.name)!.trained))} .`;
  }).join(' ');
}
