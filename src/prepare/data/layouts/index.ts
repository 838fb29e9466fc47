import { alpaca } from './alpaca.js';
import { dolly } from './dolly.js';
import { isObject } from './fields.js';
import { induction } from './induction.js';
import { inputsTargets } from './inputs-targets.js';
import type { Layout } from './layout.js';
import { messages } from './messages.js';
import { oasst } from './oasst.js';
import { preferences } from './preferences.js';
import { promptCompletion } from './prompt-completion.js';
import { selfInstruct } from './self-instruct.js';
import { sharegpt } from './sharegpt.js';
import { superni } from './superni.js';
import { text } from './text.js';
import { unary } from './unary.js';

/** Every layout, the more particular ones first: the first whose keys a row has is taken for all rows. */
export const LAYOUTS: readonly Layout[] = [
  superni,
  induction,
  oasst,
  preferences,
  unary,
  messages,
  sharegpt,
  selfInstruct,
  dolly,
  inputsTargets,
  promptCompletion,
  alpaca,
  text,
];

/** Tell the layout of a row from its keys; undefined when it has those of none. */
export function detectLayout(value: unknown): Layout | undefined {
  return isObject(value) ? LAYOUTS.find(layout => layout.detect(value)) : undefined;
}

/** What rows look like, for error messages: the common layouts and the names of the others. */
export const LIKE: string = `${[alpaca, messages, text].map(layout => layout.like).join(', ')} (also: ${LAYOUTS.map(l => l.name).join(', ')})`;
