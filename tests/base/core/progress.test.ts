import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatProgress, onProgress, type ProgressEvent, progress } from '../../../src/base/core/index.js';

afterEach(() => vi.restoreAllMocks());

describe('progress', () => {
  it('reports to listeners instead of the terminal, and nothing after its end', () => {
    const events: ProgressEvent[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const stop = onProgress(event => events.push(event));
    const p = progress('rows', { total: 10, unit: 'rows' });
    p.update(4, 'half');
    p.finish();
    p.update(9);
    stop();
    expect(events.map(e => [e.label, e.done, e.total, e.note, e.finished])).toEqual([
      ['rows', 4, 10, 'half', false],
      ['rows', 4, 10, undefined, true],
    ]);
    expect(write).not.toHaveBeenCalled();
  });

  it('stays silent on tasks shorter than two seconds', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const p = progress('quick', { total: 2 });
    p.update(1);
    p.finish();
    expect(write).not.toHaveBeenCalled();
  });

  it('draws slow tasks on stderr when nobody listens', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const p = progress('slow', { total: 100 });
    now.mockReturnValue(3_000);
    p.update(25, 'loss 1.5');
    p.finish();
    expect(write.mock.calls.map(([line]) => line).join('')).toContain(
      'slow [#####---------------] 25 % 25/100 steps 00:03 <00:09 loss 1.5',
    );
  });

  it('formats bytes, unknown totals and long times', () => {
    const base = { id: 1, label: 'get', done: 5e6, unit: 'B', elapsed: 3700, finished: false };
    expect(formatProgress({ ...base, total: 10e6 })).toBe('get [##########----------] 50 % 5.0 MB/10.0 MB 1:01:40 <1:01:40');
    expect(formatProgress(base)).toBe('get 5.0 MB 1:01:40');
  });
});
