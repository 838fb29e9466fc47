import { BadInput } from '../../../base/core/index.js';
import type { LinearModule } from '../adapter.js';
import type { Model } from '../model.js';
import type { ModelParameter } from '../parameter.js';
import { HEAD } from '../reading.js';

/** A module of the base that a low-rank update or a rescaling can be put on. */
export interface Site extends LinearModule {
  /**
   * How it is reached: a `linear` module computes with its adapter at every call; an `embedding` and the output `head` are
   * matrices that are used in other ways, so that their whole weight is replaced.
   */
  readonly use: 'linear' | 'embedding' | 'head';
}

/** Name of the module that turns hidden states into logits, in every family. */
const HEAD_MODULE = 'lm_head';

/** All modules of a model that adapters can be put on: its linear modules, then embeddings and head. */
export function sitesOf(model: Model): Site[] {
  const sites: Site[] = model
    .linearModules()
    // To transformers 5 Mixtral's router and experts are no linear modules: PEFT could not place an adapter there.
    .filter(({ module }) => !module.includes('.block_sparse_moe.'))
    .map(linear => ({ ...linear, use: 'linear' }));
  const [embedding, head] = model.vocabularyMatrices();
  const positions = model.baseParameters.find(({ name }) => name.endsWith('.wpe.weight'))?.name;
  for (const name of [embedding, positions]) {
    if (name === undefined) continue;
    // PEFT's words for an embedding: its inputs are the tokens, its outputs the hidden sizes, and it lies as [in, out].
    const [inFeatures, outFeatures] = model.parameter(name).shape as [number, number];
    sites.push({ module: name.replace(/\.weight$/, ''), inFeatures, outFeatures, transposed: true, use: 'embedding' });
  }
  // A head that shares the embedding's matrix is a module of its own all the same.
  const [outFeatures, inFeatures] = model.parameter(head ?? embedding!).shape as [number, number];
  sites.push({ module: HEAD_MODULE, inFeatures, outFeatures, transposed: false, use: 'head' });
  return sites;
}

/** All modules of a model: every weight's, and the ones they lie in. */
export function moduleNames(model: Model): string[] {
  const names = new Set<string>();
  for (const { name } of model.baseParameters) {
    const parts = name.split('.');
    for (let n = 1; n < parts.length; n++) names.add(parts.slice(0, n).join('.'));
  }
  return [...names.add(HEAD_MODULE)];
}

/** The base's weight of this name; a tied head has the embedding's. */
export function baseWeight(model: Model, name: string): ModelParameter | undefined {
  const stored = name === HEAD && isTied(model) ? model.vocabularyMatrices()[0] : name;
  return model.baseParameters.find(p => p.name === stored);
}

/** Whether embedding and head share a matrix. */
export function isTied(model: Model): boolean {
  return model.vocabularyMatrices().length === 1;
}

/** Whether a module is one of the two that share a matrix where a model is tied. */
export function isVocabularyModule(model: Model, module: string): boolean {
  return module === HEAD_MODULE || `${module}.weight` === model.vocabularyMatrices()[0];
}

/** `model_type` of config.json. */
export function modelType(model: Model): string {
  return String(model.huggingFaceConfig().model_type);
}

/** PEFT's word for what the model does. */
export function taskType(model: Model): 'CAUSAL_LM' | 'SEQ_2_SEQ_LM' {
  return model.huggingFaceConfig().is_encoder_decoder === true ? 'SEQ_2_SEQ_LM' : 'CAUSAL_LM';
}

/**
 * Throws BadInput where the modules have the embedding of an encoder–decoder among them. T5's encoder and decoder look tokens up in modules
 * of their own, which share its weight: what PEFT puts on `shared` has no effect.
 */
export function refuseShared(model: Model, modules: readonly string[], key: string): void {
  const shared = model.vocabularyMatrices()[0]!.replace(/\.weight$/, '');
  if (taskType(model) !== 'SEQ_2_SEQ_LM' || !modules.includes(shared)) return;
  throw new BadInput({
    problem: 'An adapter on the shared embedding of an encoder–decoder has no effect in PEFT',
    where: { key },
    found: shared,
    fix: 'leave it out; single tokens can be trained: lora({ trainTokens: [ids] })',
  });
}
