import { randomBytes } from 'node:crypto';
import type * as Tf from '@tensorflow/tfjs-core';
import { TunebookError, Unavailable } from '../core/index.js';
import { tfjs } from './gradients.js';
import { countBytes, countView } from './memory.js';
import { type NativeOps, native } from './native-ops.js';

/**
 * A float32 variable that lives inside TensorFlow (native and cuda), so that an optimizer updates it in place: AdamW on 2.1 M
 * values takes 2 ms instead of 35 as tfjs ops. Its bytes are counted with {@link countBytes}; `tf.memory()`
 * shows its small handle, and a view of its memory once {@link borrowResource} made one. Free it with {@link destroyResource}:
 * disposing the handle alone frees nothing.
 */
export interface Resource {
  /** TensorFlow's handle. Kept out of tidy; owned by this object. Asking for it ends the life of what {@link borrowResource} gave. */
  readonly handle: Tf.Tensor;
  readonly shape: readonly number[];
  readonly bytes: number;
}

// TensorFlow finds variables by this name, and an equal or empty one is the same variable.
const PROCESS = randomBytes(6).toString('hex');
let count = 0;

/** A resource as this file knows it. */
class Variable implements Resource {
  /** A view of the variable's own memory. */
  view: Tf.Tensor | undefined;
  /** Others may hold the memory: who writes it by the view makes a copy first. TensorFlow's own ops see for themselves. */
  shared = true;

  constructor(
    readonly door: Tf.Tensor,
    readonly shape: readonly number[],
    readonly bytes: number,
  ) {}

  get handle(): Tf.Tensor {
    // Whoever updates by the handle is given memory of its own by TensorFlow while a view exists.
    this.dropView();
    return this.door;
  }

  keepView(view: Tf.Tensor): Tf.Tensor {
    this.view = tfjs().keep(view);
    countView(1, this.bytes);
    return view;
  }

  dropView(): void {
    if (!this.view) return;
    this.view.dispose();
    this.view = undefined;
    countView(-1, -this.bytes);
  }
}

/** A new variable with the value of `tensor` (float32), which is not disposed. Throws `Unavailable` on other backends. */
export function createResource(tensor: Tf.Tensor): Resource {
  return variableOf(tensor);
}

/**
 * A new variable in memory of its own with whatever stands there, for who writes it by {@link ownResource}. Throws `Unavailable` on other
 * backends.
 */
export function emptyResource(shape: readonly number[]): Resource {
  const { attr, execute } = ops();
  const size = tfjs().tensor1d([...shape], 'int32');
  const value = execute('Empty', [attr.type('dtype', 'float32'), attr.bool('init', false)], [size]);
  try {
    const variable = variableOf(value);
    // Nobody else will hold the memory.
    variable.shared = false;
    return variable;
  } finally {
    tfjs().dispose([size, value]);
  }
}

function variableOf(tensor: Tf.Tensor): Variable {
  const tf = ops();
  const { attr } = tf;
  const shape = tensor.shape.slice();
  const attrs = [
    attr.string('container', ''),
    attr.string('shared_name', `tunebook-${PROCESS}-${count++}`),
    attr.type('dtype', 'float32'),
    attr.shape('shape', shape),
  ];
  const handle = tfjs().keep(tf.execute('VarHandleOp', attrs, []));
  const resource = new Variable(handle, shape, tensor.size * 4);
  try {
    assignResource(resource, tensor);
  } catch (error) {
    handle.dispose();
    throw error;
  }
  countBytes(resource.bytes);
  return resource;
}

/**
 * The value, without a copy (14 µs). The caller disposes it. Call it outside differentiated functions and differentiate with respect to
 * the tensor (`tf.grads`). Dispose it before an update when you can: a value still alive is safe (the update writes a copy) but the
 * update takes twice as long.
 */
export function readResource(resource: Resource): Tf.Tensor {
  const variable = resource as Variable;
  variable.shared = true;
  return view(variable);
}

/**
 * The value as long as nothing changes it, for free after the first time. It belongs to the resource: do not dispose it, keep neither it
 * nor a tensor that may share its memory (a reshape, a slice of rows) beyond the next update, which would change them too.
 */
export function borrowResource(resource: Resource): Tf.Tensor {
  const variable = resource as Variable;
  return variable.view ?? variable.keepView(view(variable));
}

/** A view of memory that nobody else holds, for a kernel that writes it in place: as {@link borrowResource}, after a copy where needed. */
export function ownResource(resource: Resource): Tf.Tensor {
  const variable = resource as Variable;
  if (!variable.shared) return borrowResource(variable);
  const tf = ops();
  const old = view(variable);
  const copy = tf.execute('DeepCopy', [tf.attr.type('T', 'float32')], [old]);
  old.dispose();
  assignResource(variable, copy);
  variable.shared = false;
  return variable.keepView(copy);
}

/** Let the view go that {@link borrowResource} and {@link ownResource} keep; the next call makes another. */
export function restResource(resource: Resource): void {
  (resource as Variable).dropView();
}

/** Replace the value by `tensor` (same shape, float32), which is not disposed. */
export function assignResource(resource: Resource, tensor: Tf.Tensor): void {
  if (tensor.dtype !== 'float32' || tensor.shape.join() !== resource.shape.join()) {
    throw new TunebookError({
      problem: 'a parameter was given a value of another kind',
      expected: `float32 [${resource.shape.join(', ')}]`,
      found: `${tensor.dtype} [${tensor.shape.join(', ')}]`,
      fix: 'reshape or cast the value first',
    });
  }
  const tf = ops();
  const attrs = [tf.attr.type('dtype', 'float32'), tf.attr.bool('validate_shape', false)];
  const variable = resource as Variable;
  tf.executeMany('AssignVariableOp', attrs, [variable.handle, tensor], 0);
  // The variable shares the memory of the tensor.
  variable.shared = true;
}

/** Free the variable and its handle. */
export function destroyResource(resource: Resource): void {
  const { door } = resource as Variable;
  if (door.isDisposed) return;
  const tf = ops();
  (resource as Variable).dropView();
  tf.executeMany('DestroyResourceOp', [tf.attr.bool('ignore_lookup_error', true)], [door], 0);
  door.dispose();
  countBytes(-resource.bytes);
}

/** A new tensor on the variable's memory. */
function view({ door }: Variable): Tf.Tensor {
  const tf = ops();
  return tf.execute('ReadVariableOp', [tf.attr.type('dtype', 'float32')], [door]);
}

function ops(): NativeOps {
  const door = native();
  if (door) return door;
  throw new Unavailable({
    problem: 'TensorFlow variables need the native or cuda backend to be in use',
    fix: "await backend.use('native') before the model is made, and do not switch backends while it lives",
  });
}
