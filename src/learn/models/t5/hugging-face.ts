import { BadInput, quote } from '../../../base/core/index.js';
import { checkT5, type T5Config } from './config.js';

/** Architectures whose weights and pass are those of T5ForConditionalGeneration. */
const ARCHITECTURES = ['T5ForConditionalGeneration', 'T5WithLMHeadModel'];

/** Whether a config.json is a T5's. */
export function isT5(raw: Record<string, unknown>): boolean {
  return raw.model_type === 't5';
}

/**
 * Read Hugging Face's config.json of a T5. Throws BadInput, naming file and key, for what is none.
 *
 * Whether the head is a matrix of its own is told by the weights as much as by `tie_word_embeddings`, which transformers 5
 * always writes as true: see `ownHead`.
 */
export function parseT5Config(raw: Record<string, unknown>, file?: string): T5Config {
  const architectures = Array.isArray(raw.architectures) ? raw.architectures : [];
  if (!isT5(raw) || architectures.some(name => !ARCHITECTURES.includes(name as string)))
    throw new BadInput({
      problem: 'This architecture is not known',
      where: { file, key: architectures.length > 0 ? 'architectures' : 'model_type' },
      expected: '"T5ForConditionalGeneration" (model_type "t5")',
      found: `${quote(raw.architectures ?? null)} (model_type ${quote(raw.model_type ?? null)})`,
      fix: 'load a model of this architecture',
    });
  for (const [key, good, expected] of FIXED)
    if (raw[key] !== undefined && raw[key] !== null && raw[key] !== good)
      throw new BadInput({ problem: 'This setting is not supported', where: { file, key }, expected, found: quote(raw[key]) });
  // Where config.json is silent, transformers' own defaults hold.
  const number = (key: string, fallback: number) =>
    raw[key] === undefined || raw[key] === null ? fallback : (raw[key] as number);
  const padTokenId = number('pad_token_id', 0);
  const eos = raw.eos_token_id === undefined ? 1 : raw.eos_token_id;
  const config: T5Config = {
    modelType: 't5',
    vocabSize: number('vocab_size', 32128),
    hiddenSize: number('d_model', 512),
    headDim: number('d_kv', 64),
    intermediateSize: number('d_ff', 2048),
    numHiddenLayers: number('num_layers', 6),
    numDecoderLayers: number('num_decoder_layers', number('num_layers', 6)),
    numAttentionHeads: number('num_heads', 8),
    relativeAttentionNumBuckets: number('relative_attention_num_buckets', 32),
    relativeAttentionMaxDistance: number('relative_attention_max_distance', 128),
    layerNormEpsilon: number('layer_norm_epsilon', 1e-6),
    feedForwardProj: (raw.feed_forward_proj ?? 'relu') as string,
    tieWordEmbeddings: raw.tie_word_embeddings !== false,
    scaleDecoderOutputs:
      typeof raw.scale_decoder_outputs === 'boolean' ? raw.scale_decoder_outputs : raw.tie_word_embeddings !== false,
    // T5 names none in some files; it begins with padding.
    decoderStartTokenId: number('decoder_start_token_id', padTokenId),
    padTokenId,
    eosTokenIds: (Array.isArray(eos) ? eos : [eos]).filter(id => Number.isInteger(id) && id >= 0) as number[],
    maxPositionEmbeddings: Number.POSITIVE_INFINITY,
    ...(Number.isInteger(raw.bos_token_id) && { bosTokenId: raw.bos_token_id as number }),
  };
  checkT5(config, file);
  return config;
}

/** Settings that change the pass and that no T5 in use has otherwise. */
const FIXED: readonly [key: string, good: unknown, expected: string][] = [
  ['is_encoder_decoder', true, 'true'],
  ['quantization_config', undefined, 'no quantization'],
];

/** config.json as transformers 4 and 5 read it; settings of the file the model came from are kept. */
export function t5ToHuggingFace(config: T5Config, original: Record<string, unknown> = {}): Record<string, unknown> {
  const { eosTokenIds: eos, feedForwardProj } = config;
  return {
    ...original,
    architectures: ['T5ForConditionalGeneration'],
    model_type: 't5',
    is_encoder_decoder: true,
    vocab_size: config.vocabSize,
    d_model: config.hiddenSize,
    d_kv: config.headDim,
    d_ff: config.intermediateSize,
    num_layers: config.numHiddenLayers,
    num_decoder_layers: config.numDecoderLayers,
    num_heads: config.numAttentionHeads,
    relative_attention_num_buckets: config.relativeAttentionNumBuckets,
    relative_attention_max_distance: config.relativeAttentionMaxDistance,
    layer_norm_epsilon: config.layerNormEpsilon,
    feed_forward_proj: feedForwardProj,
    // transformers 4 scales the decoder's output where the head is tied, 5 where scale_decoder_outputs says so.
    tie_word_embeddings: config.tieWordEmbeddings,
    scale_decoder_outputs: config.scaleDecoderOutputs,
    decoder_start_token_id: config.decoderStartTokenId,
    pad_token_id: config.padTokenId,
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: eos.length > 1 ? eos : (eos[0] ?? null),
    torch_dtype: 'float32',
    dtype: 'float32',
  };
}
