/** Seeded 32-bit numbers, as many as asked: a Weyl sequence through splitmix32's finaliser, neighbouring seeds mixed apart. */
export function randomWords(count: number, seed: readonly [number, number]): Uint32Array {
  const words = new Uint32Array(count);
  let state = mix(seed[0] ^ 0x9e3779b9) ^ mix(seed[1] + 0x85ebca6b);
  for (let i = 0; i < count; i++) {
    state = (state + 0x9e3779b9) | 0;
    words[i] = mix(state);
  }
  return words;
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}
