import { BadInput, quote } from '../../../base/core/index.js';
import { checkConfig } from './check.js';
import { FAMILIES } from './families.js';
import { Fields } from './fields.js';
import type { DecoderConfig, ModelType } from './types.js';

/** Architectures of decoders, as config.json names them. */
function architectures(): string[] {
  return Object.values(FAMILIES).map(family => family.architecture);
}

/** Read Hugging Face's config.json. Throws BadInput, naming the file and key, for what is no decoder of a known family. */
export function parseConfig(json: unknown, file?: string): DecoderConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new BadInput({ problem: 'The model configuration is not a JSON object', where: { file }, found: quote(json) });
  const raw = json as Record<string, unknown>;
  const modelType = modelTypeOf(raw);
  if (!modelType)
    throw new BadInput({
      problem: 'This architecture is not known',
      where: { file, key: Array.isArray(raw.architectures) ? 'architectures' : 'model_type' },
      expected: `one of ${architectures().join(', ')}, T5ForConditionalGeneration`,
      found: `${quote(raw.architectures ?? null)} (model_type ${quote(raw.model_type ?? null)})`,
      fix: 'load a model of one of these architectures',
    });
  const fields = new Fields(raw, file);
  fields.refuse('quantization_config', value => value === undefined, 'weights without quantization');
  const config: DecoderConfig = {
    ...FAMILIES[modelType].read(fields),
    bosTokenId: fields.tokenIds('bos_token_id')[0],
    eosTokenIds: fields.tokenIds('eos_token_id'),
    padTokenId: fields.tokenIds('pad_token_id')[0],
  };
  checkConfig(config, file);
  return config;
}

function modelTypeOf(raw: Record<string, unknown>): ModelType | undefined {
  const types = Object.keys(FAMILIES) as ModelType[];
  const names = Array.isArray(raw.architectures) ? raw.architectures : [];
  // Gemma 3's text models call themselves gemma3_text; a gemma3 has a picture tower.
  const byName = types.find(type => FAMILIES[type].architecture === names[0]);
  if (names.length > 0 && !(names.length === 1 && byName)) return undefined;
  const byType = types.find(type => type === raw.model_type);
  if (raw.model_type !== undefined && !byType) return undefined;
  return byName && byType && byName !== byType ? undefined : (byName ?? byType);
}

/** config.json as transformers reads it; settings of the file the model came from are kept. */
export function toHuggingFace(config: DecoderConfig, original: Record<string, unknown> = {}): Record<string, unknown> {
  const family = FAMILIES[config.modelType];
  const eos = config.eosTokenIds;
  const written = {
    ...original,
    architectures: [family.architecture],
    model_type: config.modelType,
    ...family.write(config),
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: eos.length > 1 ? eos : (eos[0] ?? null),
    pad_token_id: config.padTokenId ?? null,
    torch_dtype: 'float32',
    dtype: 'float32',
  };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}
