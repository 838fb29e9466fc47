import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { inspectCommand, paintTokens } from '../../src/cli/inspect.js';

const TOKENIZER = fileURLToPath(new URL('../prepare/tokens/fixtures/gpt2', import.meta.url));
let dir: string;
let file: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-inspect-'));
  file = join(dir, 'rows.jsonl');
  const rows = [
    { instruction: 'Name a colour.', output: 'red' },
    { instruction: 'Escape \u001b[31m and \u202e', output: 'a\nb' },
    { instruction: 'Nothing', output: '' },
  ];
  await writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

async function output(...args: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((...parts) => void lines.push(parts.join(' ')));
  expect(await inspectCommand(args)).toBe(0);
  return lines.join('\n');
}

test('prints tokens with plain markers and the summary of the data', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--template', 'chatml', '--tokenizer', TOKENIZER);
  expect(text).toContain('row 0, line 1, template chatml');
  expect(text).toMatch(/<<\|im_start\|>>.*\n/);
  expect(text).toContain('[<|im_end|>]');
  expect(text).toContain('3 rows read, 2 usable, 1 skipped');
  expect(text).toContain('line 3: "output" is empty');
  expect(text).toMatch(/2 rows, \d+ tokens, [\d.]+ % trained/);
});

test('text cannot reach the terminal as control characters', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--row', '1', '--template', 'alpaca', '--tokenizer', TOKENIZER);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is what is tested
  expect(text).not.toMatch(/[\u001b\u202e]/);
  expect(text).toContain('\\u001b');
});

test('colours where asked for, and a tokenizer trained on the data where none is named', async () => {
  vi.stubEnv('FORCE_COLOR', '1');
  vi.stubEnv('NO_COLOR', '');
  const text = await output(file);
  expect(text).toContain('was trained on');
  expect(text).toContain('\u001b[30;42m');
});

test('paintTokens breaks lines after newlines', () => {
  const cell = { id: 1, role: 'user', control: false, trained: false, label: -100 };
  expect(
    paintTokens(
      {
        tokens: [
          { ...cell, text: 'a\n' },
          { ...cell, text: 'b', trained: true },
        ],
      },
      false,
    ),
  ).toBe('(a↵)\n[b]');
});

test('bad arguments say what is expected', async () => {
  await expect(inspectCommand([])).rejects.toThrow(/no data file is named/);
  await expect(inspectCommand([file, '--row', '99'])).rejects.toThrow(/there is no row 99.*from 0 to 1/);
  await expect(inspectCommand([file, '--row', 'x'])).rejects.toThrow(/--row is no number/);
  await expect(inspectCommand([file, '--colour'])).rejects.toThrow(/Unknown option '--colour'/);
  await expect(inspectCommand([file, '--template', 'nope'])).rejects.toThrow(/no template "nope"/);
  await expect(inspectCommand([join(dir, 'none.json')])).rejects.toThrow(/no such file/);
});
