import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Interrupted, type MimeBundle, setHost, viewOf } from '../../../src/base/core/index.js';
import { init, load, type Model, type Reply, textGenerator } from '../../../src/learn/models/index.js';
import { fromJinja } from '../../../src/prepare/templates/index.js';
import { encodePrompt } from '../../../src/prepare/tokens/index.js';
import { toFigure } from '../../../src/show/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { Scripted, tokenizer } from './scripted.js';

const END = tokenizer.idOf('<|im_end|>')!;
const said = (text: string) => tokenizer.encodeContent(text).ids;

beforeAll(async () => {
  await use('wasm');
});
afterEach(() => setHost(undefined));

describe('a reply', () => {
  it('ends at the template’s stop token and joins the conversation', async () => {
    const scripted = new Scripted([...said('hello fox'), END, ...said('never said')]);
    const asked = [
      { role: 'system' as const, content: 'be quick' },
      { role: 'user' as const, content: 'the fox' },
    ];
    const reply = await scripted.chat(asked);
    expect(reply.text).toBe('hello fox');
    expect(reply.message).toEqual({ role: 'assistant', content: 'hello fox' });
    expect(reply.finish).toBe('stop');
    expect(reply.ids).toEqual([...said('hello fox'), END]);
    expect(reply.conversation).toEqual([...asked, reply.message]);
    expect(asked).toHaveLength(2);
    expect(scripted.asked).toEqual([encodePrompt(asked, { tokenizer, template: 'chatml' })]);
    expect(reply.promptIds).toEqual(scripted.asked[0]);

    const next = await reply.ask('and?');
    expect(next.conversation.map(m => m.role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant']);
    expect(scripted.asked[1]).toEqual(encodePrompt(next.conversation.slice(0, -1), { tokenizer, template: 'chatml' }));
  });

  it('ends at the model’s own stop token, at stop strings, and at the length allowed', async () => {
    const eos = await new Scripted([...said('hello'), 0, ...said(' more')]).chat('x');
    expect([eos.text, eos.finish]).toEqual(['hello', 'stop']);
    const string = await new Scripted(said('the quick brown fox ')).chat('x', { stopStrings: ['brown'] });
    expect([string.text, string.finish]).toEqual(['the quick ', 'stop']);
    const length = await new Scripted(said('fox ')).chat('x', { maxNewTokens: 5 });
    expect([length.ids.length, length.finish]).toEqual([5, 'length']);
  });

  it('is not begun for a message without words', () => {
    const scripted = new Scripted(said('fox'));
    for (const content of [undefined, null, 5])
      expect(() => scripted.chat([{ role: 'user', content } as never])).toThrow(/Message 0 cannot be asked/);
    expect(() => scripted.chat(['Hello'] as never)).toThrow(/Message 0/);
  });

  it('ends at the text that ends a turn, where the tokenizer has no token for it', async () => {
    const source =
      '{% for m in messages %}{{ m.role }}: {{ m.content }} [END]\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';
    const template = fromJinja(source);
    const scripted = new Scripted(said('the fox [END]\nuser: '));
    const reply = await scripted.chat('x', { template });
    expect([reply.text.trim(), reply.finish]).toEqual(['the fox', 'stop']);
    expect(tokenizer.decode(reply.promptIds)).toBe('user: x [END]\nassistant: ');
    const [text] = await textGenerator(scripted.model, { tokenizer, template }).generate(['x']);
    expect([text!.text.trim(), text!.finish]).toEqual(['the fox', 'stop']);
  });

  it('comes piece by piece, with whole characters, and says the same', async () => {
    const text = 'hello 🦊 – fox';
    const scripted = new Scripted([...said(text), END]);
    const pieces: string[] = [];
    const heard: number[] = [];
    const writing = scripted.chat('x', { onToken: piece => heard.push(piece.token) });
    for await (const piece of writing) {
      expect(piece.text).not.toContain('\ufffd');
      pieces.push(piece.text);
      expect(writing.text).toBe(pieces.join(''));
    }
    expect(pieces.join('')).toBe(text);
    const reply = await writing;
    expect(reply.text).toBe(text);
    expect(heard).toEqual(reply.ids);
    expect((await writing) === reply).toBe(true);
    expect(() => writing[Symbol.asyncIterator]()).toThrow(/read already/);
  });

  it('a loop that is left and an aborted signal end it; nothing is left behind', async () => {
    const scripted = new Scripted(said('fox '));
    const left = scripted.chat('x');
    for await (const _ of left) break;
    expect(scripted.open).toBe(0);
    await expect(left).rejects.toThrow(Interrupted);

    const controller = new AbortController();
    let heard = 0;
    const aborted = scripted.chat('x', {
      signal: controller.signal,
      onToken: () => {
        if (++heard === 4) controller.abort();
      },
    });
    await expect(aborted).rejects.toThrow(Interrupted);
    expect(heard).toBe(4);
    expect(aborted.text.startsWith('fox ')).toBe(true);
    expect(scripted.open).toBe(0);
    expect(viewOf(aborted)).toMatchObject({ data: { writing: false, note: 'stopped' } });
  });

  it('a prompt longer than the context and unknown tokens are told, and the model goes on', async () => {
    const scripted = new Scripted([...said('fox'), END], { context: 40 });
    await expect(scripted.chat('the quick brown fox '.repeat(30))).rejects.toThrow(
      /longer than the model’s context.*at most 40 tokens/,
    );
    expect((await scripted.chat('fox')).text).toBe('fox');
    await expect(new Scripted([1], { vocabSize: 50 }).chat('fox')).rejects.toThrow(/tokens that the model does not know/);
    for (const nothing of [[], { messages: [] }, undefined as never, 3 as never])
      expect(() => scripted.chat(nothing)).toThrow(/nothing to reply to/);
    expect(() => scripted.chat([{ role: 'assistant', content: 'I' }])).toThrow(/assistant’s already/);
  });

  it('goes to standard output when asked, and only then', async () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await new Scripted([...said('hello fox'), END]).chat('x');
      expect(write).not.toHaveBeenCalled();
      await new Scripted([...said('hello fox'), END]).chat('x', { print: true });
      expect(write.mock.calls.map(call => call[0]).join('')).toBe('hello fox\n');
    } finally {
      write.mockRestore();
    }
  });
});

