import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encode, Tokenizer, tokenView } from '../../src/prepare/tokens/index.js';
import { page, type TokenView, tokens } from '../../src/show/index.js';
import { launchBrowser, skipBrowser } from '../helpers/browser.js';
import { tokenView as example } from './examples.js';

const TOKENIZER = fileURLToPath(new URL('../prepare/tokens/fixtures/gpt2', import.meta.url));
const ATTACK =
  '<script>window.__pwned=1</script> <img src=x onerror="window.__pwned=1"> \u202ereversed\u2066 \u200b \ud800 \u001b]0;t\u0007';
// What could turn the text around, hide in it or move a cursor, and halves of surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is looked for
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/;

describe.skipIf(skipBrowser)('the token mask in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  async function open(view: TokenView | TokenView[], scheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const tab = await browser.newPage({ viewport: { width: 900, height: 700 }, colorScheme: scheme });
    await tab.route('**/*', route => route.abort());
    await tab.setContent(await page(tokens(view)));
    return tab;
  }

  it('leaves hostile rows harmless and readable', async () => {
    const tokenizer = await Tokenizer.fromFile(TOKENIZER);
    const messages = [
      { role: 'user' as const, content: ATTACK, input: 'x'.repeat(20_000) },
      { role: 'assistant' as const, content: ATTACK },
    ];
    const row = tokenView(encode(messages, { tokenizer, template: 'chatml' }), { tokenizer, title: ATTACK });
    const huge = { text: `${ATTACK}${'long'.repeat(25_000)}`, id: 1, role: ATTACK, control: false, trained: true };
    const tab = await open([row, { title: 'one token of 100 kB', tokens: [huge] }]);
    await tab.evaluate(() => {
      for (const node of document.querySelectorAll('body *'))
        for (const type of ['mouseover', 'focus', 'error', 'load']) node.dispatchEvent(new Event(type));
    });
    expect(await tab.evaluate(() => (window as { __pwned?: unknown }).__pwned)).toBeUndefined();
    expect(await tab.locator('.tb-tokens script, .tb-tokens img').count()).toBe(0);
    const text = await tab.evaluate(() => {
      const attributes = [...document.querySelectorAll('.tb-tokens *')].flatMap(e => [...e.attributes].map(a => a.value));
      return [document.body.textContent, document.title, ...attributes].join(' ');
    });
    expect(text).not.toMatch(HARMFUL);
    // Read as one, the tokens still say what was written.
    const [first, second] = await tab.locator('.tb-toks').allTextContents();
    expect(first).toContain('<script>window.__pwned=1</script>');
    expect(first).toMatch(/… and [\d,]+ more tokens/);
    expect(second).toContain('⟨U+202E⟩reversed⟨U+2066⟩');
    expect(second).toMatch(/characters\)/);
    // Nothing sticks out of the page.
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
    await tab.close();
  });

  it('is read by keyboard: each token has its words, and a view that is folded is passed by', async () => {
    const tab = await open([
      { ...example(), title: 'A' },
      { ...example(), title: 'B' },
    ]);
    const focused = () => tab.evaluate(() => document.activeElement!.getAttribute('title') ?? document.activeElement!.tagName);
    await tab.keyboard.press('Tab');
    expect(await focused()).toBe('SUMMARY');
    await tab.keyboard.press('Tab');
    expect(await focused()).toBe(
      '“<|im_start|>”, id 100, position 0, role template, special token of the template, not trained, label -100',
    );
    // The same words stand beside the token, drawn over the text and inside the view.
    const tip = await tab.evaluate(() => {
      const style = getComputedStyle(document.activeElement!, '::after');
      return {
        content: style.content,
        position: style.position,
        outline: getComputedStyle(document.activeElement!).outlineStyle,
      };
    });
    expect(tip).toEqual({ content: expect.stringContaining('id 100'), position: 'absolute', outline: 'solid' });
    await tab.keyboard.press('Shift+Tab');
    await tab.keyboard.press('Enter');
    expect(await tab.locator('.tb-toks').first().isVisible()).toBe(false);
    await tab.keyboard.press('Tab');
    expect(await tab.evaluate(() => document.activeElement!.textContent)).toMatch(/^B 8 of 22 tokens/);
    await tab.close();
  });

  it('tells assistive technology what is a list, and what each token is', async () => {
    const tab = await open(example());
    const session = await tab.context().newCDPSession(tab);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const named = (role: string) => nodes.filter(node => node.role?.value === role).map(node => String(node.name?.value ?? ''));
    expect(named('list')).toEqual(['8 of 22 tokens are trained (36 %), mean loss 0.8163 nats.']);
    const items = named('listitem');
    expect(items).toHaveLength(22);
    expect(items[19]).toBe('“·Paris”, id 119, position 19, role assistant, trained, label 119, loss 2.7 nats');
    await tab.close();
  });

  it.each(['light', 'dark'] as const)('has contrast in %s', async scheme => {
    const tab = await open({ tokens: example().tokens.map((t, i) => ({ ...t, weight: i % 2 ? 1 : 0.1, loss: 3 })) }, scheme);
    const ratios = await tab.evaluate(() => {
      const parse = (color: string) => {
        const [r = 0, g = 0, b = 0, a = 1] = color.match(/[\d.]+/g)!.map(Number);
        return { rgb: [r, g, b], a };
      };
      const luminance = (rgb: number[]) => {
        const [r, g, b] = rgb.map(c => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const paper = parse(getComputedStyle(document.querySelector('.tb-toks')!).backgroundColor).rgb;
      return [...document.querySelectorAll('.tb-tokens .tb-tok')].map(token => {
        const style = getComputedStyle(token);
        const over = parse(style.backgroundColor);
        const back = over.rgb.map((c, i) => over.a * c + (1 - over.a) * paper[i]!);
        const [x, y] = [luminance(back), luminance(parse(style.color).rgb)];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
      });
    });
    // WCAG 2.2 AA for text.
    expect(ratios.length).toBeGreaterThan(22);
    expect(Math.min(...ratios)).toBeGreaterThanOrEqual(4.5);
    await tab.close();
  });
});
