import * as tf from '@tensorflow/tfjs-core';
import { rescale } from '../../../base/ops/index.js';
import type { Adapter, AdapterPass, PassContext } from '../adapter.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { taskType } from './base.js';
import { ia3Config } from './ia3-config.js';
import type { Ia3Plan, Ia3Site } from './ia3-plan.js';
import { createWhole, type WholeWeight } from './whole.js';

interface Placed extends Ia3Site {
  readonly parameter: ModelParameter;
}

/** IA³ on a model. */
export class Ia3Adapter implements Adapter {
  readonly kind = 'ia3';
  readonly virtualTokens = 0;
  readonly parameters: readonly ModelParameter[];
  readonly #model: Model;
  readonly #plan: Ia3Plan;
  readonly #byModule = new Map<string, Placed>();
  readonly #whole: readonly (WholeWeight & { parameter: ModelParameter })[];

  constructor(
    model: Model,
    readonly name: string,
    plan: Ia3Plan,
    values?: ReadonlyMap<string, Float32Array>,
  ) {
    this.#model = model;
    this.#plan = plan;
    const made: ModelParameter[] = [];
    try {
      for (const site of plan.sites) {
        const { file, shape } = site.factors;
        const first = values?.get(file) ?? new Float32Array(shape[0]! * shape[1]!).fill(1);
        const parameter = createParameter(`${site.module}.ia3_l.${name}`, shape, first);
        made.push(parameter);
        this.#byModule.set(site.module, { ...site, parameter });
      }
      this.#whole = plan.whole.map(whole => {
        const parameter = createWhole(model, whole, name, values);
        made.push(parameter);
        return { ...whole, parameter };
      });
    } catch (error) {
      for (const parameter of made) parameter.dispose();
      throw error;
    }
    this.parameters = made;
  }

  pass(context: PassContext): AdapterPass {
    const project: AdapterPass['project'] = (module, x, inner) => {
      const site = this.#byModule.get(module);
      if (!site) return undefined;
      const factors = flat(context.value(site.parameter));
      return site.feedforward ? inner(rescale(x, factors)) : rescale(inner(x), factors);
    };
    if (this.#whole.length === 0) return { project };
    const whole = new Map(this.#whole.map(({ weight, parameter }) => [weight, parameter]));
    return {
      project,
      replaces: name => whole.has(name),
      weight: name => {
        const copy = whole.get(name);
        return copy && context.value(copy);
      },
    };
  }

  merged(read: (name: string) => tf.Tensor): Map<string, tf.Tensor> {
    const changed = new Map<string, tf.Tensor>();
    for (const { module, feedforward, transposed, parameter } of this.#byModule.values()) {
      // Factors of the output multiply rows of [out, in], factors of the input its columns; and the other way round if transposed.
      const rows = feedforward === transposed;
      const weight = `${module}.weight`;
      changed.set(
        weight,
        tf.tidy(() => rescale(read(weight) as tf.Tensor2D, flat(parameter.read()), { rows })),
      );
      const bias = `${module}.bias`;
      if (!feedforward && this.#model.baseParameters.some(({ name }) => name === bias))
        changed.set(
          bias,
          tf.tidy(() => tf.mul(read(bias), flat(parameter.read()))),
        );
    }
    for (const { weight, parameter } of this.#whole) changed.set(weight, parameter.read());
    return changed;
  }

  toPeft(): { config: Record<string, unknown>; tensors: { name: string; parameter: ModelParameter }[] } {
    const factors = [...this.#byModule.values()].map(({ factors: { file }, parameter }) => ({ name: file, parameter }));
    const whole = this.#whole.map(({ file, parameter }) => ({ name: file, parameter }));
    return { config: ia3Config(this.#plan, taskType(this.#model)), tensors: [...factors, ...whole] };
  }

  dispose(): void {
    for (const parameter of this.parameters) parameter.dispose();
  }
}

function flat(factors: tf.Tensor): tf.Tensor1D {
  return tf.reshape(factors, [factors.size]);
}
