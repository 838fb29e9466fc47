import type { Task } from '../suite/task.js';
import { arithmetic } from './arithmetic.js';
import { classification } from './classification.js';
import { code } from './code.js';
import { composition } from './composition.js';
import { context } from './context.js';
import { extraction } from './extraction.js';
import { format } from './format.js';
import { grounding } from './grounding.js';
import { lists } from './lists.js';
import { lookup } from './lookup.js';
import { reasoning } from './reasoning.js';
import { refusals } from './refusal.js';
import { rewrite } from './rewrite.js';
import { summarisation } from './summary.js';
import { transform } from './transform.js';
import { translation } from './translation.js';

/** Every task of the suite, cluster by cluster. A task added to one of these lists is part of the suite. */
export const TASKS: readonly Task[] = [
  ...transform,
  ...lookup,
  ...arithmetic,
  ...extraction,
  ...classification,
  ...rewrite,
  ...translation,
  ...lists,
  ...context,
  ...reasoning,
  ...code,
  ...composition,
  ...summarisation,
  ...refusals,
  ...grounding,
  ...format,
];

/** Names of the clusters, in their order. */
export const CLUSTERS: readonly string[] = [...new Set(TASKS.map(task => task.cluster))];
