import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  formatProgress,
  onProgress,
  type ProgressEvent,
  ProgressStack,
  progress,
  setProgressDrawer,
} from '../../../src/base/core/index.js';

afterEach(() => {
  vi.restoreAllMocks();
  setProgressDrawer(undefined);
});

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
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const p = progress('quick', { total: 2 });
    now.mockReturnValue(1_900);
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
    expect(formatProgress({ ...base, total: 10e6, left: 3700 })).toBe(
      'get [##########----------] 50 % 5.0 MB/10.0 MB 1:01:40 <1:01:40',
    );
    expect(formatProgress(base)).toBe('get 5.0 MB 1:01:40');
  });

  it('lets a name neither move the cursor nor turn the line around', () => {
    const event = { id: 1, label: 'a\u001b]0;x\u0007\nb', note: '\u202ex', done: 1, unit: 'rows', elapsed: 1, finished: false };
    expect(formatProgress(event)).toBe('a\ufffd]0;x\ufffd\ufffdb 1 rows 00:01 \ufffdx');
  });

  it('tells the time left from the pace since the first report: work that was resumed began in the middle', () => {
    const events: ProgressEvent[] = [];
    const stop = onProgress(event => events.push(event));
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const p = progress('resumed', { total: 1000 });
    now.mockReturnValue(1000);
    p.update(500);
    now.mockReturnValue(11_000);
    p.update(510);
    p.finish();
    stop();
    expect(events.map(e => e.left)).toEqual([1, 490, undefined]);
  });

  it('draws in a notebook what can be drawn there, with what stops it', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValue(60_000);
    const drawer = vi.fn(() => true);
    setProgressDrawer(drawer);
    const stop = () => undefined;
    progress('sft', { total: 2, stop }).update(1);
    expect(drawer).toHaveBeenCalledWith(expect.objectContaining({ label: 'sft', done: 1 }), stop);
    expect(write).not.toHaveBeenCalled();
    drawer.mockReturnValue(false);
    vi.mocked(performance.now).mockReturnValueOnce(0);
    progress('elsewhere').update(1);
    expect(write).toHaveBeenCalledWith('elsewhere 1 steps 01:00\n');
  });
});

describe('nested bars on a terminal', () => {
  /** What stands on a screen after these writes: enough of a terminal to know cursor up, erase below and line breaks. */
  function screen(writes: readonly string[]): string[] {
    const lines = [''];
    let row = 0;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control
    for (const [part] of writes.join('').matchAll(/\u001b\[(?:\d+A|J)|\r|\n|[^\u001b\r\n]+/g)) {
      if (part === '\n') lines[++row] ??= '';
      else if (part.endsWith('A') && part.startsWith('\u001b')) row -= Number.parseInt(part.slice(2), 10);
      else if (part === '\u001b[J') lines.splice(row, lines.length, '');
      else if (part !== '\r') lines[row] = part;
    }
    return lines;
  }

  it('stand one below the other, and leave the line of the outer one', () => {
    const writes: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation(text => writes.push(String(text)) > 0);
    const [tty, columns] = [process.stderr.isTTY, process.stderr.columns];
    Object.assign(process.stderr, { isTTY: true, columns: 60 });
    try {
      const now = vi.spyOn(performance, 'now').mockReturnValue(0);
      const at = (seconds: number) => now.mockReturnValue(1000 * seconds);
      const outer = progress('sft', { total: 100 });
      outer.update(1);
      expect(writes).toEqual([]);
      at(3);
      outer.update(50);
      const inner = progress('score', { total: 10, unit: 'prompts' });
      at(6);
      inner.update(5);
      at(6.05);
      inner.update(6);
      expect(screen(writes)).toEqual(
        [
          'sft [##########----------] 50 % 50/100 steps 00:03 <00:03',
          '  score [##########----------] 50 % 5/10 prompts 00:03 <00:03',
        ].map(line => line.slice(0, 59)),
      );
      inner.finish();
      expect(screen(writes)).toEqual(['sft [##########----------] 50 % 50/100 steps 00:03 <00:03']);
      at(9);
      outer.update(100);
      outer.finish('done');
      expect(screen(writes)).toEqual(['sft [####################] 100 % 100/100 steps 00:09 done', '']);
    } finally {
      Object.assign(process.stderr, { isTTY: tty, columns });
    }
  });

  it('forget a task that was given up', () => {
    const stack = new ProgressStack();
    const event = (id: number): ProgressEvent => ({ id, label: `${id}`, done: 1, unit: 'steps', elapsed: 3, finished: false });
    stack.note(event(1), 0);
    stack.note(event(2), 59);
    expect(stack.events.map(e => e.id)).toEqual([1, 2]);
    stack.note(event(2), 61);
    expect(stack.events.map(e => e.id)).toEqual([2]);
    stack.note(event(1), 62);
    expect(stack.events.map(e => e.id)).toEqual([1, 2]);
    stack.note({ ...event(1), finished: true }, 62);
    expect(stack.events.map(e => e.id)).toEqual([2]);
  });
});
