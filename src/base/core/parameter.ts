/**
 * A weight of a model, wherever it lives (contract 3): a tfjs variable, or a TensorFlow resource on the native backend.
 * Names and layouts are Hugging Face's (`model.layers.0.self_attn.q_proj.weight`, [out, in]). `T` is the tensor type;
 * core knows no tfjs.
 */
export interface Parameter<T = unknown> {
  readonly name: string;
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  /** Bytes held while the parameter lives; `tf.memory()` does not see resources, so we count ourselves. */
  readonly bytes: number;
  /** False: no gradient is computed and no optimizer state allocated. */
  trainable: boolean;
  /** The current value. The caller disposes the tensor; call it outside differentiated functions. */
  read(): T;
  /** Replace the value; a value of another shape throws. Does not dispose its argument. */
  write(value: T): void;
  dispose(): void;
}
