import { describe, expect, it } from 'vitest';
import { JUPYTER_DISPLAY, lossCurve, notebookPage, tokens } from '../../src/show/index.js';
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
});
