import { BadInput, Random } from '../../../base/core/index.js';
import type { Instruction } from './instructions.js';
import { HELD_OUT_STYLES } from './phrasing.js';
import { drawRow, keyOf, type Source, type Span, type SuiteRow } from './rows.js';
import type { SplitTask } from './splits.js';

/**
 * The ladder of held-out instructions, from near to far. Each rung holds out what its name says and is trained in all else.
 *
 * | rung | what no training row has |
 * |---|---|
 * | new inputs | the question: instructions, wordings and layouts are trained ones |
 * | paraphrases | the wording: a new combination of prefix, verb and object |
 * | parameters | what the instruction names: a word, a field, a modulus |
 * | templates | the layout of instruction and input (style shift) |
 * | base-only verbs | the verb, which base text alone has shown |
 * | base-only skills | the task, which base text alone has shown |
 * | compositions | the pair of skills; each of the two is trained in other pairs |
 * | clusters | any task of the cluster |
 */
export const SUITE_RUNGS = [
  'new inputs',
  'paraphrases',
  'parameters',
  'templates',
  'base-only verbs',
  'base-only skills',
  'compositions',
  'clusters',
] as const;
export type SuiteRung = (typeof SUITE_RUNGS)[number];

/** The tasks of a suite, by what they are for. */
export interface Roster {
  trained: readonly SplitTask[];
  /** Tasks of whole clusters that are held out. */
  heldOut: readonly SplitTask[];
  /** Tasks that base text alone shows. */
  baseOnly: readonly SplitTask[];
}

/** What a rung asks: a list of sources whose turns come one after the other. */
type Sources = readonly Source[];

/** Where each rung draws its rows. A rung without tasks is left out of the suite. */
export function rungSources(
  roster: Roster,
  styles: readonly string[],
  instructions?: readonly Instruction[],
): Record<SuiteRung, Sources> {
  const { trained, heldOut, baseOnly } = roster;
  const source = (split: SplitTask, change: Partial<Source> = {}): Source => ({
    task: split.task,
    phrases: split.phrases.trained,
    parameters: split.parameters.trained,
    styles,
    ...change,
  });
  const withHeldOut = trained.filter(({ parameters }) => parameters.heldOut.length > 0);
  const parameters = (of: readonly SplitTask[]) => of.map(split => source(split, { parameters: split.parameters.heldOut }));
  return {
    'new inputs': instructions
      ? instructions
          .map(({ split, phrase, parameter }) => source(split, { phrases: [phrase], parameters: [parameter] }))
          .filter(({ task }) => !task.few)
      : trained.filter(({ task }) => !task.few).map(split => source(split)),
    paraphrases: trained
      .filter(({ phrases }) => phrases.heldOut.length > 0)
      .map(split => source(split, { phrases: split.phrases.heldOut })),
    parameters: parameters(withHeldOut.filter(({ task }) => !task.composition)),
    templates: trained.map(split => source(split, { styles: HELD_OUT_STYLES })),
    'base-only verbs': trained
      .filter(({ basePhrases }) => basePhrases.length > 0)
      .map(split => source(split, { phrases: split.basePhrases })),
    'base-only skills': baseOnly.map(split => source(split)),
    compositions: parameters(withHeldOut.filter(({ task }) => task.composition)),
    clusters: heldOut.map(split => source(split)),
  };
}

/** `count` different rows, the sources in turns. */
export function rungRows(
  name: SuiteRung,
  sources: Sources,
  { perRung, seed, difficulty, shots }: { perRung: number; seed: number | string; difficulty: Span; shots: Span },
): SuiteRow[] {
  const random = new Random(`suite/${seed}/rung ${name}`);
  const rows = new Map<string, SuiteRow>();
  let turn = 0;
  for (let missed = 0; rows.size < perRung; turn++) {
    const source = sources[turn % sources.length]!;
    const row = drawRow(random, source, { difficulty, shots }, made => !rows.has(keyOf(made, source.task.few ?? false)));
    if (row) {
      rows.set(keyOf(row, source.task.few ?? false), row);
      missed = 0;
    } else if (++missed > 3 * sources.length) {
      throw new BadInput({
        problem: `the rung "${name}" has not so many different rows`,
        where: { key: 'perRung' },
        expected: `at most ${rows.size} at difficulty ${JSON.stringify(difficulty)}`,
        found: String(perRung),
        fix: 'ask for fewer rows a rung, raise the difficulty, or name more tasks',
      });
    }
  }
  return [...rows.values()];
}