describe('a reply in a notebook', () => {
  interface Shown {
    bundle: MimeBundle;
    displayId?: string;
    update?: boolean;
  }
  function notebook(signal = new AbortController().signal): Shown[] {
    const shown: Shown[] = [];
    setHost({
      name: 'tunebook',
      display: (bundle, options = {}) => shown.push({ bundle, ...options }),
      clear: () => {},
      signal,
      shield: section => section(),
    });
    return shown;
  }

  it('is shown as it is written, in one place, at most four times a second, and in the end as it is', async () => {
    const shown = notebook();
    const script = Array.from({ length: 30 }, () => said('the quick <b>fox</b> ')).flat();
    const scripted = new Scripted([...script, END]);
    const started = performance.now();
    const reply = await scripted.chat('<i>hello</i>', { maxNewTokens: 10_000 });
    const elapsed = performance.now() - started;
    expect(reply.ids.length).toBeGreaterThan(100);
    expect(shown.length).toBeGreaterThanOrEqual(2);
    expect(shown.length).toBeLessThanOrEqual(3 + elapsed / 250);
    expect(new Set(shown.map(each => each.displayId)).size).toBe(1);
    expect(shown.map(each => each.update)).toEqual([false, ...shown.slice(1).map(() => true)]);
    const first = shown[0]!.bundle['text/html'] as string;
    expect(first).toContain('&lt;i&gt;hello&lt;/i&gt;');
    const last = shown.at(-1)!.bundle;
    expect(last['text/html']).toContain('the quick &lt;b&gt;fox&lt;/b&gt;');
    expect(last['text/html']).not.toContain('▍');
    expect(last['text/plain']).toContain(reply.text.trimEnd());
    // As the value of that cell only what is not there yet; in another cell all of it.
    expect(toFigure(reply)!.text).toBe(reply.note);
    notebook();
    expect(toFigure(reply)!.text).toContain('<i>hello</i>');
  });

  it('is not shown when it is read in a loop, or when display is off', async () => {
    const shown = notebook();
    const scripted = new Scripted([...said('fox'), END]);
    const pieces = [];
    for await (const piece of scripted.chat('x')) pieces.push(piece);
    const reply = await scripted.chat('x', { display: false });
    expect(shown).toEqual([]);
    expect(toFigure(reply)!.text).toContain('assistant  fox');
  });

  it('an interrupted cell ends it, even though its timers are gone', async () => {
    const controller = new AbortController();
    const shown = notebook(controller.signal);
    const scripted = new Scripted(said('fox '));
    const real = globalThis.setImmediate;
    let turns = 0;
    // What the kernel does: the signal is aborted, and what the cell waits for never comes.
    vi.stubGlobal('setImmediate', (...args: Parameters<typeof setImmediate>) => {
      if (++turns < 5) return real(...args);
      return real(() => controller.abort());
    });
    try {
      await expect(scripted.chat('x')).rejects.toThrow(Interrupted);
    } finally {
      vi.unstubAllGlobals();
    }
    expect(scripted.open).toBe(0);
    expect(shown.at(-1)!.bundle['text/plain']).toMatch(/fox[^▍]*\nstopped$/);
  });
});

