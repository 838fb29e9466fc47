import type { Fields } from './fields.js';
import type { LayerType, RopeConfig } from './types.js';

/** Types by their names in config.json; `su` is longrope's first name. */
const TYPES: Record<string, RopeConfig['type']> = {
  default: 'default',
  linear: 'linear',
  dynamic: 'dynamic',
  yarn: 'yarn',
  longrope: 'longrope',
  su: 'longrope',
  llama3: 'llama3',
};

/**
 * Rotary positions of a config.json: transformers 5 writes `rope_parameters`, flat or by layer type, earlier versions
 * `rope_theta` and `rope_scaling`.
 * @param layer whose positions, where `rope_parameters` tells layer types apart
 */
export function readRope(fields: Fields, defaultTheta: number, layer: LayerType = 'full_attention'): RopeConfig {
  const parameters = fields.object('rope_scaling') ?? fields.object('rope_parameters');
  const own = parameters?.has(layer) ? parameters.object(layer) : parameters;
  const theta = own?.has('rope_theta') ? own.number('rope_theta') : fields.number('rope_theta', defaultTheta);
  const partialKey = 'partial_rotary_factor';
  const partial = own?.has(partialKey) ? own.number(partialKey) : fields.number(partialKey, 1);
  if (!own) return { theta, type: 'default', partial };
  const typeKey = own.has('rope_type') ? 'rope_type' : 'type';
  const type = own.oneOf(typeKey, TYPES, 'default');
  const rope: RopeConfig = { theta, type, partial };
  if (type === 'default') return rope;

  const context = fields.count('max_position_embeddings', 2048);
  if (type === 'yarn' || type === 'longrope' || type === 'llama3')
    // Phi-3 writes it beside `rope_scaling`, and that one counts.
    rope.originalMaxPositionEmbeddings =
      fields.optionalCount('original_max_position_embeddings') ?? own.count('original_max_position_embeddings', context);
  const stretched = context / (rope.originalMaxPositionEmbeddings ?? context);
  rope.factor = own.has('factor') || stretched === 1 ? own.number('factor', type === 'longrope' ? 1 : undefined) : stretched;
  if (type === 'llama3') {
    rope.lowFreqFactor = own.number('low_freq_factor');
    rope.highFreqFactor = own.number('high_freq_factor');
  }
  if (type === 'yarn' || type === 'longrope') rope.attentionFactor = own.optionalNumber('attention_factor');
  if (type === 'yarn') {
    rope.betaFast = own.optionalNumber('beta_fast');
    rope.betaSlow = own.optionalNumber('beta_slow');
    rope.mscale = own.optionalNumber('mscale');
    rope.mscaleAllDim = own.optionalNumber('mscale_all_dim');
    rope.truncate = own.flag('truncate', true);
  }
  if (type === 'longrope') {
    rope.shortFactor = own.numbers('short_factor');
    rope.longFactor = own.numbers('long_factor');
    if (!rope.shortFactor || !rope.longFactor) throw own.wrong('long_factor', 'lists short_factor and long_factor', null);
  }
  return rope;
}

/** The object transformers reads as `rope_parameters` and, but for the theta, as `rope_scaling`. */
export function writeRope(rope: RopeConfig): Record<string, unknown> {
  const entries = {
    rope_type: rope.type,
    rope_theta: rope.theta,
    partial_rotary_factor: rope.partial === 1 ? undefined : rope.partial,
    factor: rope.factor,
    original_max_position_embeddings: rope.originalMaxPositionEmbeddings,
    low_freq_factor: rope.lowFreqFactor,
    high_freq_factor: rope.highFreqFactor,
    attention_factor: rope.attentionFactor,
    beta_fast: rope.betaFast,
    beta_slow: rope.betaSlow,
    mscale: rope.mscale,
    mscale_all_dim: rope.mscaleAllDim,
    truncate: rope.truncate,
    short_factor: rope.shortFactor,
    long_factor: rope.longFactor,
  };
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
