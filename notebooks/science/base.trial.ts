// One trial: a base model, and what it knows. Run before the other sweeps, it keeps them from waiting for one.
import { backend } from 'tunebook';
import type { TrialContext } from 'tunebook/experiment';
import { type BaseRequest, knowledgeOf } from './base.ts';

export const defaults = { world: 'quickstart' as BaseRequest['world'], steps: 3000 };

export default async function trial({ world, steps }: typeof defaults, { seed, signal }: TrialContext) {
  await backend.use();
  return { ...(await knowledgeOf({ world, seed, steps, signal })) };
}
