import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { registerGradients } from '../../../src/base/backend/gradients.js';
import type { Parameter } from '../../../src/base/core/index.js';
import { Random } from '../../../src/base/core/index.js';
import type { LossOptions, TrainBatch } from '../../../src/learn/models/index.js';
import { writeTensors } from '../../../src/learn/train/tensors-file.js';
import type { TrainableModel, TrainRow } from '../../../src/learn/train/types.js';
import { tensorsOf } from '../models/fixtures.js';

/** The smallest model with the interface of a real one: logits of the next token are a row of a table, plus a bias. */
export class Bigram implements TrainableModel {
  readonly parameters: Parameter<tf.Tensor>[];
  /** Called before each batch: lets a test poison or watch. */
  onBatch: (batch: TrainBatch) => void = () => {};

  constructor(
    readonly vocabulary: number = 12,
    seed: number = 1,
  ) {
    registerGradients();
    const random = new Random(seed);
    const values = Array.from({ length: vocabulary * vocabulary }, () => random.normal());
    this.parameters = [
      parameter('table.weight', tf.tensor(values, [vocabulary, vocabulary])),
      parameter('table.bias', tf.zeros([vocabulary])),
    ];
  }

  lossAndGradients(
    batch: TrainBatch,
    { observe }: LossOptions = {},
  ): { numerator: tf.Scalar; denominator: number; gradients: tf.Tensor[] } {
    this.onBatch(batch);
    const from: number[] = [];
    const to: number[] = [];
    const weight: number[] = [];
    batch.ids.forEach((ids, row) => {
      for (let t = 1; t < ids.length; t++) {
        if (batch.labels[row]![t] === -100) continue;
        from.push(ids[t - 1]!);
        to.push(batch.labels[row]![t]!);
        weight.push(batch.weights?.[row]?.[t] ?? 1);
      }
    });
    return tf.tidy(() => {
      const trainable = this.parameters.filter(p => p.trainable);
      const loss = (...values: tf.Tensor[]) => {
        const value = (p: Parameter<tf.Tensor>) => (p.trainable ? values[trainable.indexOf(p)]! : p.read());
        const logits = tf.add(tf.gather(value(this.parameters[0]!), tf.tensor1d(from, 'int32')), value(this.parameters[1]!));
        const logProbabilities = tf.sub(logits, tf.logSumExp(logits, 1, true));
        const labels = tf.tensor1d(to, 'int32');
        const hot = tf.cast(tf.oneHot(labels, this.vocabulary), 'float32');
        const losses = tf.neg(tf.sum(tf.mul(hot, logProbabilities), 1)) as tf.Tensor1D;
        observe?.({ losses, logits: logits as tf.Tensor2D, labels });
        return tf.sum(tf.mul(losses, tf.tensor1d(weight))) as tf.Scalar;
      };
      const { value, grads } = tf.valueAndGrads(loss)(trainable.map(p => p.read()));
      return { numerator: value as tf.Scalar, denominator: weight.reduce((a, b) => a + b, 0), gradients: grads };
    });
  }

  async save(dir: string): Promise<void> {
    await writeTensors(join(dir, 'model.safetensors'), this.parameters, index =>
      tf.tidy(() => this.parameters[index]!.read().dataSync() as Float32Array),
    );
  }

  async read(file: string): Promise<void> {
    const stored = await tensorsOf(file);
    for (const p of this.parameters) tf.tidy(() => p.write(tf.tensor(stored.get(p.name)!, [...p.shape])));
  }

  values(): number[] {
    return this.parameters.flatMap(p => {
      const tensor = p.read();
      const values = [...tensor.dataSync()];
      tensor.dispose();
      return values;
    });
  }

  dispose(): void {
    for (const p of this.parameters) p.dispose();
  }
}

function parameter(name: string, initial: tf.Tensor): Parameter<tf.Tensor> {
  const variable = tf.variable(initial);
  initial.dispose();
  return {
    name,
    shape: variable.shape,
    size: variable.size,
    bytes: variable.size * 4,
    trainable: true,
    read: () => tf.clone(variable),
    write: value => variable.assign(value),
    dispose: () => variable.dispose(),
  };
}

/** Rows of random tokens of different lengths; the first third of each carries no label. */
export function someRows(count: number, vocabulary: number = 12, seed: number = 3): TrainRow[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, line) => {
    const ids = Array.from({ length: 4 + random.int(6) }, () => random.int(vocabulary));
    return { ids, labels: ids.map((id, i) => (i < ids.length / 3 ? -100 : id)), line: line + 1 };
  });
}
