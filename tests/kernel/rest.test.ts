import { describe, expect, it } from 'vitest';
import { Rest } from '../../src/kernel/rest.js';

describe('what is shown of a bundle', () => {
  const shown = (data: Record<string, unknown>) => new Rest().ofBundle(data);

  it('is text as it came, and data as it came', () => {
    const spec = { data: [1, 'a', null] };
    const data = { 'text/plain': 'a', 'text/html': ['<b>\n', '</b>'], 'application/vnd.vegalite.v5+json': spec };
    expect(shown(data)).toEqual(data);
    expect(shown(data)['application/vnd.vegalite.v5+json']).toBe(spec);
  });

  it('holds numbers where whole numbers of any size were, and texts where they would lose digits', () => {
    const big = 2n ** 60n;
    expect(shown({ 'application/json': { rows: [1n, { n: big }] } })).toEqual({
      'application/json': { rows: [1, { n: String(big) }] },
    });
  });

  it('names what no JSON can be made of, and keeps the rest', () => {
    const ring: Record<string, unknown> = {};
    ring.ring = ring;
    const { 'text/plain': note, ...kept } = shown({ 'application/json': ring, 'text/html': 'h', 'text/plain': 'p' });
    expect(kept).toEqual({ 'text/html': 'h' });
    expect(note).toMatch(/^application\/json cannot be shown: .*circular.*\np$/s);
  });

  it('holds nothing that a notebook cannot: bytes become base64 or text, all else text', () => {
    const picture = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
    expect(
      shown({
        'image/png': picture,
        'image/svg+xml': Buffer.from('<svg/>'),
        'text/plain': 5,
        'text/html': undefined,
        'application/json': () => 1,
      }),
    ).toEqual({ 'image/png': 'AQI=', 'image/svg+xml': '<svg/>', 'text/plain': '5' });
  });
});
