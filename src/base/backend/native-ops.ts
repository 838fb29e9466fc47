import type * as Tf from '@tensorflow/tfjs-core';
import { tfjs } from './gradients.js';
import { loadedFused, type NodeBackend } from './native.js';
import { current } from './use.js';

/** TensorFlow's element types that tfjs can carry, and `resource` for handles. */
export type AttrType = 'float32' | 'int32' | 'int64' | 'bool' | 'string' | 'complex64' | 'resource';

/** One attribute of a TensorFlow op as the binding takes it. Made by {@link attr}. */
export interface OpAttr {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | string | readonly number[] | readonly boolean[];
}

/** Attributes of a TensorFlow op, by kind: `attr.type('T', 'float32')`, `attr.bool('transpose_a', false)`, `attr.shape('shape', [2, 3])`. */
export interface AttrMaker {
  type(name: string, value: AttrType): OpAttr;
  bool(name: string, value: boolean | readonly boolean[]): OpAttr;
  /** Lists hold 32-bit integers. */
  int(name: string, value: number | readonly number[]): OpAttr;
  float(name: string, value: number | readonly number[]): OpAttr;
  string(name: string, value: string): OpAttr;
  shape(name: string, value: readonly number[]): OpAttr;
}

/**
 * The door to TensorFlow's own kernels (native and cuda): any registered op by its name, with its attributes and inputs in the
 * order of its definition. Nothing is differentiated: wrap in `tf.customGrad`. Outputs belong to the caller (or the tidy around).
 * A call costs about 20 µs.
 */
export interface NativeOps {
  /** Run an op with one output. */
  execute(op: string, attrs: readonly OpAttr[], inputs: readonly Tf.Tensor[]): Tf.Tensor;
  /** Run an op with `outputs` outputs; 0 for ops that only do something. */
  executeMany(op: string, attrs: readonly OpAttr[], inputs: readonly Tf.Tensor[], outputs: number): Tf.Tensor[];
  readonly attr: AttrMaker;
  /** Whether TensorFlow computes on a GPU. */
  readonly gpu: boolean;
  /** Whether the ops of `fused/kernels.cc` are registered. Tests switch it off to try the forms that do without. */
  fused: boolean;
}

let door: NativeOps | undefined;

/** The door to TensorFlow's kernels, or undefined when another backend is in use. */
export function native(): NativeOps | undefined {
  if (current()?.tfjsName !== 'tensorflow') return undefined;
  door ??= open(tfjs().backend() as unknown as NodeBackend);
  return door;
}

function open(backend: NodeBackend): NativeOps {
  const code = (name: string) => backend.binding[name] as number;
  const kinds = { type: code('TF_ATTR_TYPE'), bool: code('TF_ATTR_BOOL'), int: code('TF_ATTR_INT') };
  const more = { float: code('TF_ATTR_FLOAT'), string: code('TF_ATTR_STRING'), shape: code('TF_ATTR_SHAPE') };
  const types: Record<AttrType, number> = {
    float32: code('TF_FLOAT'),
    int32: code('TF_INT32'),
    int64: code('TF_INT64'),
    bool: code('TF_BOOL'),
    string: code('TF_STRING'),
    complex64: code('TF_COMPLEX64'),
    resource: code('TF_RESOURCE'),
  };
  return {
    execute: (op, attrs, inputs) => backend.executeSingleOutput(op, attrs as OpAttr[], inputs as Tf.Tensor[]) as Tf.Tensor,
    executeMany: (op, attrs, inputs, outputs) =>
      backend.executeMultipleOutputs(op, attrs as OpAttr[], inputs as Tf.Tensor[], outputs) as Tf.Tensor[],
    attr: {
      type: (name, value) => ({ name, type: kinds.type, value: types[value] }),
      bool: (name, value) => ({ name, type: kinds.bool, value }),
      int: (name, value) => ({ name, type: kinds.int, value }),
      float: (name, value) => ({ name, type: more.float, value }),
      string: (name, value) => ({ name, type: more.string, value }),
      shape: (name, value) => ({ name, type: more.shape, value }),
    },
    gpu: backend.isUsingGpuDevice,
    fused: loadedFused(),
  };
}
