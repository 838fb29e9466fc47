import type { Random } from '../../../base/core/index.js';
import { FACTS, kindOf } from '../quickstart/world.js';
import { bareVerb, instructionText, STYLES } from './phrasing.js';
import { note, scene, sentence } from './scenes.js';
import type { SplitTask } from './splits.js';
import { between, KINDS, NOUNS, PLURAL_KINDS } from './vocabulary.js';

/** What base text is written from. */
export interface BaseSources {
  /** Every task whose skill it shows. */
  all: readonly SplitTask[];
  /** The tasks that are trained as instructions: exam sheets ask them. */
  trained: readonly SplitTask[];
}

type Line = (random: Random, sources: BaseSources) => string;

/** Ways to write a line of base text, and the percentage of lines written each way. */
const LINES: readonly { share: number; write: Line }[] = [
  { share: 8, write: random => `${sentence(random, 1 + random.int(5))}.` },
  { share: 5, write: random => `${note(scene(random))}.` },
  { share: 14, write: fact },
  { share: 5, write: kind },
  { share: 4, write: listOfKind },
  { share: 10, write: shots },
  { share: 44, write: worksheet },
  { share: 10, write: examSheet },
];

const DECK = LINES.flatMap(({ share, write }) => Array.from({ length: share }, () => write));

/**
 * Lines of base text: sentences, notes, facts, lists, k-shot lines, worksheets of every skill, and unanswered questions,
 * so that a model trained on it can do the work but answers a question with another question.
 */
export function baseText(lines: number, random: Random, sources: BaseSources): string[] {
  return Array.from({ length: lines }, () => random.pick(DECK)(random, sources));
}

function fact(random: Random): string {
  const { prompt, answer } = random.pick(FACTS);
  return `${prompt} ${answer}.`;
}

function kind(random: Random): string {
  const noun = random.pick(NOUNS);
  return `${noun} is a kind of ${kindOf(noun)}.`;
}

/** `animals: cat owl hen` */
function listOfKind(random: Random): string {
  const name = random.pick(Object.keys(KINDS));
  return `${PLURAL_KINDS[name]}: ${random.sample(KINDS[name]!, between(random, 2, 5)).join(' ')}.`;
}

/** A composition that is held out is not shown here either; of other tasks base text has every parameter. */
function parametersOf({ task, parameters }: SplitTask): readonly string[] {
  return task.composition ? parameters.trained : [...parameters.trained, ...parameters.heldOut];
}

/** An answer may stand on its own line, as it does after an instruction: byte-level tokens know `cat` and ` cat` apart. */
const gap = (random: Random) => (random.int(3) === 0 ? '\n' : ' ');

const closed = (text: string) => (/[.?!]$/.test(text) ? text : `${text}.`);

/** Two to four questions of one kind without an instruction, as a few-shot prompt has them: `cat pen = pen cat. red owl = owl red.` */
function shots(random: Random, { all }: BaseSources): string {
  const split = random.pick(all);
  const parameter = random.pick(parametersOf(split));
  return Array.from({ length: between(random, 2, 4) }, () => {
    const { input, answer } = split.task.draw(random, 1, parameter);
    return `${input} =${gap(random)}${closed(answer)}`;
  }).join('\n');
}

/** `reverse: cat red pen = pen red cat.` */
function worksheet(random: Random, { all }: BaseSources): string {
  return Array.from({ length: between(random, 1, 2) }, () => {
    const split = random.pick(all);
    const { task } = split;
    const parameter = random.pick(parametersOf(split));
    const verbs = task.baseVerb === undefined ? task.verbs : [...task.verbs, task.baseVerb];
    const { input, answer, system } = task.draw(random, between(random, 1, 3), parameter);
    const rule = system === undefined ? '' : `${system} `;
    return `${rule}${bareVerb(task, random.pick(verbs), parameter)}: ${input} =${gap(random)}${closed(answer)}`;
  }).join(' ');
}

/** Two instructions without answers. */
function examSheet(random: Random, { trained }: BaseSources): string {
  return Array.from({ length: 2 }, () => {
    const { task, phrases, parameters } = random.pick(trained);
    const parameter = random.pick(parameters.trained);
    const { input } = task.draw(random, between(random, 1, 2), parameter);
    return closed(STYLES.colon!(instructionText(task, random.pick(phrases.trained), parameter), input));
  }).join(' ');
}
