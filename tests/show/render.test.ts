import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Host, setHost } from '../../src/base/core/index.js';
import {
  JUPYTER_DISPLAY,
  lossCurve,
  renderPng,
  renderSvg,
  table,
  VEGALITE_MIME,
  type VegaLiteSpec,
} from '../../src/show/index.js';
import { history } from './examples.js';

const words = (text: string): VegaLiteSpec => ({
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  data: { values: [{ t: text }] },
  width: 200,
  height: 40,
  mark: { type: 'text', font: 'Inter', fontSize: 24 },
  encoding: { text: { field: 't', type: 'nominal' } },
});

describe('rendering', () => {
  it('letters a PNG with the shipped font: other words, other pixels', async () => {
    const [none, some, other] = await Promise.all([renderPng(words('')), renderPng(words('mmmm')), renderPng(words('iiii'))]);
    // Without a font all three would be the same empty picture.
    expect(some.length).toBeGreaterThan(none.length + 100);
    expect(Buffer.from(some).equals(Buffer.from(other))).toBe(false);
  });

  it('is deterministic, and scales', async () => {
    const chart = lossCurve(history(40));
    expect(await renderSvg(chart)).toBe(await renderSvg(chart));
    const width = (png: Uint8Array) => Buffer.from(png).readUInt32BE(16);
    const [one, two, wide] = [
      await renderPng(chart, { scale: 1 }),
      await renderPng(chart),
      await renderPng(chart, { width: 1000 }),
    ];
    expect(width(two)).toBe(2 * width(one));
    expect(width(wide)).toBe(1000);
    expect(await renderSvg(chart, { theme: 'dark' })).not.toBe(await renderSvg(chart));
  });

  it('gives the SVG the description as its name', async () => {
    expect(await renderSvg(lossCurve({ loss: [3, 2, 1] }))).toContain('Loss falls from 3 to 1 over 3 steps.');
  });

  it('loads nothing, whatever a spec asks for', async () => {
    const file: VegaLiteSpec = { ...words('x'), data: { url: 'file:///etc/hostname', format: { type: 'csv' } } };
    expect(await renderSvg(file)).not.toMatch(/<text[^>]*>[^<]+<\/text>/);
    const linked = { ...words('x'), encoding: { text: { value: 'x' }, href: { value: 'https://example.org/' } } };
    expect(await renderSvg(linked as VegaLiteSpec)).not.toContain('example.org');
  });

  it('says so when a figure has no chart', async () => {
    await expect(renderPng(table([{ a: 1 }]))).rejects.toThrow(/no chart/);
  });
});

describe('the libraries of the first chart', () => {
  afterEach(() => {
    setHost(undefined);
    vi.doUnmock('../../src/show/render.js');
    vi.resetModules();
  });

  it('load in the pause after the cell that loads tunebook, and never elsewhere', async () => {
    const loadAhead = vi.fn(async () => {});
    vi.doMock('../../src/show/render.js', () => ({ loadAhead }));
    vi.resetModules();
    await import('../../src/show/views.js');
    const ends: (() => unknown)[] = [];
    setHost({
      name: 'test',
      display() {},
      clear() {},
      signal: undefined,
      shield: (section: () => unknown) => section(),
      onCellEnd: (end: () => unknown) => ends.push(end),
    } as unknown as Host);
    vi.resetModules();
    await import('../../src/show/views.js');
    expect(ends).toHaveLength(1);
    expect(loadAhead).not.toHaveBeenCalled();
    // The cell does not wait for it.
    expect(ends[0]!()).toBeUndefined();
    await vi.waitFor(() => expect(loadAhead).toHaveBeenCalledTimes(1));
  });
});

describe('MIME bundles', () => {
  it('of a chart: Vega-Lite, PNG and text; of a table: HTML and text', async () => {
    const chart = await lossCurve({ loss: [2, 1] })[JUPYTER_DISPLAY]();
    expect(Object.keys(chart).sort()).toEqual([VEGALITE_MIME, 'image/png', 'text/plain'].sort());
    expect(
      Buffer.from(chart['image/png'] as string, 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
    expect(Object.keys(await table([{ a: 1 }])[JUPYTER_DISPLAY]()).sort()).toEqual(['text/html', 'text/plain']);
  });
});
