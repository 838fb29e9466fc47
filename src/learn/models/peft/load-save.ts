import { BadInput, quote } from '../../../base/core/index.js';
import type { Adapter } from '../adapter.js';
import { type HubOptions, localFolder } from '../files/hub.js';
import type { Model } from '../model.js';
import { bottleneckFormat } from './bottleneck.js';
import { type AdapterFileOptions, readAdapter, writeAdapter } from './files.js';
import type { PeftFormat } from './format.js';
import { ia3Format } from './ia3-format.js';
import { loraFormat } from './lora-format.js';
import { prefixFormat } from './prefix.js';
import { promptFormat } from './prompt.js';

const FORMATS: readonly PeftFormat[] = [loraFormat, ia3Format, promptFormat, prefixFormat, bottleneckFormat];

/**
 * Write one of the model's adapters as a folder PEFT loads (`PeftModel.from_pretrained(base, dir)`): adapter_config.json and
 * adapter_model.safetensors, each whole or not at all. Bottleneck adapters, which PEFT has not, are written in the same layout
 * under a `peft_type` of our own, BOTTLENECK: only tunebook loads those. `name` may be left out where there is but one adapter.
 */
export async function saveAdapter(model: Model, dir: string, { name }: AdapterFileOptions = {}): Promise<void> {
  const names = [...model.adapters.keys()];
  const wanted = name ?? (names.length === 1 ? names[0]! : 'default');
  const adapter = model.adapters.get(wanted);
  if (!adapter)
    throw new BadInput({
      problem: 'The model has no adapter of this name',
      where: { key: 'name' },
      expected: names.length > 0 ? names.join(', ') : 'an adapter: model.attach(models.lora())',
      found: quote(wanted),
    });
  await writeAdapter(adapter, dir);
}

/** Options of {@link loadAdapter}: what it is called here, and where it is downloaded from. */
export interface LoadAdapterOptions extends HubOptions, AdapterFileOptions {}

/**
 * Put the adapter in a folder, or of that name on the hub, as PEFT or {@link saveAdapter} wrote it, on a model and use it. Everything is checked before:
 * an adapter for another base, an option that is not computed here, a truncated file or a weight that is not a number throw
 * BadInput and leave the model as it was. Where the file brings the embedding of a base whose vocabulary was resized, the rows of the added
 * tokens (after `resizeVocabulary` here) become the model's, as PEFT does it. The order of patterns and names in adapter_config.json means what it means to PEFT.
 */
export async function loadAdapter(
  model: Model,
  source: string,
  { name = 'default', ...hub }: LoadAdapterOptions = {},
): Promise<Adapter> {
  if (model.adapters.has(name))
    throw new BadInput({
      problem: 'The model has an adapter of this name already',
      where: { key: 'name' },
      found: quote(name),
      fix: "give it another: loadAdapter(model, dir, { name: 'second' }), or model.detach(name) first",
    });
  const { spec, values, adopt } = await readAdapter(model, await localFolder(source, hub), FORMATS);
  const adapter = model.attach({ kind: spec.kind, build: (model, name) => spec.build(model, name, values) }, { name });
  adopt();
  return adapter;
}
