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

/** Phi-3's first files say yarn and mean longrope. */
const PHI3_TYPES: Record<string, RopeConfig['type']> = {
  default: 'default',
  longrope: 'longrope',
  su: 'longrope',
  yarn: 'longrope',
};

/** What a family brings to the reading of its rotary positions. */
export interface RopeReading {
  /** Where the file names no base. */
  theta: number;
  /** The model's context. */
  context: number;
  /** Turns a share of every head alone (Phi-3); others refuse a `partial_rotary_factor`. */
  partial?: boolean;
  /** Context before stretching where the file does not have it beside `rope_scaling`; else it is looked for within. */
  originalContext?: number;
}

/**
 * Rotary positions of a config.json: transformers 5 writes `rope_parameters`, earlier versions `rope_theta` and
 * `rope_scaling`; where both are there, the latter counts.
 */
export function readRope(fields: Fields, reading: RopeReading): RopeConfig {
  const own = fields.object('rope_scaling') ?? fields.object('rope_parameters') ?? fields.inner({});
  return ropeFrom(own, fields, reading, 'rope_theta');
}

/**
 * Rotary positions where `rope_parameters` tells layer types apart (Gemma 3). The older keys are `rope_theta` and
 * `rope_scaling` for the global layers, `rope_local_base_freq` for those with a window.
 */
export function readLayerRope(fields: Fields, reading: RopeReading, layer: LayerType): RopeConfig {
  const own = fields.object('rope_parameters')?.object(layer) ?? fields.inner({});
  if (layer === 'sliding_attention') return ropeFrom(own, fields, reading, 'rope_local_base_freq');
  return ropeFrom(own.inner({ ...own.raw, ...fields.object('rope_scaling')?.raw }), fields, reading, 'rope_theta');
}

function ropeFrom(own: Fields, fields: Fields, reading: RopeReading, thetaKey: string): RopeConfig {
  const theta = own.has('rope_theta') ? own.number('rope_theta') : fields.number(thetaKey, reading.theta);
  const partialKey = 'partial_rotary_factor';
  const partialFields = own.has(partialKey) ? own : fields;
  if (!reading.partial) partialFields.refuse(partialKey, value => value === undefined || value === 1, 'heads turned in full');
  const partial = partialFields.number(partialKey, 1);
  const typeKey = own.has('rope_type') ? 'rope_type' : 'type';
  const type = own.oneOf(typeKey, reading.partial ? PHI3_TYPES : TYPES, 'default');
  const rope: RopeConfig = { theta, type, partial };
  if (type === 'default') return rope;

  const { context } = reading;
  if (type === 'yarn' || type === 'longrope' || type === 'llama3')
    // Phi-3 writes it beside `rope_scaling`, and that one counts.
    rope.originalMaxPositionEmbeddings =
      fields.optionalCount('original_max_position_embeddings') ??
      reading.originalContext ??
      own.count('original_max_position_embeddings', context);
  // Frequencies follow the length from there on; the model's context is `factor` times as long.
  if (type === 'dynamic') rope.originalMaxPositionEmbeddings = context;
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
    // For `dynamic` it is written as max_position_embeddings.
    original_max_position_embeddings: rope.type === 'dynamic' ? undefined : rope.originalMaxPositionEmbeddings,
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
