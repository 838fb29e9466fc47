/** Digits after the point of a float, halves to even, from its exact decimal expansion. */
export function fixed(value: number, digits: number): string {
  const n = Math.min(100, Math.max(0, digits));
  const text =
    Math.abs(value) < 1e21 ? Math.abs(value).toFixed(n) : BigInt(Math.abs(value)).toString() + (n > 0 ? `.${'0'.repeat(n)}` : '');
  const exact = Math.abs(value) < 1e21 ? Math.abs(value).toFixed(Math.min(100, n + 60)) : text;
  const cutAt = exact.indexOf('.') + 1 + n;
  const tail = n === 0 ? exact.split('.')[1] : exact.slice(cutAt);
  let out = text;
  if (tail && /^50*$/.test(tail)) {
    // A tie: toFixed went up; keep the digits as they stand where the last is even.
    const kept = n === 0 ? exact.split('.')[0]! : exact.slice(0, cutAt);
    if (Number(kept.at(-1)) % 2 === 0) out = kept;
  }
  const negative = value < 0 || Object.is(value, -0);
  return (negative ? '-' : '') + out + (digits > n ? '0'.repeat(digits - n) : '');
}
