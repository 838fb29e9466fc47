import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNotebook, skipLab, startLab } from '../helpers/lab.js';

const CELLS = [
  `const who = prompt('Who?', 'nobody'); 'hello ' + who`,
  `const key = await ask('Key', { password: true }); key.length`,
  `/** Greets. */ function greet(name: string): string { return 'hi ' + name; }
const comm = (globalThis as any)[Symbol.for('tunebook.host')].comm('nobody.listens');
await new Promise<void>(resolve => comm.onClose(resolve)); 'closed'`,
  `prompt('for ever')`,
  `gree`,
];

describe.skipIf(skipLab)('in JupyterLab', () => {
  let lab: Lab;
  let notebook: LabNotebook;
  beforeAll(async () => {
    lab = await startLab();
    notebook = await lab.open('stdin', CELLS);
  });
  afterAll(() => lab?.close());

  const field = () => notebook.page.locator('input.jp-Stdin-input');

  it('asks in an input field, a hidden one for passwords, and an interrupt ends the wait', async () => {
    await notebook.runAll();
    await field().waitFor();
    expect(await notebook.page.locator('.jp-Stdin-prompt').textContent()).toContain('Who? [nobody]');
    await field().fill('Ada');
    await field().press('Enter');
    await notebook.outputs(0).filter({ hasText: "'hello Ada'" }).waitFor();

    const password = notebook.page.locator('input.jp-Stdin-input[type=password]');
    await password.waitFor();
    await password.fill('s3cret');
    await password.press('Enter');
    await notebook.outputs(1).filter({ hasText: '6' }).waitFor();
    // What was typed into a password field stands nowhere in the page.
    expect(await notebook.page.locator('.jp-NotebookPanel').textContent()).not.toContain('s3cret');

    // JupyterLab closes a comm whose target it does not know.
    await notebook.outputs(2).filter({ hasText: "'closed'" }).waitFor();

    await notebook.page.locator('.jp-Stdin-prompt', { hasText: 'for ever' }).waitFor();
    await notebook.interrupt();
    await notebook.outputs(3).filter({ hasText: 'KeyboardInterrupt' }).waitFor();
    await notebook.idle();
  });

  it('completes a name with its kind and documentation', async () => {
    const cell = notebook.page.locator('.jp-CodeCell').nth(4);
    await cell.locator('.cm-content').click();
    await notebook.page.keyboard.press('End');
    // Before JupyterLab has made a completer for the cell, the key would indent.
    await cell.locator('.jp-mod-completer-enabled').waitFor();
    await notebook.page.keyboard.press('Tab');
    const item = notebook.page.locator('.jp-Completer-item', { hasText: 'greet' });
    await expect.poll(() => item.first().textContent()).toMatch(/greet.*function/);
    await item.first().click();
    await notebook.page.waitForFunction(() =>
      [...document.querySelectorAll('.jp-CodeCell .cm-content')].some(each => each.textContent === 'greet'),
    );
    await notebook.page.keyboard.press('Shift+Tab');
    const tooltip = notebook.page.locator('.jp-Tooltip');
    // It stands there empty before its text is drawn.
    await expect.poll(() => tooltip.textContent()).toMatch(/function greet\(name: string\): string.*Greets\./s);
  });
});
