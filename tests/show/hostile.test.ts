import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadInput } from '../../src/base/core/index.js';
import {
  beforeAfter,
  conversation,
  dataset,
  errorView,
  type Figure,
  histogram,
  lossCurve,
  mixture,
  notebookPage,
  page,
  parameters,
  progressBars,
  samples,
  table,
  tensor,
  toFigure,
  tokens,
} from '../../src/show/index.js';
import { markdown } from '../../src/show/markdown.js';
import { sanitizeHtml } from '../../src/show/sanitize.js';
import { addVega, drawSpecs, launchBrowser, skipBrowser } from '../helpers/browser.js';
import { ALL, ATTACKS } from './attacks.js';

function hostileFigures(attack: string): Figure[] {
  const signal = { signal: 'window.__pwned=1', text: { signal: 'window.__pwned=1' } } as unknown as string;
  return [
    lossCurve({ loss: [3, 2, 1] }, { title: attack }),
    lossCurve({ loss: [3, 2] }, { title: signal }),
    lossCurve([
      { step: attack as unknown as number, loss: 1 },
      { step: 2, loss: attack as unknown as number },
      { step: 3, loss: 2 },
    ]),
    beforeAfter({
      title: attack,
      rows: [
        { label: attack, before: 1, after: 2, unit: attack, better: 'higher' },
        { label: signal, before: 1, after: 3 },
      ],
    }),
    histogram([1, 2, 3], { title: attack, label: attack, count: attack }),
    dataset(
      [
        { messages: [{ role: 'user', content: attack }], task: attack, source: attack },
        { messages: [{ role: 'assistant', content: attack }], task: signal, source: signal },
      ] as never,
      { title: attack },
    ),
    mixture(
      {
        strategy: attack,
        lines: [attack, signal].map(source => ({
          source,
          available: attack as unknown as number,
          drawn: 3,
          repeated: 1,
          asked: 0.4,
          got: attack as unknown as number,
        })),
      },
      { title: attack },
    ),
    parameters(
      {
        architecture: attack,
        weights: [
          { name: attack, shape: [2], trainable: false, group: signal },
          { name: `${attack} norm`, shape: [3], trainable: true, group: attack },
        ],
        adapters: [{ name: attack, kind: signal }],
      },
      { title: attack, adapters: true },
    ),
    tokens({
      title: attack,
      tokens: [
        {
          text: attack,
          id: attack as unknown as number,
          role: attack,
          control: true,
          trained: true,
          label: attack as unknown as number,
          loss: 1,
          weight: attack as unknown as number,
        },
      ],
    }),
    table([{ [attack]: attack, '__proto__.x': { toJSON: () => attack } }], { title: attack }),
    conversation({
      title: attack,
      note: attack,
      writing: true,
      messages: [
        { role: attack, content: attack, thinking: attack, input: attack, toolCalls: [{ name: attack, arguments: attack }] },
        { role: '__proto__', content: [{ text: attack }], toolCalls: [{ name: attack, arguments: { [attack]: signal } }] },
      ],
    }),
    tensor({ shape: [attack as unknown as number, 2], dtype: attack, size: 4, isDisposed: false }, [1, 2, 3, Number.NaN], {
      title: attack,
    }),
    tensor({ shape: [2], dtype: 'string', size: 2, isDisposed: false }, [attack, signal], { title: signal }),
    tensor({ shape: [2], dtype: attack, size: 2, isDisposed: true }),
    progressBars(
      [{ id: 1, label: attack, unit: attack, note: attack, done: 1, total: 2, elapsed: 3, left: 4, finished: false }],
      [{ id: 2, label: signal, unit: attack, done: attack as unknown as number, elapsed: 3, finished: true }],
    ),
    errorView({
      name: attack,
      parts: { problem: attack, where: { file: attack, key: attack }, expected: attack, found: attack, fix: attack },
    }),
    // What is shown without being asked: rows, Maps, messages.
    ...[
      [{ [attack]: attack }],
      new Map([[attack, { [attack]: attack }]]),
      new Map([[attack, attack]]),
      [{ role: attack, content: attack }],
      { messages: [{ role: 'user', content: attack }] },
      new BadInput({ problem: attack, found: attack }),
    ].map(value => toFigure(value)!),
    samples([{ prompt: attack, expected: attack, before: attack, after: attack, correct: false, task: attack }], {
      title: attack,
    }),
  ];
}

