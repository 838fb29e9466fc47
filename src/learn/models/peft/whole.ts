import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { baseWeight, moduleNames, refuseShared, type Site } from './base.js';
import type { PlannedTensor } from './format.js';

/** Which weights an adapter trains as a whole beside its small ones. */
export interface WholeRule {
  /** Modules named by the end of their name. */
  modulesToSave: readonly string[];
  bias: 'none' | 'all' | 'lora_only';
}

/** A weight of the base that an adapter has a copy of, and trains. */
export interface WholeWeight extends PlannedTensor {
  /** Name of the base's weight. */
  readonly weight: string;
  /** Name of the copy in an adapter called `adapter`. */
  parameterName(adapter: string): string;
}

/** The weights a rule names: those of `modules_to_save`, and biases. */
export function wholeWeights(model: Model, rule: WholeRule, targeted: readonly Site[]): WholeWeight[] {
  const found = new Map<string, WholeWeight>();
  for (const target of rule.modulesToSave) {
    // PEFT asks for the end of the name alone: "norm" is every module whose name ends so.
    const modules = moduleNames(model).filter(name => name.endsWith(target));
    if (modules.length === 0)
      throw new BadInput({
        problem: 'No module of the model has this name',
        where: { key: 'modulesToSave' },
        found: target,
        fix: 'name modules as in model.parameters, without .weight',
      });
    refuseShared(model, modules, 'modulesToSave');
    for (const module of modules)
      for (const { weight, shape } of weightsOf(model, module))
        found.set(weight, {
          weight,
          shape,
          file: `base_model.model.${inPython(weight)}`,
          parameterName: adapter => `${module}.modules_to_save.${adapter}${weight.slice(module.length)}`,
        });
  }
  if (rule.bias === 'none') return [...found.values()];
  const adapted = new Set(targeted.map(({ module }) => module));
  for (const { name, shape } of model.baseParameters) {
    const module = name.replace(/\.bias$/, '');
    if (module === name || found.has(name) || (rule.bias === 'lora_only' && !adapted.has(module))) continue;
    const file = adapted.has(module) ? `base_model.model.${module}.base_layer.bias` : `base_model.model.${name}`;
    found.set(name, { weight: name, shape, file, parameterName: adapter => `${name}.${adapter}` });
  }
  return [...found.values()];
}

/** Copies of the base's weights, or these values. */
export function createWhole(
  model: Model,
  whole: WholeWeight,
  adapter: string,
  values?: ReadonlyMap<string, Float32Array>,
): ModelParameter {
  const name = whole.parameterName(adapter);
  const given = values?.get(whole.file);
  if (given) return createParameter(name, whole.shape, given);
  const tensor = baseWeight(model, whole.weight)!.read();
  try {
    return createParameter(name, whole.shape, tensor.dataSync() as Float32Array);
  } finally {
    tf.dispose(tensor);
  }
}

/** The name a weight has in transformers 5, which calls Mixtral's block otherwise. Throws BadInput for experts: there one tensor holds all of them. */
function inPython(weight: string): string {
  if (weight.includes('.block_sparse_moe.experts.'))
    throw new BadInput({
      problem: 'Experts cannot be trained as a whole in an adapter: PEFT has no modules of their names',
      where: { key: 'modulesToSave' },
      found: weight,
      fix: 'name other modules, e.g. the router: gate',
    });
  return weight.replace('.block_sparse_moe.', '.mlp.');
}

function weightsOf(model: Model, module: string): { weight: string; shape: readonly number[] }[] {
  const inside = model.baseParameters.filter(({ name }) => name.startsWith(`${module}.`));
  if (inside.length > 0) return inside.map(({ name, shape }) => ({ weight: name, shape }));
  // The head of a tied model.
  const weight = `${module}.weight`;
  return [{ weight, shape: baseWeight(model, weight)!.shape }];
}
