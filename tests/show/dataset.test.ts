import { describe, expect, it } from 'vitest';
import { setView } from '../../src/base/core/index.js';
import { mix } from '../../src/prepare/data/index.js';
import { dataset, mixture, toFigure } from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { datasetRows } from './examples.js';

const row = (user: string, assistant: string, more: object = {}) => ({
  messages: [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ],
  ...more,
});

type Panel = { data: { values: { from: number; count: number; name: string }[] } };

/** The panels of a dataset figure: lengths, trained shares, then one for each group. */
function panels(figure: ReturnType<typeof dataset>): Panel[] {
  const [first, ...groups] = figure.spec!.vconcat as [{ hconcat: Panel[] }, ...Panel[]];
  return [...first.hconcat, ...groups];
}

describe('dataset', () => {
  it('counts characters, trained shares, tasks and sources of rows', () => {
    const figure = dataset([
      row('aaaa', 'bbbb', { task: 'copy', source: 'one.json' }),
      row('aa', 'bbbbbb', { task: 'copy', source: 'two.json' }),
      row('aaaaaaaa', '', { task: 'sort', source: 'two.json' }),
    ]);
    expect(figure.alt).toBe(
      '3 rows of 8 to 8 characters (median 8), 24 in all, 41.7 % of them trained. 2 tasks, most rows in copy (2). 2 sources, most rows in two.json (2).',
    );
    const [lengths, shares, tasks, sources] = panels(figure).map(p => p.data.values);
    expect(lengths!.reduce((n, b) => n + b.count, 0)).toBe(3);
    expect(shares!.filter(b => b.count > 0).map(b => [b.from, b.count])).toEqual([
      [0, 1],
      [0.5, 1],
      [0.75, 1],
    ]);
    expect(tasks!.map(b => [b.name, b.count])).toEqual([
      ['copy', 2],
      ['sort', 1],
    ]);
    expect(sources!.map(b => [b.name, b.count])).toEqual([
      ['two.json', 2],
      ['one.json', 1],
    ]);
    expect(figure.text).toContain('Rows by task\ncopy  ██████████████████████████████ 2\nsort  ███████████████ 1');
  });

  it('knows what is trained: weights, parts, input, thinking, preference rows', () => {
    const share = (rows: object[]) => /([\d.]+) % of them/.exec(dataset(rows).alt)![1];
    expect(
      share([
        {
          messages: [
            { role: 'user', content: 'ab', input: 'cd' },
            { role: 'assistant', content: 'abcd' },
          ],
        },
      ]),
    ).toBe('50');
    expect(
      share([
        {
          messages: [
            { role: 'assistant', content: 'ab', weight: 0 },
            { role: 'assistant', content: 'ab' },
          ],
        },
      ]),
    ).toBe('50');
    expect(
      share([
        {
          messages: [
            { role: 'user', content: [{ text: 'ab' }], train: true },
            { role: 'assistant', content: 'ab', thinking: 'abcd' },
          ],
        },
      ]),
    ).toBe('100');
    const turn = [{ role: 'user', content: 'abcd' }];
    const answer = (content: string) => [{ role: 'assistant', content }];
    expect(share([{ prompt: turn, chosen: answer('ab'), rejected: answer('cd') }])).toBe('50');
    expect(share([{ prompt: [...turn, ...answer('abcd')], completion: answer('cd') }])).toBe('20');
  });

  it('counts tokens of encoded rows, with names from the rows they were made of', () => {
    const encoded = [
      { ids: [1, 2, 3, 4], labels: [-100, -100, 3, 4] },
      { ids: [1, 2], labels: [1, 2], trained: 2 },
    ];
    expect(dataset(encoded).alt).toBe('2 rows of 2 to 4 tokens (median 3), 6 in all, 66.7 % of them trained.');
    expect(panels(dataset(encoded)).length).toBe(2);
    expect(panels(dataset(encoded))[1]!.data.values.at(-1)).toMatchObject({ from: 0.95, count: 1 });
    const rows = [row('a', 'b', { task: 'x' }), row('a', '', { task: 'dropped' }), row('a', 'b', { task: 'y' })];
    const bundle = { rows: encoded, summary: { dropped: [{ index: 1 }] } };
    const named = dataset(bundle, { rows });
    expect(named.alt).toContain('1 more were dropped. 2 tasks, most rows in x (1).');
    expect(() => dataset(encoded, { rows })).toThrow(/do not belong together/);
  });

  it('shows the most frequent by name and the rest as one', () => {
    const rows = Array.from({ length: 100 }, (_, i) => row('a', 'b', { task: i < 40 ? 'big' : `t${i}`, source: 'same.json' }));
    const figure = dataset(rows, { top: 3 });
    expect(panels(figure)[2]!.data.values.map(b => [b.name, b.count])).toEqual([
      ['big', 40],
      ['t40', 1],
      ['t41', 1],
      ['other (58)', 58],
    ]);
    // One source is said, not drawn; rows without a task are not forgotten.
    expect(panels(figure).length).toBe(3);
    expect(figure.alt).toContain('One source: same.json.');
    const half = dataset([row('a', 'b', { task: 'x' }), row('a', 'b')]);
    expect(panels(half)[2]!.data.values.map(b => b.name)).toEqual(['x', '(none)']);
  });

  it('keeps names apart that look alike when cut short', () => {
    const long = 'a task with quite a long name, of which one kind ';
    const names = panels(dataset([row('a', 'b', { task: `${long}1` }), row('a', 'b', { task: `${long}2` })]))[2]!.data.values.map(
      b => b.name,
    );
    expect(new Set(names).size).toBe(2);
  });

  it('bears nothing, empty rows, and says what it cannot show', async () => {
    expect(dataset([]).alt).toBe('No rows.');
    const empty = dataset([{ messages: [] }]);
    expect(empty.alt).toBe('1 row of 0 to 0 characters (median 0), 0 in all, 0 % of them trained.');
    for (const figure of [dataset([]), empty]) await compileSpec(figure.spec!, 'light', message => expect.fail(message));
    expect(() => dataset('x' as never)).toThrow(/list of rows/);
    expect(() => dataset([row('a', 'b'), { body: 1 }])).toThrow(/row 1 is no row like the others/);
    expect(() => dataset([{ ids: [], labels: [] }, row('a', 'b')])).toThrow(/row 1/);
  });

  it('keeps its spec (snapshot)', () => {
    expect(dataset(datasetRows().slice(0, 12), { bins: 4 }).spec).toMatchSnapshot('dataset');
  });
});

