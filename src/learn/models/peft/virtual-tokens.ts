import { BadInput, quote } from '../../../base/core/index.js';
import type { DecoderConfig, ModelConfig } from '../config/index.js';
import type { Model } from '../model.js';
import type { PeftConfig } from './format.js';

/** Virtual tokens of a prompt or prefix; the most there may be keeps a hostile file from asking for memory without end. */
const MOST = 100_000;

/** Throws BadInput for what is no number of virtual tokens. */
export function checkVirtualTokens(count: unknown, key: string): void {
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= MOST) return;
  throw new BadInput({
    problem: 'No number of virtual tokens',
    where: { key },
    expected: `a whole number from 1 to ${MOST}`,
    found: quote(count),
  });
}

/** The configuration of a decoder. Throws BadInput for an encoder–decoder, and where no room is left for real tokens. */
export function decoderConfig(model: Model, method: string, virtualTokens: number): DecoderConfig {
  const { config } = model;
  if (!isDecoder(config))
    throw new BadInput({
      problem: `${method} is for decoders`,
      expected: 'a decoder, e.g. Llama or GPT-2',
      found: config.modelType,
      fix: 'use lora() or bottleneck() on an encoder–decoder',
    });
  if (virtualTokens >= config.maxPositionEmbeddings)
    throw new BadInput({
      problem: 'The virtual tokens leave no room for real ones in the context of the model',
      where: { key: 'virtualTokens' },
      expected: `fewer than ${config.maxPositionEmbeddings}`,
      found: `${virtualTokens}`,
    });
  return config;
}

function isDecoder(config: ModelConfig): config is DecoderConfig {
  return config.modelType !== 't5' && 'embeddingScale' in config;
}

/** The keys every adapter_config.json of a prompt or prefix has. */
export function peftConfig(
  peftType: string,
  virtualTokens: number,
  shape: { layers: number; heads: number; tokenDim: number },
  original: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    auto_mapping: null,
    base_model_name_or_path: original.base_model_name_or_path ?? null,
    inference_mode: true,
    modules_to_save: null,
    num_attention_heads: shape.heads,
    num_layers: shape.layers,
    num_transformer_submodules: 1,
    num_virtual_tokens: virtualTokens,
    peft_type: peftType,
    revision: original.revision ?? null,
    task_type: 'CAUSAL_LM',
    token_dim: shape.tokenDim,
  };
}

/** What a prompt's or prefix's adapter_config.json tells of it. Throws BadInput for one of an encoder–decoder. */
export function readVirtualTokens(config: PeftConfig): { virtualTokens: number; original: Readonly<Record<string, unknown>> } {
  if (config.integer('num_transformer_submodules', 1, 1) !== 1)
    throw config.bad(
      'num_transformer_submodules',
      '1, as for a decoder',
      'prompts and prefixes of encoder–decoders cannot be loaded: use LoRA',
    );
  config.refuse({ modules_to_save: 'modules trained as a whole' });
  for (const key of ['token_dim', 'num_layers']) if (!config.isOff(key)) config.integer(key, 1);
  const virtualTokens = config.integer('num_virtual_tokens', 1);
  if (virtualTokens > MOST) throw config.bad('num_virtual_tokens', `a whole number from 1 to ${MOST}`);
  return { virtualTokens, original: config.values };
}

/** Throws BadInput where a file that names a size was made for another base. */
export function sameBase(original: Readonly<Record<string, unknown>>, sizes: Readonly<Record<string, number>>): void {
  for (const [key, size] of Object.entries(sizes)) {
    const asked = original[key] ?? size;
    if (asked === size) continue;
    throw new BadInput({
      problem: 'The adapter was made for another base',
      where: { file: 'adapter_config.json', key },
      expected: `${size}, as the model has it`,
      found: quote(asked),
      fix: 'load the base model that the adapter was trained on',
    });
  }
}

/** Throws BadInput for an option that does not exist. */
export function checkOptions(method: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find(key => !known.includes(key));
  if (unknown === undefined) return;
  throw new BadInput({ problem: `${method} has no such option`, where: { key: unknown }, expected: known.join(', ') });
}
