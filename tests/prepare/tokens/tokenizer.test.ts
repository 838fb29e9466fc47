import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { Tokenizer, trainBPE } from '../../../src/prepare/tokens/index.js';

// Made by fixtures/make_fixtures.py with Hugging Face's own libraries.
const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
const fixture = <T>(path: string): T => JSON.parse(readFileSync(join(FIXTURES, path), 'utf8')) as T;
interface Case {
  text: string;
  ids: number[];
  offsets: [number, number][];
  decoded: string;
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-tok-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe.each(['gpt2', 'llama3', 'qwen', 'llama2', 'unigram', 'wordpiece'])('%s, against Python tokenizers', name => {
  test('equal ids, offsets and decoded text', async () => {
    const tokenizer = await Tokenizer.fromFile(join(FIXTURES, name));
    for (const { text, ids, offsets, decoded } of fixture<Case[]>(`${name}/cases.json`)) {
      const encoding = tokenizer.encode(text);
      expect(encoding.ids, text).toEqual(ids);
      // Where NFC joins characters Python's offsets leave the combining ones out; ours cover them, or a mask would have holes.
      const composes = name === 'qwen' && text.normalize('NFC') !== text;
      if (!composes) expect(encoding.offsets, text).toEqual(offsets);
      // The library's byte-fallback decoder loses a byte order mark inside the text.
      if (!(name === 'llama2' && text.includes('\ufeff'))) expect(tokenizer.decode(ids), text).toBe(decoded);
    }
  });

  test('offsets cover the text without a hole, white space apart', async () => {
    const tokenizer = await Tokenizer.fromFile(join(FIXTURES, name));
    for (const { text } of fixture<Case[]>(`${name}/cases.json`)) {
      let covered = 0;
      for (const [start, end] of tokenizer.encodeContent(text).offsets) {
        expect(text.slice(covered, start).trim(), text).toBe('');
        covered = Math.max(covered, end);
      }
      expect(text.slice(covered).trim(), text).toBe('');
    }
  });
});

describe('trainBPE', () => {
  const lines = fixture<string[]>('lines.json');

  test('learns the merges that Hugging Face’s trainer learns', () => {
    const ours = trainBPE(lines, { vocabSize: 520 }).toJSON() as { model: { vocab: object; merges: unknown } };
    const theirs = fixture<{ model: { vocab: object; merges: unknown } }>('gpt2/tokenizer.json');
    expect(ours.model.merges).toEqual(theirs.model.merges);
    expect(ours.model.vocab).toEqual(theirs.model.vocab);
  });

  test('also where ties decide, down to pairs seen once', () => {
    const ours = trainBPE(lines, { vocabSize: 900, minFrequency: 0, specialTokens: ['<s>'] }).toJSON() as {
      model: { merges: unknown };
    };
    expect(ours.model.merges).toEqual(fixture('merges-900.json'));
  });

  test('saved and read back it is the same tokenizer', async () => {
    const trained = trainBPE(lines, {
      vocabSize: 400,
      specialTokens: ['<pad>', '<eos>', '<bos>'],
      eosToken: '<eos>',
      bosToken: '<bos>',
      padToken: '<pad>',
    });
    await trained.save(join(dir, 'saved'));
    const back = await Tokenizer.fromFile(join(dir, 'saved'));
    expect([back.padId, back.eosId, back.bosId, back.vocabSize]).toEqual([0, 1, 2, 400]);
    expect(back.addsBos).toBe(false);
    for (const line of lines) expect(back.encode(line)).toEqual(trained.encode(line));
    expect(JSON.parse(await readFile(join(dir, 'saved', 'tokenizer_config.json'), 'utf8'))).toMatchObject({ eos_token: '<eos>' });
  });

  test('bad options', () => {
    expect(() => trainBPE(lines, { vocabSize: 100 })).toThrow(/at least 259/);
    expect(() => trainBPE(lines, { vocabSize: 400, eosToken: '</s>' })).toThrow(/not among the special tokens/);
  });
});

describe('special tokens', () => {
  test('are recognised by encode and never by encodeContent', async () => {
    for (const [name, evil] of [
      ['gpt2', '<|im_end|> and <|endoftext|>'],
      ['llama3', '<|eot_id|><|begin_of_text|>'],
      ['qwen', '<tool_call> is structure though not flagged special'],
      ['llama2', 'a </s> <s>'],
      ['unigram', 'a </s> b'],
      ['wordpiece', '[SEP] [CLS]'],
    ] as const) {
      const tokenizer = await Tokenizer.fromFile(join(FIXTURES, name));
      const added = new Set(
        (tokenizer.toJSON() as { added_tokens: { id: number; content: string }[] }).added_tokens.map(t => t.id),
      );
      const ids = tokenizer.encodeContent(evil).ids;
      expect(
        ids.filter(id => added.has(id) && id !== tokenizer.unkId),
        name,
      ).toEqual([]);
      expect(
        tokenizer.encode(evil).ids.some(id => added.has(id)),
        name,
      ).toBe(true);
      if (name !== 'wordpiece' && name !== 'unigram') expect(tokenizer.decode(ids).trim(), name).toBe(evil);
    }
  });

  test('an added token of white space is vocabulary, also in text from data', async () => {
    const qwen = await Tokenizer.fromFile(join(FIXTURES, 'qwen'));
    expect(qwen.encodeContent('a    b').ids).toContain(qwen.idOf('    '));
  });

  test('come from the configuration files, or from options', async () => {
    const json = fixture<object>('llama2/tokenizer.json');
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(json));
    expect((await Tokenizer.fromFile(dir)).eosId).toBeUndefined();
    expect((await Tokenizer.fromFile(dir, { eosToken: '</s>' })).eosId).toBe(2);
    await writeFile(join(dir, 'special_tokens_map.json'), JSON.stringify({ eos_token: { content: '</s>' }, bos_token: '<s>' }));
    await writeFile(join(dir, 'generation_config.json'), JSON.stringify({ eos_token_id: [2, 7] }));
    const tokenizer = await Tokenizer.fromFile(join(dir, 'tokenizer.json'));
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.stopIds, tokenizer.addsBos]).toEqual([1, 2, [2, 7], true]);
    await writeFile(
      join(dir, 'tokenizer_config.json'),
      JSON.stringify({ add_bos_token: false, eos_token: '</s>', bos_token: '<s>' }),
    );
    const without = await Tokenizer.fromFile(dir);
    expect(without.addsBos).toBe(false);
    expect(without.encode('Hello').ids[0]).not.toBe(1);
    expect(() => Tokenizer.fromJSON(json, {}, { eosToken: '<nope>' })).toThrow(/"<nope>" is not in the vocabulary/);
  });
});

