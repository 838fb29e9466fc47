import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { History } from '../../src/kernel/history.js';
import { HistoryFile, historyPath } from '../../src/kernel/history-file.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunebook-history-'));
  path = join(folder, 'deep', 'history.jsonl');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.restoreAllMocks();
});

/** A kernel's life: these cells, each with its output. */
async function session(cells: [string, string?][], limit?: number): Promise<void> {
  const history = new History(new HistoryFile(path, limit));
  cells.forEach(([input, output], i) => {
    history.add(i + 1, input);
    if (output !== undefined) history.setOutput(i + 1, output);
  });
  await history.close();
}

/** What a new kernel finds: line and input of each cell. */
const tail = (n = 1000) =>
  new History(new HistoryFile(path))
    .query({ hist_access_type: 'tail', n, output: true })
    .map(([, line, [input]]) => ({ line, input: input ?? '' }));

describe('the history of earlier kernels', () => {
  it('is there after a restart: tail, range and search go over sessions', async () => {
    await session([['a = 1', '1'], ['b']]);
    await session([['c']]);
    const history = new History(new HistoryFile(path));
    history.add(1, 'd');
    expect(history.query({ hist_access_type: 'tail', n: 3 })).toEqual([
      [1, 2, 'b'],
      [2, 1, 'c'],
      [3, 1, 'd'],
    ]);
    const range = (session: number) => history.query({ hist_access_type: 'range', session, start: 1, stop: 9, output: true });
    expect(range(1)).toEqual([
      [1, 1, ['a = 1', '1']],
      [1, 2, ['b', null]],
    ]);
    expect(range(0)).toEqual([[3, 1, ['d', null]]]);
    expect(range(-1)).toEqual([[2, 1, ['c', null]]]);
    expect(range(-7)).toEqual([]);
    expect(history.query({ hist_access_type: 'search', pattern: 'a*' })).toEqual([[1, 1, 'a = 1']]);
    await history.close();
  });

  it('holds several kernels at a time, each a session of its own', async () => {
    const [one, two] = [new History(new HistoryFile(path)), new History(new HistoryFile(path))];
    one.add(1, 'one');
    two.add(1, 'two');
    one.add(2, 'more');
    await Promise.all([one.close(), two.close()]);
    // Whose first line reached the file first is chance; that a session stays together, and in its order, is not.
    const found = tail().map(({ line, input }) => `${line} ${input}`);
    expect([
      ['1 one', '2 more', '1 two'],
      ['1 two', '1 one', '2 more'],
    ]).toContainEqual(found);
  });

  it('is readable by its user only', async () => {
    await session([['secret']]);
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  it('is cut to its last lines when it has grown, whole lines at once, and stays private', async () => {
    await session([['x'.repeat(300)], ['y'.repeat(300)], ['z'.repeat(300)]], 500);
    await session([['last']], 500);
    expect(tail().map(({ input }) => input[0])).toEqual(['z', 'l']);
    expect(statSync(path).size).toBeLessThan(1000);
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['history.jsonl']);
  });

  it('keeps long outputs short and leaves huge inputs out of the file', async () => {
    await session([['small', 'o'.repeat(1_000_000)], ['i'.repeat(1_000_000)]]);
    expect(statSync(path).size).toBeLessThan(20_000);
    expect(tail()).toHaveLength(1);
  });

  it.each([
    ['binary', Buffer.from([0, 255, 10, 123, 10, 200])],
    ['half a line', '{"key":"k","line":1,"inp'],
    [
      'wrong shapes',
      '{"key":1,"line":1,"input":"x"}\n{"key":"k","line":1.5,"input":"x"}\n{"key":"k","line":2,"input":{}}\n[]\nnull\n"x"\n',
    ],
    ['a prototype', '{"__proto__":{"x":1},"key":"k","line":-1}\n'],
  ])('goes on after %s', async (_, content) => {
    mkdirSync(join(folder, 'deep'));
    writeFileSync(path, content);
    expect(tail()).toEqual([]);
    await session([['after']]);
    expect(tail().map(({ input }) => input)).toEqual(['after']);
  });

  it('reads no more than the end of a huge file', async () => {
    mkdirSync(join(folder, 'deep'));
    const line = `${JSON.stringify({ key: 'k', line: 1, input: 'old' })}\n`;
    writeFileSync(path, line.repeat(300_000));
    expect(statSync(path).size).toBeGreaterThan(8 << 20);
    const history = new History(new HistoryFile(path));
    history.add(1, 'new');
    await history.close();
    expect(statSync(path).size).toBeLessThan(5 << 20);
    expect(tail(1)[0]!.input).toBe('new');
  });

  it('is done without where the file cannot be: a folder, a pipe, a place without permission', async () => {
    const complaints = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    mkdirSync(path, { recursive: true });
    await session([['a']]);
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', [path]);
    expect(tail()).toEqual([]);
    await session([['a'], ['b']]);
    rmSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'deep'), 'a file where the folder should be');
    await session([['a'], ['b']]);
    const said = complaints.mock.calls.map(([text]) => String(text)).filter(text => text.includes('no history is kept'));
    // Once for each kernel that wrote.
    expect(said).toEqual([/regular file/, /regular file/, /EEXIST|ENOTDIR/].map(why => expect.stringMatching(why)));
    expect(readFileSync(join(folder, 'deep'), 'utf8')).toMatch(/^a file/);
  });

  it('lies where the environment says', () => {
    expect(historyPath({ TUNEBOOK_HISTORY: 'off' })).toBeUndefined();
    expect(historyPath({ TUNEBOOK_HISTORY: '/h' })).toBe('/h');
    expect(historyPath({ XDG_DATA_HOME: '/data' })).toBe(join('/data', 'tunebook', 'history.jsonl'));
    expect(historyPath({})).toMatch(/share.tunebook.history\.jsonl$/);
  });
});
