import type { PeftFormat } from './format.js';
import { ia3Spec } from './ia3.js';

/** `peft_type: IA3`. */
export const ia3Format: PeftFormat = {
  peftType: 'IA3',
  spec: config =>
    ia3Spec({
      targets: config.textOrTexts('target_modules'),
      feedforward: config.textOrTexts('feedforward_modules'),
      exclude: config.textOrTexts('exclude_modules'),
      modulesToSave: config.strings('modules_to_save') ?? [],
      original: config.values,
    }),
};