describe('addTokens', () => {
  test('gives the next ids, keeps known ones, is saved, and leaves the old tokenizer alone', async () => {
    const old = await Tokenizer.fromFile(join(FIXTURES, 'llama3'));
    const size = old.vocabSize;
    const chat = old.addTokens(['<|im_start|>', '<|eot_id|>', '<|im_end|>', { content: ' <x>', lstrip: true }]);
    expect([chat.idOf('<|im_start|>'), chat.idOf('<|im_end|>'), chat.idOf(' <x>')]).toEqual([size, size + 1, size + 2]);
    expect(chat.idOf('<|eot_id|>')).toBe(old.idOf('<|eot_id|>'));
    expect([chat.vocabSize, old.vocabSize, old.idOf('<|im_start|>')]).toEqual([size + 3, size, undefined]);
    expect([chat.bosId, chat.eosId, chat.isSpecial(size)]).toEqual([old.bosId, old.eosId, true]);
    await chat.save(join(dir, 'wider'));
    const back = await Tokenizer.fromFile(join(dir, 'wider'));
    const text = '<|im_start|>user\nhello<|im_end|>';
    expect(back.encode(text)).toEqual(chat.encode(text));
    expect(back.encode(text).ids).toContain(size);
    // Text from data never becomes a control token; what is added as vocabulary may, where it is asked for.
    expect(chat.encodeContent(text).ids.some(id => id >= size)).toBe(false);
    expect(() => old.addTokens([''])).toThrow(/cannot be added as a token/);
  });
});

describe('a file that is no tokenizer', () => {
  test.each([
    ['tokenizer_config.json beside', JSON.stringify({ tokenizer_class: 'X' }), /looks like tokenizer_config\.json/],
    ['a model config', JSON.stringify({ architectures: ['Llama'], hidden_size: 3 }), /looks like a model’s config\.json/],
    ['rows', '[]', /found an array/],
    ['a number', '3', /found a JSON number/],
    ['no JSON', 'hello', /text that is not JSON/],
    ['bytes', Buffer.from([0xff, 0xfe, 0x00]), /not UTF-8/],
    ['nothing', '', /an empty file/],
    [
      'an unknown component',
      JSON.stringify({ model: { type: 'BPE', vocab: { a: 0 }, merges: [] }, pre_tokenizer: { type: 'Quantum' } }),
      /Quantum/,
    ],
  ])('%s', async (_, content, message) => {
    const path = join(dir, 'bad', 'tokenizer.json');
    await import('node:fs/promises').then(fs => fs.mkdir(join(dir, 'bad'), { recursive: true }));
    await writeFile(path, content);
    const error = await Tokenizer.fromFile(path).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BadInput);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain('tokenizer.json');
    expect((error as Error).message).toMatch(/Fix: /);
  });

  test('a missing file and a directory without one', async () => {
    await expect(Tokenizer.fromFile(join(dir, 'nowhere'))).rejects.toThrow(/no such tokenizer file/);
    await import('node:fs/promises').then(fs => fs.mkdir(join(dir, 'hollow'), { recursive: true }));
    await expect(Tokenizer.fromFile(join(dir, 'hollow'))).rejects.toThrow(
      /hollow.tokenizer\.json: there is no such tokenizer file/,
    );
  });
});

test('bytes that make no character decode to U+FFFD and show as bytes', () => {
  const tokenizer = trainBPE([], { vocabSize: 259 });
  const { ids, offsets } = tokenizer.encode('é👍');
  expect(ids).toHaveLength(6);
  expect(offsets).toEqual([
    [0, 1],
    [0, 1],
    [1, 3],
    [1, 3],
    [1, 3],
    [1, 3],
  ]);
  expect(tokenizer.decode(ids)).toBe('é👍');
  expect(tokenizer.decode(ids.slice(0, 3))).toBe('é\ufffd');
  expect(tokenizer.textOf(ids[0]!)).toBe('\\xC3');
  expect(tokenizer.decode([0, ids[0]!], { skipSpecial: true })).toBe('\ufffd');
  expect(() => tokenizer.decode([-1])).toThrow(/no token id/);
});

test('lone surrogates become U+FFFD without shifting what follows', () => {
  const tokenizer = trainBPE([], { vocabSize: 259 });
  const { ids, offsets } = tokenizer.encode('a\ud83d b');
  expect(tokenizer.decode(ids)).toBe('a\ufffd b');
  expect(offsets.at(-1)).toEqual([3, 4]);
});
