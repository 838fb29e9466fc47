import * as tf from '@tensorflow/tfjs-core';
import {
  assignResource,
  createResource,
  destroyResource,
  fillResource,
  native,
  type Resource,
  readResource,
} from '../../base/backend/index.js';
import { BadInput, type Parameter, Unavailable } from '../../base/core/index.js';

/** A weight of a model. */
export interface ModelParameter extends Parameter<tf.Tensor> {
  /** On native and cuda, the handle of the TensorFlow variable that holds the weight: optimizers update it in place. */
  readonly handle?: tf.Tensor;
}

/** A weight held by TensorFlow itself. */
class ResourceParameter implements ModelParameter {
  trainable = true;
  readonly #resource: Resource;

  constructor(
    readonly name: string,
    resource: Resource,
  ) {
    this.#resource = resource;
  }

  get handle(): tf.Tensor {
    return this.#resource.handle;
  }

  get shape(): readonly number[] {
    return this.#resource.shape;
  }

  get size(): number {
    return this.bytes / 4;
  }

  get bytes(): number {
    return this.#resource.bytes;
  }

  read(): tf.Tensor {
    return readResource(this.#resource);
  }

  write(value: tf.Tensor): void {
    checkShape(this, value);
    assignResource(this.#resource, value);
  }

  dispose(): void {
    destroyResource(this.#resource);
  }
}

/** A weight held by a tfjs variable. */
class VariableParameter implements ModelParameter {
  trainable = true;
  readonly #variable: tf.Variable;

  constructor(
    readonly name: string,
    value: tf.Tensor,
  ) {
    this.#variable = tf.variable(value);
  }

  get shape(): readonly number[] {
    return this.#variable.shape;
  }

  get size(): number {
    return this.#variable.size;
  }

  get bytes(): number {
    return this.size * 4;
  }

  read(): tf.Tensor {
    return tf.clone(this.#variable);
  }

  write(value: tf.Tensor): void {
    checkShape(this, value);
    // The variable shares the data and counts itself as a holder of it.
    this.#variable.assign(value);
  }

  dispose(): void {
    this.#variable.dispose();
  }
}

function checkShape({ name, shape }: Parameter, value: tf.Tensor): void {
  if (!tf.util.arraysEqual([...shape], value.shape))
    throw new BadInput({
      problem: 'The value of a weight has another shape',
      where: { key: name },
      expected: `[${shape.join(', ')}]`,
      found: `[${value.shape.join(', ')}]`,
    });
}

/**
 * A weight with these first values, living where the backend in use trains it fastest. Throws Unavailable before a backend
 * was chosen.
 */
export function createParameter(name: string, shape: readonly number[], values: Float32Array): ModelParameter {
  needBackend();
  const value = tf.tensor(values, [...shape], 'float32');
  try {
    return native() ? new ResourceParameter(name, createResource(value)) : new VariableParameter(name, value);
  } finally {
    value.dispose();
  }
}

/** A weight whose values come piece by piece, in order: see {@link fillParameter}. */
export interface ParameterFill {
  /** The next values; the array may be written to again afterwards. Pieces but the last have a multiple of 1,024 values. */
  write(values: Float32Array): void;
  /** Whether every value so far is a finite number. */
  readonly finite: boolean;
  /** The weight, when all its values are there. */
  finish(): ModelParameter;
  /** Give up; nothing stays. Does nothing after {@link finish}. */
  dispose(): void;
}

/**
 * A weight that is read from somewhere in pieces. On native TensorFlow's memory is filled in place and the values are looked
 * at on the way; elsewhere one weight at a time is held twice.
 */
export function fillParameter(name: string, shape: readonly number[]): ParameterFill {
  needBackend();
  const door = native();
  const size = shape.reduce((a, b) => a * b, 1);
  let at = 0;
  let finite = true;
  if (door && !door.gpu) {
    const fill = fillResource(shape);
    return {
      write(values) {
        // A sum of finite values may overflow: only then each is looked at.
        if (values.length > 0 && !Number.isFinite(fill.write(values, at))) finite &&= values.every(Number.isFinite);
        at += values.length;
      },
      get finite() {
        return finite;
      },
      finish: () => new ResourceParameter(name, fill.finish()),
      dispose: fill.dispose,
    };
  }
  const whole = new Float32Array(size);
  return {
    write(values) {
      whole.set(values, at);
      at += values.length;
      finite &&= allFinite(values);
    },
    get finite() {
      return finite;
    },
    finish: () => createParameter(name, shape, whole),
    dispose: () => {},
  };
}

/** Zero times a finite number is zero; times infinity or NaN it is NaN. A quarter of the time of `every(Number.isFinite)`. */
function allFinite(values: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < values.length; i++) zero += values[i]! * 0;
  return zero === 0;
}

function needBackend(): void {
  if (!tf.engine().backendName)
    throw new Unavailable({ problem: 'No backend computes yet', fix: 'await backend.use() before a model is made' });
}
