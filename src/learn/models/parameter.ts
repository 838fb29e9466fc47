import * as tf from '@tensorflow/tfjs-core';
import {
  assignResource,
  borrowResource,
  createResource,
  destroyResource,
  emptyResource,
  native,
  ownResource,
  type Resource,
  readResource,
  restResource,
} from '../../base/backend/index.js';
import { BadInput, type Parameter, Unavailable } from '../../base/core/index.js';
import { placeValues } from '../../base/ops/index.js';

/** A weight of a model. */
export interface ModelParameter extends Parameter<tf.Tensor> {
  /** On native and cuda, the handle of the TensorFlow variable that holds the weight: optimizers update it in place. */
  readonly handle?: tf.Tensor;
  /**
   * There too: the value for as long as the weight rests, which costs nothing. Not the caller's to dispose. What shares its memory
   * (itself, a reshape) must be gone when the weight is updated, or is updated with it: {@link read} is for everything else.
   */
  borrow?(): tf.Tensor;
  /** There too: a borrowed value in memory of its own, for a kernel that writes it in place. */
  own?(): tf.Tensor;
}

/** The value of a weight within `work`, which must leave nothing behind that shares its memory. */
export function withValue<T>(parameter: Parameter<tf.Tensor>, work: (value: tf.Tensor) => T): T {
  const borrowed = (parameter as ModelParameter).borrow?.();
  if (borrowed) return work(borrowed);
  const value = parameter.read();
  try {
    return work(value);
  } finally {
    value.dispose();
  }
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

  borrow(): tf.Tensor {
    return borrowResource(this.#resource);
  }

  own(): tf.Tensor {
    return ownResource(this.#resource);
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
  requireBackend();
  const value = tf.tensor(values, [...shape], 'float32');
  try {
    return native() ? new ResourceParameter(name, createResource(value)) : new VariableParameter(name, value);
  } finally {
    value.dispose();
  }
}

function requireBackend(): void {
  if (!tf.engine().backendName)
    throw new Unavailable({ problem: 'No backend computes yet', fix: 'await backend.use() before a model is made' });
}

/** A weight whose values come piece by piece. */
export interface ParameterInPieces {
  /** Values from element `index · size` on, which are copied. */
  put(values: Float32Array, index: number, size: number): void;
  /** The weight, when all have come. */
  finish(): ModelParameter;
  /** Where they will not come: free it. */
  dispose(): void;
}

/**
 * {@link createParameter} for values that come one after the other. With the fused kernels they are written at once to where TensorFlow
 * has the weight, and memory of JavaScript, which is free only when its garbage is collected, never holds them all.
 */
export function parameterInPieces(name: string, shape: readonly number[]): ParameterInPieces {
  requireBackend();
  const door = native();
  if (door?.fused) {
    const resource = emptyResource(shape);
    return {
      put: (values, index, size) => placeValues(door, ownResource(resource), values, index, size),
      finish() {
        restResource(resource);
        return new ResourceParameter(name, resource);
      },
      dispose: () => destroyResource(resource),
    };
  }
  const all = new Float32Array(shape.reduce((a, b) => a * b, 1));
  return {
    put: (values, index, size) => all.set(values, index * size),
    finish: () => createParameter(name, shape, all),
    dispose() {},
  };
}
