import { Fields } from '../config/fields.js';
import type { SamplingOptions } from './sampling.js';

/** What transformers draws from where generation_config.json names no number. */
const TOP_K = 50;

/**
 * The sampling that a generation_config.json asks for, as transformers' `generate` reads it: where `do_sample` is on, its temperature (1),
 * top_k (50), top_p and min_p; its repetition penalty in any case. Throws BadInput for values that are none.
 */
export function recommendedSampling(generation: Readonly<Record<string, unknown>> = {}, file?: string): SamplingOptions {
  const fields = new Fields(generation, file);
  const penalty = fields.number('repetition_penalty', 1);
  const kept = penalty === 1 ? {} : { repetitionPenalty: penalty };
  if (!fields.flag('do_sample', false)) return kept;
  const topK = fields.count('top_k', TOP_K, 0);
  const topP = fields.optionalNumber('top_p') ?? 1;
  if (topP > 1) throw fields.wrong('top_p', 'a number above 0, at most 1', topP);
  const minP = generation.min_p ? fields.number('min_p') : 0;
  return {
    temperature: fields.number('temperature', 1),
    ...(topK > 0 && { topK }),
    ...(topP < 1 && { topP }),
    ...(minP > 0 && { minP }),
    ...kept,
  };
}