describe('a model and its directory', () => {
  const JINJA =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  let folder: string;
  let made: Model;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tunebook-chat-'));
    made = init(
      { vocabSize: tokenizer.vocabSize, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 4 },
      { seed: 3 },
    );
    await made.save(folder);
  });
  afterAll(async () => {
    made.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it('tokenizer and chat template are found there, and their absence is told', async () => {
    expect(made.directory).toBeUndefined();
    await expect(made.chat('x')).rejects.toThrow(/without a tokenizer/);
    const model = await load(folder);
    expect(model.directory).toBe(folder);
    await expect(model.chat('x')).rejects.toThrow(/without a tokenizer.*tokenizer\.json/);
    await tokenizer.save(folder);
    await expect(model.chat('x')).rejects.toThrow(/chat template/);
    await writeFile(join(folder, 'chat_template.jinja'), JINJA);
    const reply = await model.chat('the fox', { maxNewTokens: 12 });
    const given = await made.chat('the fox', { maxNewTokens: 12, tokenizer, template: 'chatml' });
    expect(reply.promptIds).toEqual(given.promptIds);
    expect(reply.ids).toEqual(given.ids);
    expect(reply.text).toBe(tokenizer.decode(reply.ids, { skipSpecial: true }));
    model.dispose();
  });

  it('says what generate says, greedy and sampled, with log-probabilities, and leaves no tensor behind', async () => {
    const options = { tokenizer, template: 'chatml', maxNewTokens: 9 };
    for (const sampling of [{}, { temperature: 1, seed: 5, logProbs: true }]) {
      const { ids, newTokens, logProbs } = await made.generate(
        [encodePrompt([{ role: 'user', content: 'the fox' }], { tokenizer, template: 'chatml' })],
        { maxNewTokens: 9, stopIds: [END, 0], ...sampling },
      );
      const reply: Reply = await made.chat('the fox', { ...options, ...sampling });
      expect(reply.ids).toEqual(ids[0]!.slice(-newTokens[0]!));
      expect(reply.logProbs).toEqual(logProbs?.[0]);
    }
    expect(await leftBehind(() => made.chat('fox', options))).toEqual(NOTHING);
    expect(
      await leftBehind(async () => {
        for await (const _ of made.chat('fox', options)) break;
      }),
    ).toEqual(NOTHING);
    expect(await leftBehind(() => made.chat('fox '.repeat(3000), options).then(undefined, () => {}))).toEqual(NOTHING);
    expect(tf.memory().numTensors).toBeGreaterThan(0);
  });
});

describe('a model as a text generator', () => {
  it('answers prompts in their order, with a template as messages, without one as they are', async () => {
    const scripted = new Scripted([...said('hello fox'), END, 0]);
    const answers = await textGenerator(scripted.model, { tokenizer, template: 'chatml' }).generate(['a', 'quick brown']);
    expect(answers).toEqual([0, 1].map(() => ({ text: 'hello fox', finish: 'stop', tokens: said('hello fox').length + 1 })));
    const prompts = ['a', 'quick brown'].map(content =>
      encodePrompt([{ role: 'user', content }], { tokenizer, template: 'chatml' }),
    );
    expect(scripted.asked).toEqual(expect.arrayContaining(prompts));
    const bare = new Scripted(said('fox and fox and '));
    const [text] = await textGenerator(bare.model, { tokenizer }).generate(['the'], { maxNewTokens: 50, stop: [' and'] });
    expect(text).toMatchObject({ text: 'fox', finish: 'stop' });
    expect(bare.asked).toEqual([said('the')]);
    const [short] = await textGenerator(bare.model, { tokenizer }).generate(['the'], { maxNewTokens: 3 });
    expect(short).toMatchObject({ finish: 'length', tokens: 3 });
    expect([scripted.open, bare.open]).toEqual([0, 0]);
    await expect(textGenerator(bare.model, { tokenizer, template: 'auto' }).generate(['x'])).rejects.toThrow(/chat template/);
  });
});
