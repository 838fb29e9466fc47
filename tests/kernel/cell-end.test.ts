import { afterEach, describe, expect, it, vi } from 'vitest';
import { CellEnd } from '../../src/kernel/cell-end.js';
import { own } from '../../src/kernel/timers.js';

afterEach(() => vi.restoreAllMocks());

describe('the end of a cell', () => {
  it('does everything once, whatever becomes of the others', async () => {
    const end = new CellEnd();
    const done: string[] = [];
    end.add(() => {
      done.push('throws');
      throw new Error('no');
    });
    end.add(async () => {
      await Promise.resolve();
      done.push('later');
    });
    end.add(() => Promise.reject(new Error('no')));
    await end.run();
    expect(done).toEqual(['throws', 'later']);
    await end.run();
    expect(done).toEqual(['throws', 'later']);
  });

  it('leaves what is added meanwhile to the next cell: a run in the background must not hold this one', async () => {
    const end = new CellEnd();
    const again = vi.fn(() => end.add(again));
    end.add(again);
    await end.run();
    expect(again).toHaveBeenCalledTimes(1);
    await end.run();
    expect(again).toHaveBeenCalledTimes(2);
  });

  it('does not wait for ever, but longer than for one timer: one is due at once where a machine stood still', async () => {
    const rings = vi.spyOn(own, 'setTimeout').mockImplementation(((ring: () => void) => queueMicrotask(ring)) as never);
    const end = new CellEnd();
    end.add(() => new Promise(() => undefined));
    await end.run();
    expect(rings.mock.calls.length).toBeGreaterThan(10);
  });
});