describe('mixture', () => {
  const sources = { small: Array.from({ length: 10 }, () => ({})), large: Array.from({ length: 90 }, () => ({})) };

  it('is the figure of a mixture report', () => {
    const rows = mix({ sources, strategy: 'weights', weights: { small: 1, large: 3 }, total: 90 });
    const figure = toFigure(rows.report)!;
    expect(figure).toEqual(mixture(rows.report));
    expect(figure.kind).toBe('mixture');
    expect(figure.text.split('\n')).toEqual([
      'Mixture',
      'source  available  drawn  repeated   asked     got',
      '──────────────────────────────────────────────────',
      'small          10     23     2.30×  25.0 %  25.6 %',
      'large          90     67     0.74×  75.0 %  74.4 %',
      '90 rows (weights): small 25.6 % (2.30×), large 74.4 %.',
    ]);
    expect(figure.spec).toMatchSnapshot('mixture');
  });

  it('sums small sources beyond the limit', () => {
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`s${i}`, Array.from({ length: i + 1 }, () => ({ trained: 2 }))]),
    );
    const lines = mixture(mix({ sources: many }).report, { top: 3 }).text.split('\n');
    expect(lines.slice(3, 7).map(line => line.split(/\s{2,}/).slice(0, 2))).toEqual([
      ['s29', '30'],
      ['s28', '29'],
      ['s27', '28'],
      ['other (27)', '378'],
    ]);
    expect(lines[6]).toContain('81.3 %');
  });

  it('says what it needs, and shows nothing as nothing', () => {
    expect(() => mixture([] as never)).toThrow(/data\.mix/);
    expect(mixture({ lines: [] }).alt).toBe('A mixture of nothing.');
    class Other {}
    setView(Other, () => ({ kind: 'mixture', data: { lines: [] } }));
    expect(toFigure(new Other())!.kind).toBe('mixture');
  });
});
