import type { Ia3Plan } from './ia3-plan.js';
import { PEFT_VERSION } from './lora-config.js';

/** adapter_config.json of PEFT 0.21, with all of its keys. */
export function ia3Config(
  { settings, targets, feedforward, sites }: Ia3Plan,
  taskType: 'CAUSAL_LM' | 'SEQ_2_SEQ_LM',
): Record<string, unknown> {
  const original = settings.original ?? {};
  return {
    auto_mapping: original.auto_mapping ?? null,
    base_model_name_or_path: original.base_model_name_or_path ?? null,
    exclude_modules: settings.exclude ?? null,
    fan_in_fan_out: sites.some(({ transposed }) => transposed),
    feedforward_modules: feedforward,
    inference_mode: true,
    init_ia3_weights: original.init_ia3_weights ?? true,
    modules_to_save: settings.modulesToSave.length > 0 ? settings.modulesToSave : null,
    peft_type: 'IA3',
    peft_version: PEFT_VERSION,
    revision: original.revision ?? null,
    target_modules: targets,
    task_type: original.task_type ?? taskType,
  };
}
