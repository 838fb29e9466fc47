import type { ModelParameter } from '../parameter.js';
import type { BaseModel, LinearModule } from './seam.js';

/** A module of the base that a low-rank update or a rescaling can be put on. */
export interface Site extends LinearModule {
  /**
   * How it is reached: a `linear` module computes with its adapter at every call; an `embedding` and the output `head` are
   * matrices that are used in other ways, so that their whole weight is replaced.
   */
  readonly use: 'linear' | 'embedding' | 'head';
}

const EMBEDDINGS = /(?:^|\.)(?:embed_tokens|wte|wpe|shared)$/;
/** Name of the module that turns hidden states into logits, in every family. */
const HEAD = 'lm_head';

/** All modules of a model that adapters can be put on: its linear modules, then embeddings and head. */
export function sitesOf(model: BaseModel): Site[] {
  const sites: Site[] = model
    .linearModules()
    .filter(({ module }) => module !== HEAD)
    .map(linear => ({ ...linear, use: 'linear' }));
  let tied: Site | undefined;
  for (const { name, shape } of model.parameters) {
    const module = name.replace(/\.weight$/, '');
    if (shape.length !== 2 || module === name) continue;
    const [rows, columns] = shape as [number, number];
    if (module === HEAD) sites.push({ module, inFeatures: columns, outFeatures: rows, transposed: false, use: 'head' });
    // PEFT's words for an embedding: its inputs are the tokens, its outputs the hidden sizes, and it lies as [in, out].
    if (EMBEDDINGS.test(module))
      sites.push({ module, inFeatures: rows, outFeatures: columns, transposed: true, use: 'embedding' });
    if (/(?:embed_tokens|wte|shared)$/.test(module))
      tied ??= { module: HEAD, inFeatures: columns, outFeatures: rows, transposed: false, use: 'head' };
  }
  // A head that shares the embedding's weight is a module of its own all the same.
  if (tied && !sites.some(({ use }) => use === 'head')) sites.push(tied);
  return sites;
}

/** All modules of a model: every weight's, and the ones they lie in. */
export function moduleNames(model: BaseModel): string[] {
  const names = new Set<string>();
  for (const { name } of model.parameters) {
    const parts = name.split('.');
    for (let n = 1; n < parts.length; n++) names.add(parts.slice(0, n).join('.'));
  }
  if (!names.has(HEAD)) names.add(HEAD);
  return [...names];
}

/** The base's weight of this name; a tied head has the embedding's. */
export function baseWeight(model: BaseModel, name: string): ModelParameter | undefined {
  const found = model.parameters.find(p => p.name === name);
  if (found || name !== `${HEAD}.weight`) return found;
  return model.parameters.find(p => /(?:^|\.)(?:embed_tokens|wte|shared)\.weight$/.test(p.name));
}

/** `model_type` of config.json. */
export function modelType(model: BaseModel): string {
  const type = model.original.config?.model_type;
  return typeof type === 'string' ? type : 'llama';
}

/** PEFT's word for what the model does. */
export function taskType(model: BaseModel): 'CAUSAL_LM' | 'SEQ_2_SEQ_LM' {
  return /t5$/.test(modelType(model)) ? 'SEQ_2_SEQ_LM' : 'CAUSAL_LM';
}
