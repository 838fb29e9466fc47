export { instructions, ladder, questionKey, RUNGS, type Rung, type TaskRow } from './instructions.js';
export { type QuickstartOptions, type QuickstartWorld, quickstart } from './quickstart.js';
export { check, type Question, SKILLS, type Skill, skill } from './skills.js';
export { type FromRowsOptions, fromRows, type TaskSet } from './task-set.js';
export { instruction, WORDINGS, type Wording, type WordingSplit } from './wording.js';
export { FACTS, type Fact, HELD_OUT_NOUNS, KINDS, kindOf, NAMES, NOUNS, TRAINED_NOUNS } from './world.js';