function hostileNotebook(): object {
  const outputs = ATTACKS.flatMap(attack => [
    { output_type: 'stream', name: attack, text: [attack] },
    { output_type: 'error', ename: attack, evalue: attack, traceback: [attack, `\u001b[31m${attack}`] },
    { output_type: 'display_data', data: { 'text/html': attack, 'text/plain': attack } },
    { output_type: 'display_data', data: { 'text/markdown': `${attack}\n\n[x](${attack})\n\n![y](https://evil.example/a.png)` } },
    {
      output_type: 'display_data',
      data: { 'image/svg+xml': `<svg xmlns="http://www.w3.org/2000/svg" onload="window.__pwned=1">${attack}</svg>` },
    },
    { output_type: 'display_data', data: { 'text/latex': attack }, metadata: { [attack]: attack } },
    {
      output_type: 'display_data',
      data: { 'image/png': 'AAAA', 'text/plain': attack },
      metadata: { 'image/png': { width: attack, height: attack } },
    },
    { output_type: 'display_data', data: { 'image/png': `"><script>window.__pwned=1</script>`, 'text/plain': attack } },
    { output_type: 'display_data', data: { 'application/vnd.vegalite.v5+json': vegaAttack(attack), 'text/plain': attack } },
  ]);
  const html =
    '<meta http-equiv="refresh" content="0;url=https://evil.example/"><base href="https://evil.example/"><form action="https://evil.example/"><input autofocus onfocus="window.__pwned=1"></form><iframe srcdoc="<script>parent.__pwned=1</script>"></iframe><svg><script>window.__pwned=1</script></svg><style>*{display:none}</style>';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="window.__pwned=1"><script>window.__pwned=1</script></svg>`;
  return {
    metadata: { title: ALL, kernelspec: { name: ALL, display_name: ALL, language: ALL }, language_info: { name: ALL } },
    cells: [
      ...ATTACKS.map(attack => ({
        cell_type: 'markdown',
        source: `$${attack}$\n\n$$\n${attack}\n$$\n\n![${attack}](attachment:a) ![x](attachment:${attack}) [y](#${attack})\n\n## ${attack}`,
        attachments: { a: { 'image/svg+xml': svg }, [attack]: { 'image/png': `"><script>${attack}`, 'image/svg+xml': attack } },
      })),
      {
        cell_type: 'markdown',
        source: `# ${ALL}\n\n${html}\n\n- ${ALL}\n\n[click](javascript:window.__pwned=1) [ok](https://example.org/"onclick="window.__pwned=1)`,
      },
      { cell_type: 'raw', source: ALL },
      { cell_type: 'code', source: ALL, outputs: [...outputs, { output_type: 'execute_result', data: { 'text/html': html } }] },
    ],
  };
}

function vegaAttack(attack: string): object {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    title: attack,
    data: { values: [{ [attack]: attack, v: 1 }] },
    mark: { type: 'bar', href: 'javascript:window.__pwned=1' },
    encoding: { x: { field: 'v', type: 'quantitative', title: attack }, href: { value: 'https://evil.example/' } },
  };
}

