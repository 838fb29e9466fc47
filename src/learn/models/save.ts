import { join } from 'node:path';
import { writeFileAtomic } from '../../base/core/index.js';
import { toHuggingFace } from './config.js';
import type { Model } from './model.js';
import { safetensorsChunks } from './safetensors.js';

/** Write a model as transformers loads it. The weights come last, so that a directory with weights is whole. */
export async function saveModel(model: Model, dir: string): Promise<void> {
  const { config, original, parameters } = model;
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;
  const huggingFace = toHuggingFace(config, original.config);
  const generation = {
    bos_token_id: huggingFace.bos_token_id,
    eos_token_id: huggingFace.eos_token_id,
    pad_token_id: huggingFace.pad_token_id,
    // What the model came with wins: chat models stop at more tokens than config.json names.
    ...original.generation,
  };
  const values = (index: number) => {
    const tensor = parameters[index]!.read();
    try {
      return tensor.dataSync() as Float32Array;
    } finally {
      tensor.dispose();
    }
  };
  await writeFileAtomic(join(dir, 'config.json'), json(huggingFace));
  await writeFileAtomic(join(dir, 'generation_config.json'), json(generation));
  await writeFileAtomic(join(dir, 'model.safetensors'), safetensorsChunks(parameters, values));
}
