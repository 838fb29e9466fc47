import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { inspectCommand } from '../../src/cli/inspect.js';

const TOKENIZER = fileURLToPath(new URL('../prepare/tokens/fixtures/gpt2', import.meta.url));
let dir: string;
let file: string;
let hostile: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-inspect-'));
  file = join(dir, 'rows.jsonl');
  const rows = [
    { instruction: 'Name a colour.', output: 'red' },
    { instruction: 'Escape \u001b[31m and \u202e', output: 'a\nb' },
    { instruction: 'Nothing', output: '' },
  ];
  await writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'));
  hostile = join(dir, 'hostile.jsonl');
  const attack = '<script>alert(1)</script> \u001b]0;title\u0007\u001b[2J \u202eesrever\u2066 \u200b \ud800 \r\t';
  await writeFile(hostile, JSON.stringify({ instruction: attack, input: 'long '.repeat(40_000), output: attack }));
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
  expect(text).toMatch(/^\[<\|im_start\|>¦u¦se¦r¦↵\n\]\(N¦am¦e¦ a/m);
  expect(text).toContain('«re¦d¦<|im_end|>»');
  expect(text).toContain('[template] (masked) «trained»');
  expect(text).toContain('3 rows read, 2 usable, 1 skipped');
  expect(text).toContain('line 3: "output" is empty');
  expect(text).toMatch(/2 rows, \d+ tokens, [\d.]+ % trained/);
});

test('shows a row under several templates, with what each makes of the set', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--template', 'chatml, alpaca', '--tokenizer', TOKENIZER);
  expect(text.match(/^row 0, line 1, template (chatml|alpaca)$/gm)).toHaveLength(2);
  expect(text.match(/^with template (chatml|alpaca): 2 rows/gm)).toHaveLength(2);
  expect(text).toMatch(/«re¦d¦<\|endoftext\|>»/);
});

test('a template that refuses a row leaves the others to be seen', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const chat = join(dir, 'chat.jsonl');
  const turn = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  await writeFile(chat, [[...turn, ...turn], turn].map(messages => JSON.stringify({ messages })).join('\n'));
  const text = await output(chat, '--template', 'alpaca,chatml', '--tokenizer', TOKENIZER);
  expect(text).toContain('row 0, template alpaca: not possible');
  expect(text).toContain('row 0, line 1, template chatml');
  await expect(inspectCommand([chat, '--template', 'alpaca', '--tokenizer', TOKENIZER])).rejects.toThrow(/alpaca/);
});

test('trains what it is told to', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--train', 'all', '--template', 'chatml', '--tokenizer', TOKENIZER);
  expect(text).toContain('«u¦se¦r¦↵¦\nN¦am¦e¦ a');
  expect(text).not.toMatch(/\(N/);
});

test('weighs the prompt as it is told to', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--prompt-weight', '0.1', '--template', 'chatml', '--tokenizer', TOKENIZER);
  expect(text).toContain('«0.1×u¦se¦r¦↵');
  expect(text).toContain('with weight 0.1 to 1.');
  expect(text).toContain('«re¦d¦<|im_end|>»');
  vi.stubEnv('NO_COLOR', '');
  vi.stubEnv('FORCE_COLOR', '1');
  const colours = await output(file, '--prompt-weight', '0.1', '--template', 'chatml', '--tokenizer', TOKENIZER);
  expect(colours).toContain('trained, weight 0.1\u001b[0m');
});

test('checks a template against the tokenizer', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const text = await output(file, '--check', '--template', 'chatml,llama-3', '--tokenizer', TOKENIZER);
  expect(text).toContain('checks of template chatml');
  expect(text).toMatch(/✓ stops +token \d+ ends a turn, is trained/);
  // This tokenizer does not know the end of turn of Llama 3.
  expect(text).toMatch(/✗ stops +"<\|eot_id\|>" is no single token of this tokenizer\n +→ add it/);
});

test('takes a Jinja template from a file, and the tokenizer’s own', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const source =
    "{% for m in messages %}<|im_start|>{{ m.role + '\\n' + m.content }}<|im_end|>{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  const jinja = join(dir, 'chat_template.jinja');
  await writeFile(jinja, source);
  const text = await output(file, '--template', jinja, '--tokenizer', TOKENIZER);
  expect(text).toContain('row 0, line 1, template chat_template.jinja');
  expect(text).toContain('«re¦d¦<|im_end|>»');
  const own = join(dir, 'tokenizer');
  await cp(TOKENIZER, own, { recursive: true });
  await writeFile(join(own, 'chat_template.jinja'), source);
  expect(await output(file, '--template', 'auto,chatml', '--tokenizer', own)).toMatch(/template auto[\s\S]*template chatml/);
  await expect(inspectCommand([file, '--template', 'auto'])).rejects.toThrow(/needs a tokenizer/);
  await expect(inspectCommand([file, '--template', join(dir, 'no.jinja')])).rejects.toThrow(/template cannot be read/);
});

test('a hostile row reaches the terminal as text, cut to what one reads', async () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control
  const colours = /\u001b\[[\d;]+m/g;
  for (const colour of ['NO_COLOR', 'FORCE_COLOR']) {
    vi.stubEnv('NO_COLOR', '');
    vi.stubEnv(colour, '1');
    const text = await output(hostile, '--template', 'chatml');
    const ours = text.replaceAll(colours, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is what is tested
    expect(ours).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]/);
    expect(ours).toContain('␛');
    expect(ours.replaceAll('¦', '')).toContain('<script>');
    expect(ours).toContain('⟨U+202E⟩');
    expect(ours).toMatch(/… and [\d,]+ more tokens/);
    expect(text.length).toBeLessThan(100_000);
  }
});

test('colours where asked for, and a tokenizer trained on the data where none is named', async () => {
  vi.stubEnv('FORCE_COLOR', '1');
  vi.stubEnv('NO_COLOR', '');
  const text = await output(file);
  expect(text).toContain('was trained on');
  expect(text).toContain('\u001b[30;48;5;39m');
  expect(text).toContain('\u001b[35mtemplate\u001b[0m');
});

test('bad arguments say what is expected', async () => {
  await expect(inspectCommand([])).rejects.toThrow(/no data file is named/);
  await expect(inspectCommand([file, '--row', '99'])).rejects.toThrow(/there is no row 99.*from 0 to 1/);
  await expect(inspectCommand([file, '--row', 'x'])).rejects.toThrow(/--row is no number/);
  await expect(inspectCommand([file, '--prompt-weight', '2'])).rejects.toThrow(/--prompt-weight is no share.*from 0 to 1/);
  await expect(inspectCommand([file, '--train', 'some'])).rejects.toThrow(/--train does not know "some".*response, all, last/);
  await expect(inspectCommand([file, '--colour'])).rejects.toThrow(/Unknown option '--colour'/);
  await expect(inspectCommand([file, '--template', 'nope'])).rejects.toThrow(/no template "nope"/);
  await expect(inspectCommand([join(dir, 'none.json')])).rejects.toThrow(/no such file/);
});
