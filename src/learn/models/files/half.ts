import { BadInput } from '../../../base/core/index.js';

/** Types of a saved weight; in memory all are float32. */
export type WeightType = 'float32' | 'float16' | 'bfloat16';

let float16Values: Float32Array | undefined;

/** All 65,536 half-precision numbers as float32. */
function float16Table(): Float32Array {
  if (float16Values) return float16Values;
  const table = new Float32Array(65_536);
  for (let bits = 0; bits < table.length; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[bits] = sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  float16Values = table;
  return table;
}

/** Half-precision numbers as float32, exactly; `into` has as many elements. */
export function decodeHalf(half: Uint16Array, type: 'F16' | 'BF16', into: Float32Array): void {
  if (type === 'BF16') {
    const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
    for (let i = 0; i < half.length; i++) bits[i] = half[i]! << 16;
  } else {
    const table = float16Table();
    for (let i = 0; i < half.length; i++) into[i] = table[half[i]!]!;
  }
}

/**
 * float32 in 16 bits, to the nearest, ties to the even one, as torch's `.to()` rounds. A value beyond float16's range is refused
 * (torch would make it infinite); infinities and NaN stay what they are.
 */
export function encodeHalf(values: Float32Array, type: 'float16' | 'bfloat16', name?: string): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  if (type === 'bfloat16') {
    for (let i = 0; i < bits.length; i++) {
      const b = bits[i]!;
      // A NaN must not be rounded to infinity.
      out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
    }
    return out;
  }
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    const half = float16Bits(b);
    if ((half & 0x7fff) === 0x7c00 && (b & 0x7fffffff) !== 0x7f800000)
      throw new BadInput({
        problem: 'This weight has a value that float16 cannot hold',
        where: { key: name },
        expected: 'at most 65504',
        found: `${values[i]}`,
        fix: "save with dtype: 'bfloat16' or 'float32'",
      });
    out[i] = half;
  }
  return out;
}

/** float16 nearest to a float32 given by its bits. */
function float16Bits(b: number): number {
  const sign = (b >>> 16) & 0x8000;
  const magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65520 on the nearest is infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: exponent 127 becomes 15, and 13 bits of the fraction go.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Below 2⁻²⁵ all is zero (2⁻²⁵ itself is a tie, and zero is even).
  if (magnitude <= 0x33000000) return sign;
  // Subnormal: the fraction with its leading one, shifted to units of 2⁻²⁴.
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  return sign | (kept + (rest > halfway || (rest === halfway && kept & 1) ? 1 : 0));
}
