import { BadInput, quote } from '../../../base/core/index.js';
import { MOST_EXPERTS, MOST_LAYERS } from './fields.js';
import type { DecoderConfig } from './types.js';

/** Experts of all layers together: each is three weights. */
const MOST_IN_ALL = 65_536;

/** Throws BadInput for a configuration whose parts do not fit each other. */
export function checkConfig(config: DecoderConfig, file?: string): void {
  const need = (good: boolean, key: string, expected: string, found: unknown) => {
    if (good) return;
    throw new BadInput({
      problem: 'The model configuration cannot be used',
      where: { file, key },
      expected,
      found: quote(found ?? null),
    });
  };
  const counts = [
    'vocabSize',
    'hiddenSize',
    'intermediateSize',
    'numHiddenLayers',
    'numAttentionHeads',
    'numKeyValueHeads',
    'headDim',
    'maxPositionEmbeddings',
  ] as const;
  for (const key of counts) need(Number.isInteger(config[key]) && config[key] >= 1, key, 'an integer from 1', config[key]);
  const { numHiddenLayers: layers } = config;
  need(layers <= MOST_LAYERS, 'num_hidden_layers', `an integer from 1 to ${MOST_LAYERS}`, layers);
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, numExperts, numExpertsPerToken: chosen } = config;
  need(heads % keyHeads === 0, 'num_key_value_heads', `a divisor of num_attention_heads (${heads})`, keyHeads);
  need(config.normEps > 0, 'normEps', 'a number above 0', config.normEps);
  for (const rope of [config.rope, config.localRope]) {
    if (!rope) continue;
    const width = Math.floor(config.headDim * rope.partial);
    // An odd share is rounded up, as transformers does; a whole head that is odd has one dimension too few.
    const turned = 2 * Math.ceil(width / 2);
    const key = rope.partial === 1 ? 'head_dim' : 'partial_rotary_factor';
    need(turned > 0 && turned <= config.headDim, key, 'an even number of turned dimensions', width);
    need(rope.type !== 'dynamic' || width > 2, 'head_dim', 'more than 2 turned dimensions for dynamic rope scaling', width);
    for (const list of [rope.shortFactor, rope.longFactor])
      need(!list || list.length === turned / 2, 'rope_parameters', `${turned / 2} factors of longrope`, list?.length);
  }
  if (config.modelType === 'gpt2') {
    need(!config.rope, 'rope', 'no rotary positions, as GPT-2 learns them', 'rope');
    need(heads * config.headDim === config.hiddenSize, 'n_embd', `a multiple of n_head (${heads})`, config.hiddenSize);
    need(keyHeads === heads, 'numKeyValueHeads', `the number of heads (${heads})`, keyHeads);
  } else need(config.rope !== undefined, 'rope', 'rotary positions', undefined);
  if (config.mlp === 'experts') {
    const some = Number.isInteger(numExperts) && numExperts! >= 1 && numExperts! <= MOST_EXPERTS;
    need(some, 'num_local_experts', `an integer from 1 to ${MOST_EXPERTS}`, numExperts);
    need(layers * numExperts! <= MOST_IN_ALL, 'num_local_experts', `at most ${MOST_IN_ALL} experts in all layers`, numExperts);
    const few = Number.isInteger(chosen) && chosen! >= 1 && chosen! <= numExperts!;
    need(few, 'num_experts_per_tok', `an integer from 1 to ${numExperts}`, chosen);
  }
  const { layerTypes, slidingWindow: window } = config;
  need(!layerTypes || layerTypes.length === config.numHiddenLayers, 'layerTypes', 'one type a layer', layerTypes?.length);
  need(window === undefined || (Number.isInteger(window) && window >= 1), 'sliding_window', 'an integer from 1', window);
  need(
    !layerTypes?.includes('sliding_attention') || window !== undefined,
    'sliding_window',
    'an integer from 1, as layers slide',
    window,
  );
}
