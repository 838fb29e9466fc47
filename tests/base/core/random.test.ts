import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/core/index.js';

const draw = (r: Random, n = 5) => Array.from({ length: n }, () => r.next());

describe('Random', () => {
  it('gives equal numbers for equal seeds and others for other seeds', () => {
    expect(draw(new Random(7))).toEqual(draw(new Random(7)));
    expect(draw(new Random(7))).not.toEqual(draw(new Random(8)));
    expect(draw(new Random('split'))).not.toEqual(draw(new Random('shuffle')));
    expect(draw(new Random(2 ** 32))).not.toEqual(draw(new Random(0)));
  });

  it('pins its sequence, so that a saved experiment means the same tomorrow', () => {
    const r = new Random(42);
    expect([r.uint32(), r.uint32(), r.uint32()]).toMatchInlineSnapshot(`
      [
        660444221,
        3652823732,
        77672526,
      ]
    `);
  });

  it('is uniform, and normal() has mean 0 and variance 1', () => {
    const r = new Random(1);
    const u = draw(r, 20_000);
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
    expect(u.reduce((a, b) => a + b) / u.length).toBeCloseTo(0.5, 1);
    const z = Array.from({ length: 20_000 }, () => r.normal());
    const mean = z.reduce((a, b) => a + b) / z.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length - 1)).toBeLessThan(0.05);
  });

  it('goes on from a saved state, the spare normal deviate included', () => {
    const r = new Random('x');
    r.normal();
    const copy = Random.fromState(JSON.parse(JSON.stringify(r.state)));
    expect([copy.normal(), copy.next(), copy.normal()]).toEqual([r.normal(), r.next(), r.normal()]);
  });

  it('forks streams that neither advance the parent nor equal each other', () => {
    const r = new Random(3);
    const before = r.state;
    const [a, b] = [r.fork('a'), r.fork('b')];
    expect(r.state).toEqual(before);
    expect(draw(a)).not.toEqual(draw(b));
  });

  it('shuffles and samples without losing or doubling an item', () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = new Random(5).shuffle(items);
    expect(shuffled).not.toEqual(items);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
    const picked = new Random(5).sample(items, 20);
    expect(new Set(picked).size).toBe(20);
    expect(() => new Random(5).sample(items, 51)).toThrow(/51 of 50/);
    expect(() => new Random(5).int(0)).toThrow(RangeError);
  });
});
