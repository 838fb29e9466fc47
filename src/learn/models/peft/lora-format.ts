import { BadInput } from '../../../base/core/index.js';
import type { PeftConfig, PeftFormat } from './format.js';
import { loraSpec } from './lora.js';
import type { LoraSettings } from './lora-plan.js';
import type { TokenIndices } from './token-rows.js';

/** Options that change what a saved adapter computes, and that are not computed here. */
const REFUSED: Readonly<Record<string, string>> = {
  alora_invocation_tokens: 'activated LoRA',
  arrow_config: 'routing between adapters',
  kasa_config: 'KaSA',
  layer_replication: 'a base with repeated layers',
  lora_bias: 'a bias inside the update',
  monteclora_config: 'MonteCLoRA',
  target_parameters: 'updates of bare parameters',
  use_bdlora: 'block-diagonal LoRA',
  use_qalora: 'quantised LoRA',
  velora_config: 'VeLoRA',
};

/** First values taken out of the base's weights: the saved update belongs to a base changed by them. */
const CHANGES_BASE = /^(?:pissa|olora|corda|loftq|lora_ga)/;

/** `peft_type: LORA`. */
export const loraFormat: PeftFormat = {
  peftType: 'LORA',
  spec: config => loraSpec(loraSettings(config)),
};

function loraSettings(config: PeftConfig): LoraSettings {
  config.refuse(REFUSED);
  const init = config.values.init_lora_weights;
  if (typeof init === 'string' && CHANGES_BASE.test(init))
    throw new BadInput({
      problem: `The adapter was begun with ${init}, which takes part of the base's weights into the adapter: on the base as it is, it computes something else`,
      where: { file: config.file, key: 'init_lora_weights' },
      expected: 'an adapter that leaves its base as it is',
      fix: 'save it from PEFT with path_initial_model_for_weight_conversion, which makes a plain LoRA of it',
    });
  const layers = config.values.layers_to_transform ?? undefined;
  if (layers !== undefined && ![layers].flat().every(n => Number.isSafeInteger(n)))
    throw config.bad('layers_to_transform', 'the number of a layer, or a list of them');
  const layersPattern = config.textOrTexts('layers_pattern');
  const bias = config.values.bias ?? 'none';
  if (bias !== 'none' && bias !== 'all' && bias !== 'lora_only') throw config.bad('bias', '"none", "all" or "lora_only"');
  const dropout = config.number('lora_dropout', 0);
  if (dropout < 0 || dropout >= 1) throw config.bad('lora_dropout', 'a number from 0 to below 1');
  return {
    rank: config.integer('r', 1, 8),
    alpha: config.number('lora_alpha', 8),
    dropout,
    targets: config.textOrTexts('target_modules'),
    exclude: config.textOrTexts('exclude_modules'),
    layers: layers === undefined ? undefined : ([layers].flat() as number[]),
    layersPattern: typeof layersPattern === 'string' ? [layersPattern] : layersPattern,
    rankPattern: config.numbers('rank_pattern'),
    alphaPattern: config.numbers('alpha_pattern'),
    rsLoRA: config.boolean('use_rslora', false),
    dora: config.boolean('use_dora', false),
    bias,
    modulesToSave: config.strings('modules_to_save') ?? [],
    trainTokens: config.isOff('trainable_token_indices') ? undefined : tokenIndices(config),
    init: 'default',
    seed: 0,
    original: config.values,
  };
}

/** `trainable_token_indices`: ids, or ids by module. Which tokens the model has is asked when it is known. */
function tokenIndices(config: PeftConfig): TokenIndices {
  const value = config.values.trainable_token_indices;
  const isIds = (ids: unknown) => Array.isArray(ids) && ids.every(id => Number.isSafeInteger(id));
  const byModule = typeof value === 'object' && !Array.isArray(value);
  if (isIds(value) || (byModule && Object.values(value as object).every(isIds))) return value as TokenIndices;
  throw config.bad('trainable_token_indices', 'token ids, or token ids by module');
}
