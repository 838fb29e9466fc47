import type { LoraPlan } from './lora-plan.js';

/** The version of PEFT whose files these are. */
export const PEFT_VERSION = '0.21.2';

/** adapter_config.json of PEFT 0.21, with all of its keys. */
export function loraConfig(
  { settings, targets, sites, trainTokens }: LoraPlan,
  taskType: 'CAUSAL_LM' | 'SEQ_2_SEQ_LM',
): Record<string, unknown> {
  const { layers, layersPattern, modulesToSave, exclude } = settings;
  const original = settings.original ?? {};
  return {
    alora_invocation_tokens: null,
    alpha_pattern: settings.alphaPattern,
    arrow_config: null,
    auto_mapping: original.auto_mapping ?? null,
    base_model_name_or_path: original.base_model_name_or_path ?? null,
    bias: settings.bias,
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: exclude ?? null,
    fan_in_fan_out: sites.some(({ use, transposed }) => use === 'linear' && transposed),
    inference_mode: true,
    init_lora_weights: original.init_lora_weights ?? (settings.init === 'gaussian' ? 'gaussian' : true),
    kasa_config: null,
    layer_replication: null,
    layers_pattern: original.layers_pattern ?? layersPattern ?? null,
    layers_to_transform: original.layers_to_transform ?? layers ?? null,
    loftq_config: {},
    lora_alpha: settings.alpha,
    lora_bias: false,
    lora_dropout: settings.dropout,
    lora_ga_config: null,
    megatron_config: null,
    megatron_core: 'megatron.core',
    modules_to_save: modulesToSave.length > 0 ? modulesToSave : null,
    monteclora_config: null,
    peft_type: 'LORA',
    peft_version: PEFT_VERSION,
    qalora_group_size: 16,
    r: settings.rank,
    rank_pattern: settings.rankPattern,
    revision: original.revision ?? null,
    target_modules: targets,
    target_parameters: null,
    task_type: original.task_type ?? taskType,
    trainable_token_indices: trainTokens ?? null,
    use_bdlora: null,
    use_dora: settings.dora,
    use_qalora: false,
    use_rslora: settings.rsLoRA,
    velora_config: null,
  };
}