describe.skipIf(skipBrowser)('hostile content in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A tab that counts every request and every place it was led to. */
  async function tab(bypassCSP = false): Promise<{ page: Page; requests: string[] }> {
    const context = await browser.newContext({ bypassCSP });
    const opened = await context.newPage();
    const requests: string[] = [];
    await opened.route('**/*', route => {
      requests.push(route.request().url());
      return route.abort();
    });
    return { page: opened, requests };
  }

  async function inert(opened: Page, requests: string[]): Promise<void> {
    // Poke what could react: every element gets the pointer's and the focus' events, every link a click.
    await opened.evaluate(() => {
      for (const node of document.querySelectorAll<HTMLElement>('body *')) {
        for (const type of ['mouseover', 'focus', 'error', 'load', 'pointerenter']) node.dispatchEvent(new Event(type));
      }
    });
    await opened.waitForTimeout(300);
    expect(await opened.evaluate(() => (window as { __pwned?: unknown }).__pwned)).toBeUndefined();
    expect(requests.filter(url => !url.startsWith('data:'))).toEqual([]);
    expect(opened.url()).toBe('about:blank');
  }

  // With the content-security-policy switched off it is the escaping itself that must hold.
  for (const bypassCSP of [false, true]) {
    it(`is inert in pages of figures${bypassCSP ? ', even without their content-security-policy' : ''}`, async () => {
      const { page: opened, requests } = await tab(bypassCSP);
      const figures = ATTACKS.flatMap(hostileFigures);
      await opened.setContent(await page(figures, { title: ALL }));
      expect(await opened.locator('svg.marks').count()).toBe(figures.filter(figure => figure.spec).length);
      expect(await opened.locator('script, link, iframe, a, img').count()).toBe(0);
      expect(await opened.locator('.tb-toks .tb-tok').first().textContent()).toContain('<script>');
      await inert(opened, requests);
    });

    it(`is inert in the page of a notebook${bypassCSP ? ', even without its content-security-policy' : ''}`, async () => {
      const { page: opened, requests } = await tab(bypassCSP);
      await opened.setContent(await notebookPage(hostileNotebook()));
      expect(await opened.locator('script, link, iframe, form, input, base, meta[http-equiv=refresh]').count()).toBe(0);
      expect(await opened.locator('.tb-in').isVisible()).toBe(true);
      const targets = await opened.locator('a').evaluateAll(links => links.map(link => link.getAttribute('href') ?? ''));
      for (const target of targets) expect(target).toMatch(/^(https?:|mailto:|#|$)/);
      await inert(opened, requests);
    });
  }

  it('is inert where vega itself draws the spec, as JupyterLab does', async () => {
    const { page: opened, requests } = await tab();
    await opened.setContent('<body></body>');
    await addVega(opened);
    const specs = ATTACKS.flatMap(hostileFigures).flatMap(figure => (figure.spec ? [figure.spec] : []));
    const marks = await drawSpecs(opened, specs);
    expect(marks).toBe(specs.length);
    await opened.mouse.move(200, 200);
    await inert(opened, requests);
  });

  it('bears a megabyte in every string', async () => {
    const long = `<script>window.__pwned=1</script>${'x'.repeat(1 << 20)}`;
    const figures = hostileFigures(long);
    const html = await page(figures, { title: long });
    // With the style sheets and the drawn charts: what a reader reads, not what somebody sent.
    expect(html.length).toBeLessThan(20_000 * figures.length);
    const { page: opened, requests } = await tab();
    await opened.setContent(html);
    await inert(opened, requests);
  });
});

describe('hostile content in a terminal', () => {
  it('moves no cursor and turns no line around', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is looked for
    const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;
    for (const figure of ATTACKS.flatMap(hostileFigures)) expect(figure.text, figure.kind).not.toMatch(harmful);
  });
});

describe('sanitizeHtml', () => {
  it('keeps text, tables and our marks', () => {
    const table = '<div class="tb-figure"><table><tbody><tr><td dir="auto">a &lt; b</td></tr></tbody></table></div>';
    expect(sanitizeHtml(`<style>x</style>${table}`)).toBe(table);
    const style = 'color:#fff;position:fixed;background-color:rgba(1,2,3,0.4);border:1px solid url(x);width:9px';
    expect(sanitizeHtml(`<span class="tb-tok" tabindex="0" style="${style}" title="&#39;x&quot;">hi</span><wbr>`)).toBe(
      '<span class="tb-tok" tabindex="0" style="color:#fff;background-color:rgba(1,2,3,0.4)" title="&#39;x&quot;">hi</span><wbr>',
    );
  });
  it('balances, and drops all else', () => {
    expect(sanitizeHtml('</div><b>x<i>y</b>z<img src=x onerror=1><p onclick="1" style="position:fixed">q')).toBe(
      '<b>x<i>y</i></b>z<p style="">q</p>',
    );
    expect(sanitizeHtml('<script>a</script >b<script>c')).toBe('b');
    expect(sanitizeHtml('a < b <!-- c --> <scr<script>ipt>d')).toBe('a &lt; b  &lt;scr');
    expect(sanitizeHtml('<b title="<script>">x')).toBe('<b title="&lt;script&gt;">x</b>');
  });
});

describe('markdown', () => {
  it('writes what notebooks use', () => {
    const html = markdown(
      '# T *x*\n\nA **b** `c<d` [l](https://x.org/a_b_c)\nsecond\n\n- one\n  1. in\n- two\n\n```ts\nif (a < b) {}\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n> q\n\n---',
    );
    expect(html).toBe(
      [
        '<h1 id="to-t-x">T <em>x</em></h1>',
        '<p>A <strong>b</strong> <code>c&lt;d</code> <a href="https://x.org/a_b_c" rel="noopener noreferrer">l</a>\nsecond</p>',
        '<ul><li>one<ol><li>in</li></ol></li><li>two</li></ul>',
        '<pre><code>if (a &lt; b) {}</code></pre>',
        '<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>',
        '<blockquote><p>q</p></blockquote>',
        '<hr>',
      ].join('\n'),
    );
  });
});
