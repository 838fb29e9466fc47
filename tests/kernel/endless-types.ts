/** A cell whose types take far longer than any test: each of the two hundred counts all orders of ten letters. */
export const ENDLESS_TYPES: string = `type Orders<T, U = T> = [T] extends [never] ? [] : U extends U ? [U, ...Orders<Exclude<T, U>>] : never;
${Array.from({ length: 200 }, (_, i) => `const orders${i}: Orders<'a${i}'|'b'|'c'|'d'|'e'|'f'|'g'|'h'|'i'|'j'> = null as any;`).join('\n')}
`;
