import { BadInput } from '../../../base/core/index.js';

interface DefaultTargets {
  lora: readonly string[];
  ia3: readonly string[];
  /** Those of `ia3` that are scaled at their input. */
  feedforward: readonly string[];
}

const QV = ['q_proj', 'v_proj'];

/**
 * The modules PEFT puts an adapter on where it is told none, by `model_type` of config.json (peft/utils/constants.py:
 * TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING and its IA³ likes). PEFT knows none for Phi-3; there we take what carries
 * queries, keys and values, and the second matrix of the feed-forward.
 */
const DEFAULTS: Readonly<Record<string, DefaultTargets>> = {
  llama: { lora: QV, ia3: ['k_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  mistral: { lora: QV, ia3: ['k_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  // Experts are no linear modules in transformers 5: PEFT's third target, w2, matches nothing there.
  mixtral: { lora: QV, ia3: ['k_proj', 'v_proj'], feedforward: [] },
  qwen2: { lora: QV, ia3: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  qwen3: { lora: QV, ia3: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gemma: { lora: QV, ia3: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gemma2: { lora: QV, ia3: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gemma3_text: { lora: QV, ia3: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gpt2: { lora: ['c_attn'], ia3: ['c_attn', 'mlp.c_proj'], feedforward: ['mlp.c_proj'] },
  phi3: { lora: ['qkv_proj'], ia3: ['qkv_proj', 'down_proj'], feedforward: ['down_proj'] },
  t5: { lora: ['q', 'v'], ia3: ['k', 'v', 'wo'], feedforward: ['wo'] },
};

/** PEFT's default targets for a model type; BadInput where it has none. */
export function defaultTargets(modelType: string, key: string): DefaultTargets {
  const found = Object.hasOwn(DEFAULTS, modelType) ? DEFAULTS[modelType] : undefined;
  if (found) return found;
  throw new BadInput({
    problem: `There are no default targets for models of type ${modelType}`,
    where: { key },
    fix: "name them: targets: ['q_proj', 'v_proj'], or targets: 'all-linear'",
  });
}
