import { afterEach, describe, expect, it } from 'vitest';
import { BadInput, setHost } from '../../src/base/core/index.js';
import { browse, type CardSample, comparison, intervals, notebookPage, page, renderSvg, samples } from '../../src/show/index.js';
import { sanitizeHtml } from '../../src/show/sanitize.js';
import { ALL, ATTACKS } from './attacks.js';
import { widgetHost } from './widget-host.js';

const items: CardSample[] = Array.from({ length: 45 }, (_, i) => ({
  index: i,
  task: ['copy', 'reverse', 'last'][i % 3]!,
  prompt: `repeat ${i} : bee pen`,
  expected: 'bee pen',
  got: i % 2 === 0 ? 'bee pen' : 'bee red pen too',
  correct: i % 2 === 0,
  ...(i % 2 === 0 ? {} : { why: 'two words too many' }),
  metrics: { task: i % 2 === 0 ? 1 : 0, f1: 0.8 },
}));
const scored = {
  name: 'tuned',
  score: 23 / 45,
  interval: { low: 0.37, high: 0.65 },
  samples: items,
  notes: ['3 rows were trained.'],
};
const cards = (html: string) => html.split('<details open="" class="tb-card').length - 1;

afterEach(() => setHost(undefined));

describe('show.samples of what was scored', () => {
  it('is cards with score, verdicts, reasons and metrics, a page at a time', () => {
    const figure = samples(scored);
    expect(figure.title).toBe('tuned: 51.1 % (95 % interval 37.0 % to 65.0 %)');
    expect(cards(figure.html!)).toBe(20);
    // Open on the page of a notebook, too.
    expect(cards(sanitizeHtml(figure.html!))).toBe(20);
    expect(figure.html).toContain('23 of 45 samples are right. Page 1 of 3');
    expect(figure.html).toContain('two words too many — task 0, f1 0.8');
    expect(figure.html).toContain('3 rows were trained.');
    expect(figure.alt).toBe('23 of 45 samples are right.');
    expect(samples(scored, { page: 3 }).html).toContain('repeat 44');
    // A page beyond the last is the last.
    expect(samples(scored, { page: 99 }).text).toBe(samples(scored, { page: 3 }).text);
  });

  it('marks the words in which answer and expected answer differ', () => {
    const figure = samples({ samples: items.slice(1, 2) });
    expect(figure.html).toContain('bee <ins>red </ins>pen <ins>too </ins>');
    expect(figure.text).toContain('bee {+red+} pen {+too+}');
    expect(figure.text).toContain('why       two words too many');
    const lost = samples({ samples: [{ prompt: 'x', expected: 'a b', got: '', correct: false }] });
    expect(lost.html).toContain('<del>a b </del>');
    expect(lost.html).toContain('<i>(nothing)</i>');
  });

  it('filters by task, verdict and text', () => {
    const shown = (options: object) =>
      samples(scored, { limit: 45, ...options })
        .text.match(/repeat \d+/g)
        ?.map(text => Number(text.slice(7)));
    expect(shown({ task: 'copy' })).toEqual(items.filter(i => i.task === 'copy').map(i => i.index));
    expect(shown({ correct: false, task: 'last' })).toEqual([5, 11, 17, 23, 29, 35, 41]);
    expect(shown({ search: 'RED' })).toHaveLength(22);
    expect(shown({ search: 'nowhere' })).toBeUndefined();
    expect(samples(scored, { search: 'red' }).html).toContain('22 pass the filter');
    expect(() => samples(scored, { task: 'revrse' })).toThrow(/did you mean "reverse"/);
    expect(() => samples(scored, { page: 0 })).toThrow(BadInput);
    expect(() => samples({} as never)).toThrow(/no samples to show/);
    // A plain list stays a table, filtered too.
    const table = samples(items, { correct: true, limit: 5 });
    expect(table.html).toContain('<table>');
    expect(table.text).toContain('5 of 5 samples are right');
  });

  it('shows hostile texts as text, in pages and in notebooks that are not trusted', async () => {
    const hostile = ATTACKS.map(text => ({
      prompt: text,
      expected: ALL,
      got: text,
      correct: false,
      task: text,
      why: text,
      metrics: { [text]: 1 },
    }));
    const figure = samples({ name: ALL, samples: hostile, notes: [ALL] });
    const whole = await page(figure);
    for (const html of [figure.html!, whole]) {
      expect(html).not.toMatch(/<script|<img|<svg|<a\s|<link|onerror="w/);
      expect(html).not.toContain('onmouseover="window');
    }
    const notebook = {
      cells: [
        {
          cell_type: 'code',
          source: '',
          outputs: [{ output_type: 'display_data', data: { 'text/html': samples(scored).html } }],
        },
      ],
    };
    const reduced = await notebookPage(notebook);
    expect(reduced).not.toContain('<input');
    expect(reduced).toContain('two words too many');
  });
});

describe('show.browse', () => {
  it('has lists, a search field and buttons that draw the page anew in place', async () => {
    const { outputs, find, widgets } = widgetHost();
    const browser = await browse(scored, { limit: 10 });
    const [bar, place] = [...outputs.keys()] as [string, string];
    const html = () => String(outputs.get(place)!['text/html']);
    const row = widgets.find(one => one.name === 'HBox')!;
    expect(outputs.get(bar)).toMatchObject({ 'application/vnd.jupyter.widget-view+json': { model_id: row.id } });
    expect(row.state.children).toEqual(
      widgets.filter(one => ['Dropdown', 'Text', 'Button'].includes(one.name)).map(one => `IPY_MODEL_${one.id}`),
    );
    expect(html()).toContain('Page 1 of 5');
    find('Button', '▶').click();
    expect(html()).toContain('Page 2 of 5');
    find('Dropdown', 'wrong').change({ index: 2 });
    expect(html()).toContain('22 pass the filter. Page 1 of 3');
    find('Dropdown', 'reverse').change({ index: 2 });
    expect(html()).toContain('8 pass the filter');
    find('Text', 'search').change({ value: 'repeat 13' });
    expect(html()).toContain('1 pass the filter');
    expect(browser.figure.html).toBe(html());
    find('Dropdown', 'wrong').change({ index: 0 });
    find('Dropdown', 'reverse').change({ index: 0 });
    find('Text', 'search').change({ value: '' });
    find('Button', '◀').click();
    expect(html()).toContain('Page 1 of 5');
    // What no list can say is passed over.
    find('Dropdown', 'wrong').change({ index: 7 });
    find('Text', 'search').change({ value: 7 });
    expect(html()).toContain('Page 1 of 5');
    browser.close();
    await expect.poll(() => widgets.every(one => one.closed)).toBe(true);
    expect(outputs.get(bar)).toEqual({ 'text/html': '', 'text/plain': '' });
    expect(html()).toContain('Page 1 of 5');
  });

  it('shows the page alone where there are no widgets', async () => {
    const { outputs, widgets } = widgetHost({ comms: false });
    const browser = await browse(scored);
    expect(widgets).toEqual([]);
    expect([...outputs.values()].map(bundle => bundle['text/html'])).toEqual([browser.figure.html]);
    browser.close();
  });
});

describe('show.intervals', () => {
  it('draws values with their intervals, and says them', async () => {
    const data = {
      title: 'Scores',
      unit: 'share' as const,
      reference: 0.25,
      rows: [
        { label: 'model', value: 0.55, low: 0.4, high: 0.7, strong: true },
        { label: 'base', value: 0.1 },
        { label: ALL, value: Number.NaN, low: 0, high: 1 },
      ],
      notes: ['20 rows.'],
    };
    const figure = intervals(data);
    expect(intervals(data).spec).toEqual(figure.spec);
    expect(figure.alt).toContain('model: 55 % (40 % to 70 %). base: 10 %.');
    expect(figure.text).toContain('reference: 25 %');
    const svg = await renderSvg(figure);
    expect(svg).toContain('55 %');
    expect(svg).not.toContain('<script');
    expect(intervals({ rows: [] }).alt).toBe('No values.');
    await renderSvg(intervals({ rows: [], reference: 1 }));
    const many = intervals({
      rows: Array.from({ length: 70 }, (_, i) => ({ label: 'same', value: i - 30, low: i - 31, high: i - 29 })),
    });
    expect(many.alt).toContain('10 more are not shown');
    await renderSvg(many);
  });
});

describe('show.comparison', () => {
  const row = {
    measure: 'score',
    seeds: 5,
    a: 0.6,
    b: 0.7,
    difference: 0.1,
    low: 0.05,
    high: 0.15,
    p: 0.0004,
    holm: 0.0008,
    mde: 0.04,
  };

  it('says what can be told apart, and what too few seeds leave open', () => {
    const figure = comparison({
      rows: [
        row,
        { ...row, measure: 'loss', difference: -0.1, holm: 0.04 },
        { ...row, measure: 'facts', p: 0.3, holm: 0.3 },
        { ...row, measure: ALL, seeds: 3 },
      ],
      warning: '3 seeds support no conclusion.',
    });
    expect(figure.text).toMatch(/score +b is higher .*\+0\.1 .*< 0\.001 /);
    expect(figure.text).toMatch(/loss .*b is lower/);
    expect(figure.text).toMatch(/facts .*not told apart/);
    expect(figure.text).toMatch(/too few seeds/);
    expect(figure.alt).toBe('4 measures compared; 2 are told apart after correction. 3 seeds support no conclusion.');
    expect(figure.html).not.toContain('<script');
    const one = comparison({ rows: [{ ...row, seeds: 1, method: 'bootstrap', mde: Number.NaN }] });
    expect(one.text).toMatch(/one seed .*\(rows\).*–/);
  });
});
