/** Lower case, single spaces, none at the ends. Punctuation counts. */
export function normalise(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ');
}
