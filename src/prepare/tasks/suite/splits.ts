import { Random } from '../../../base/core/index.js';
import { type Phrase, PREFIXES } from './phrasing.js';
import type { Task } from './task.js';

/** What of a task may be trained, and what only tests see. */
export interface Parts<T> {
  trained: readonly T[];
  heldOut: readonly T[];
}

/** A task with its wordings and parameters split. */
export interface SplitTask {
  task: Task;
  /** Wordings of its verbs: a quarter is held out. */
  phrases: Parts<Phrase>;
  /** Wordings of its base-only verb. */
  basePhrases: readonly Phrase[];
  /** Parameters: a quarter is held out where there are four or more. A task without parameters has the one `''`. */
  parameters: Parts<string>;
}

const HELD_OUT_SHARE = 0.25;

/** The split named `split` of a task: the same on every machine, whatever else the suite holds. */
export function splitTask(task: Task, split: number | string): SplitTask {
  const cut = <T>(items: readonly T[], name: string): Parts<T> => {
    const heldOut = items.length < 4 ? 0 : Math.round(items.length * HELD_OUT_SHARE);
    const shuffled = new Random(`suite/split ${split}/${name}`).shuffle(items);
    return { heldOut: shuffled.slice(0, heldOut), trained: shuffled.slice(heldOut) };
  };
  const family = task.family ?? `${task.cluster}/${task.name}`;
  return {
    task,
    phrases: cut(phrases(task, task.verbs), `wordings/${family}`),
    basePhrases: task.baseVerb === undefined ? [] : phrases(task, [task.baseVerb]),
    parameters: task.composition
      ? keepParts(cut(task.parameters!, `parameters/${family}`), task)
      : cut(task.parameters ?? [''], `parameters/${family}`),
  };
}

/** A pair is held out only while both of its skills are left in a trained pair: what is new must be the pair alone. */
function keepParts({ trained, heldOut }: Parts<string>, task: Task): Parts<string> {
  const skills = (pair: string) => Object.entries(task.slots!(pair)).map(([slot, skill]) => `${slot} ${skill}`);
  const known = new Set(trained.flatMap(skills));
  const held = heldOut.filter(pair => skills(pair).every(skill => known.has(skill)));
  return { heldOut: held, trained: [...trained, ...heldOut.filter(pair => !held.includes(pair))] };
}

/** Every way to word a task with the given verbs, each text once. */
function phrases(task: Task, verbs: readonly string[]): Phrase[] {
  const byText = new Map<string, Phrase>();
  for (const verb of verbs)
    for (const prefix of PREFIXES)
      for (const object of task.objects) {
        const phrase = { prefix, verb, object };
        // A verb without {o} reads the same for every object.
        const text = `${prefix}/${verb.replace('{o}', object)}`;
        if (!byText.has(text)) byText.set(text, phrase);
      }
  return [...byText.values()];
}
