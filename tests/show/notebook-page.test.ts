import { describe, expect, it } from 'vitest';
import { JUPYTER_DISPLAY, lossCurve, notebookPage, tokens } from '../../src/show/index.js';
import { markdown } from '../../src/show/markdown.js';
import { tokenView } from './examples.js';

async function notebook(): Promise<object> {
  return {
    nbformat: 4,
    cells: [
      { cell_type: 'markdown', source: ['# Instruction tuning\n', '\n', 'A **base** model only continues text.'] },
      {
        cell_type: 'code',
        source: "const run = train.sft({ model }); // go\nawait run.finish('now', 42);",
        outputs: [
          { output_type: 'stream', name: 'stdout', text: ['10 %\r', '50 %\r', '100 %\n', '\u001b[31mred\u001b[0m\n'] },
          { output_type: 'display_data', data: await lossCurve({ loss: [3, 2, 1] })[JUPYTER_DISPLAY]() },
          { output_type: 'execute_result', data: await tokens(tokenView())[JUPYTER_DISPLAY]() },
          {
            output_type: 'display_data',
            data: { 'application/vnd.vegalite.v5+json': { mark: 3 }, 'image/png': 'AAAA', 'text/plain': 'a < b' },
          },
          { output_type: 'error', ename: 'BadInput', evalue: 'x', traceback: ['\u001b[31mBadInput\u001b[0m: x'] },
        ],
      },
    ],
  };
}

describe('notebookPage', () => {
  it('holds the notebook: prose, code, streams, charts, masks, errors', async () => {
    const html = await notebookPage(JSON.stringify(await notebook()));
    expect(html).toContain('<title>Instruction tuning</title>');
    expect(html).toContain('<strong>base</strong>');
    expect(html).toContain('<span class="tb-k">const</span> run');
    expect(html).toContain('<span class="tb-c">// go</span>');
    expect(html).toContain('<pre>100 %\nred\n</pre>');
    expect(html.match(/<svg/g)).toHaveLength(1);
    expect(html).toContain('class="tb-tok tb-trained"');
    expect(html).toContain('<img class="tb-picture" alt="a &lt; b" src="data:image/png;base64,AAAA">');
    expect(html).toContain('<pre class="tb-error">BadInput: x</pre>');
    expect(html).toContain("default-src 'none'");
  });

  it('says what is not a notebook', async () => {
    await expect(notebookPage('{')).rejects.toThrow(/not JSON/);
    await expect(notebookPage({ cells: 3 })).rejects.toThrow(/nbformat 4/);
  });

  it('takes notebooks of nbformat 3, with a byte order mark, and names a page by its notebook', async () => {
    const old = {
      nbformat: 3,
      worksheets: [
        {
          cells: [
            { cell_type: 'heading', level: 2, source: 'Old' },
            {
              cell_type: 'code',
              language: 'python',
              input: ['x = 1 # c'],
              outputs: [
                { output_type: 'stream', stream: 'stderr', text: ['warn'] },
                { output_type: 'pyout', text: ['42'], png: 'AAAA' },
                { output_type: 'pyerr', traceback: ['E: v'] },
              ],
            },
          ],
        },
      ],
    };
    const html = await notebookPage(`\ufeff${JSON.stringify(old)}`, { name: 'file' });
    expect(html).toContain('<h2 id="to-old">Old</h2>');
    expect(html).toContain('<span class="tb-c"># c</span>');
    expect(html).toContain('<pre class="tb-stderr">warn</pre>');
    expect(html).toContain('<img class="tb-picture" alt="42" src="data:image/png;base64,AAAA">');
    expect(html).toContain('<pre class="tb-error">E: v</pre>');
    expect(html).toContain('<title>file</title>');
    expect(await notebookPage({ cells: [{ cell_type: 'markdown', source: '# **A** `b`' }] })).toContain('<title>A b</title>');
  });

  const page = (data: object, metadata?: object) =>
    notebookPage(
      { cells: [{ cell_type: 'code', outputs: [{ output_type: 'display_data', data, metadata }] }] },
      { interactive: true },
    );

  it('shows what other kernels put out, or what stands for it', async () => {
    // plotly: a script that is not taken over.
    expect(await page({ 'text/html': '<div id="p"></div><script>1</script>', 'text/plain': 'Figure()' })).toContain(
      '<pre>Figure()</pre>',
    );
    expect(await page({ 'text/latex': '$x^2$' })).toContain('<pre class="tb-math">$x^2$</pre>');
    expect(await page({ 'image/png': 'AAAA' }, { 'image/png': { width: 320 } })).toContain('width="320" src=');
    expect(await page({ 'image/png': 'AAAA' }, { 'image/png': { width: '1" onload="x' } })).not.toContain('onload');
    const altair = { mark: 'point', encoding: { x: { field: 'a', type: 'quantitative' } } };
    expect(await page({ 'application/vnd.vegalite.v6.json': { ...altair, data: { values: [{ a: 1, url: 'x' }] } } })).toContain(
      '<svg',
    );
    // Its data are elsewhere, and nothing is loaded: better a picture than an empty chart.
    const elsewhere = { ...altair, data: { url: 'cars.json' } };
    expect(await page({ 'application/vnd.vegalite.v5+json': elsewhere, 'image/png': 'AAAA' })).toContain('base64,AAAA');
    const link = '\u001b]8;;http://a\u0007text\u001b]8;;\u0007';
    expect(await page({ 'text/plain': link })).toContain('<pre>text</pre>');
  });

  it('carries the script of charts only where there are charts', async () => {
    expect(await page({ 'text/plain': 'x' })).not.toContain('<script');
  });
});

describe('markdown', () => {
  const picture = (name: string, alt: string) => (name === 'attachment:a b.png' ? `<img alt="${alt}">` : undefined);

  it('leaves formulas as they are written', () => {
    expect(markdown('$a_i b_j$ and _em_')).toBe('<p><code class="tb-math">$a_i b_j$</code> and <em>em</em></p>');
    expect(markdown('$$\na_i\n- b\n$$\nnext')).toBe('<pre class="tb-math">$$\na_i\n- b\n$$</pre>\n<p>next</p>');
    expect(markdown('$5 and $10')).toBe('<p>$5 and $10</p>');
  });

  it('shows pictures that come with the cell, and the text of others', () => {
    expect(markdown('![x](attachment:a%20b.png) ![y](other.png)', { picture })).toBe('<p><img alt="x"> <em>y</em></p>');
    expect(markdown('![z](data:image/png;base64,AAAA)')).toContain(
      '<img class="tb-picture" alt="z" src="data:image/png;base64,AAAA">',
    );
    expect(markdown('![z](data:image/svg+xml;base64,AAAA)')).toBe('<p><em>z</em></p>');
  });

  it('links to headings and to the web, and reads marks around code', () => {
    expect(markdown('## What is it?\n[up](#What-is-it?)')).toBe(
      '<h2 id="to-what-is-it-">What is it?</h2>\n<p><a href="#to-what-is-it-">up</a></p>',
    );
    expect(markdown('[`a<b`](http://x.y "title") **`b`** [file](other.ipynb)')).toBe(
      '<p><a href="http://x.y" rel="noopener noreferrer"><code>a&lt;b</code></a> <strong><code>b</code></strong> file</p>',
    );
  });
});
