import * as tf from '@tensorflow/tfjs-core';

/** Keys and values of one layer, [rows, heads, time, headDim]. */
export interface KeysValues {
  keys: tf.Tensor4D;
  values: tf.Tensor4D;
}

/** The same for keys and values; what was there before is disposed, the result kept. */
export function both(
  a: KeysValues,
  b: KeysValues | undefined,
  change: (a: tf.Tensor4D, b?: tf.Tensor4D) => tf.Tensor4D,
): KeysValues {
  const of = (part: 'keys' | 'values') => {
    const made = tf.tidy(() => tf.clone(change(a[part], b?.[part])));
    tf.dispose([a[part], b?.[part] ?? []]);
    return tf.keep(made);
  };
  return { keys: of('keys'), values: of('values') };
}

/** These rows, and of them the slots from `first` on. */
export function chosen(x: tf.Tensor4D, rows: readonly number[], first: number, count: number): tf.Tensor4D {
  const [, heads, time, headDim] = x.shape;
  const cut = first > 0 || count < time ? tf.slice(x, [0, 0, first, 0], [x.shape[0], heads, count, headDim]) : x;
  const flat = tf.reshape(cut, [x.shape[0], heads * count * headDim]);
  return tf.reshape(tf.gather(flat, tf.tensor1d(Int32Array.from(rows), 'int32')), [rows.length, heads, count, headDim]);
}
