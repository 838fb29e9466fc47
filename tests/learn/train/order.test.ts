import { describe, expect, it } from 'vitest';
import { DataOrder } from '../../../src/learn/train/order.js';

describe('DataOrder', () => {
  it('draws every row once an epoch, in another order each epoch', () => {
    const order = new DataOrder(10, { shuffle: true, seed: 5 });
    const first = [...order.take(4), ...order.take(4), ...order.take(4)];
    const second = order.take(10);
    expect(first.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second).not.toEqual(first);
    expect(order.progress).toBe(2);
  });

  it('keeps the order of the rows when not shuffling', () => {
    expect(new DataOrder(5, { shuffle: false, seed: 0 }).cycle(7)).toEqual([0, 1, 2, 3, 4, 0, 1]);
  });

  it('goes on from its state', () => {
    const whole = new DataOrder(7, { shuffle: true, seed: 'x' });
    const head = whole.cycle(9);
    const resumed = new DataOrder(7, { shuffle: true, seed: 'x', state: whole.state });
    expect(resumed.cycle(12)).toEqual(whole.cycle(12));
    expect(head).toHaveLength(9);
  });
});
