import { describe, expect, it } from 'vitest';
import { VIEW } from '../../src/base/core/index.js';
import { ansiKey, type TokenCell, tokens, tokensAnsi, tokensText } from '../../src/show/index.js';
import { tokenView } from './examples.js';

const token = (text: string, rest: Partial<TokenCell> = {}): TokenCell => ({
  text,
  id: 1,
  role: 'user',
  control: false,
  trained: false,
  ...rest,
});

describe('the token mask', () => {
  it('reads in a terminal', () => {
    expect(tokens(tokenView()).text).toBe(
      [
        'Which tokens carry loss   [template] (masked) «trained»',
        '[<|im_start|>](user↵',
        'Name the capital of France.)[<|im_end|>](↵',
        ')[<|im_start|>](assistant↵',
        ')«The capital of France is Paris.<|im_end|>»',
        '8 of 22 tokens are trained (36 %), mean loss 0.8163 nats.',
      ].join('\n'),
    );
  });

  it('has colours for a terminal, two shades in turn, with white space visible and every style closed at the line end', () => {
    const ansi = tokensAnsi({
      tokens: [token('a b\n'), token('x', { trained: true, loss: 1 }), token('<s>', { control: true }), token('\t')],
    });
    expect(ansi).toBe(
      '\u001b[38;5;242ma·b↵\u001b[0m\n\u001b[30;48;5;33mx\u001b[0m\u001b[35m<s>\u001b[0m\u001b[38;5;247m→\u001b[0m\n' +
        '1 of 4 tokens are trained (25 %), mean loss 1 nats.',
    );
  });

  it('has three strengths of blue for a terminal, by weight and by loss', () => {
    const blues = (...cells: Partial<TokenCell>[]) =>
      [
        ...tokensAnsi({ tokens: cells.flatMap(cell => [token('x', { trained: true, ...cell }), token('')]) }).matchAll(
          /48;5;(\d+)m/g,
        ),
      ].map(m => Number(m[1]));
    expect(blues({ weight: 1 }, { weight: 0.5 }, { weight: 0.1 })).toEqual([39, 117, 195]);
    expect(blues({ loss: 2 }, { loss: 1 }, { loss: 0 })).toEqual([39, 117, 195]);
    expect(blues({ weight: 0.1, loss: 2 }, { weight: 1, loss: 2 })).toEqual([195, 39]);
    expect(ansiKey({ tokens: [token('x', { trained: true, weight: 0.1 }), token('y', { trained: true })] })).toContain(
      '\u001b[30;48;5;195mtrained, weight 0.1\u001b[0m \u001b[30;48;5;39mweight 1\u001b[0m',
    );
  });

  it('names weights in plain text, and where tokens meet when asked', () => {
    const view = {
      tokens: [
        token('<s>', { control: true }),
        token('a ', { trained: true, weight: 0.5 }),
        token('b\n', { trained: true, weight: 0.5 }),
        token('c', { trained: true }),
      ],
    };
    expect(tokensText(view)).toMatch(/^\[<s>\]«0\.5×a b↵\n»«c»\n3 of 4 tokens/);
    expect(tokensText(view, { boundaries: true })).toMatch(/^\[<s>\]«0\.5×a ¦b↵\n»«c»\n/);
    expect(tokens(view).alt).toBe('3 of 4 tokens are trained (75 %), with weight 0.5 to 1.');
  });

  it('says which weights the colours stand for', () => {
    const { html } = tokens({ tokens: [token('a', { trained: true, weight: 0.1 }), token('b', { trained: true })] });
    const legend = html!.slice(html!.indexOf('tb-legend"'));
    expect(legend).toContain('rgba(31,132,196,0.07);border-bottom:2px dotted #1f84c4"><b>trained, weight 0.1</b>');
    expect(legend).toContain('rgba(31,132,196,0.70);border-bottom:2px solid #1f84c4"><b>trained, weight 1</b>');
    expect(tokens({ tokens: [token('a', { trained: true })] }).html).not.toContain('weight 1');
  });

  it('shows what describes itself as tokens, and refuses what does not', () => {
    const row = { [VIEW]: () => ({ kind: 'tokens', data: tokenView() }) };
    expect(tokens(row)).toEqual(tokens(tokenView()));
    expect(tokens([row, tokenView()]).html!.match(/<details/g)).toHaveLength(2);
    expect(() => tokens({ messages: [] })).toThrow(/no tokens to show.*tokens\.encode/s);
  });

  it('has one span a token, that says id, role, mask, label, weight and loss', () => {
    const { html } = tokens({
      tokens: [
        token(' hi', { id: 7, role: 'assistant', trained: true, label: 7, weight: 0.5, loss: 1.25 }),
        token('\n', { id: 8, label: -100 }),
      ],
    });
    const titles = [...html!.matchAll(/tabindex="0"[^>]*title="([^"]*)"/g)].map(m => m[1]);
    expect(titles).toEqual([
      '“·hi”, id 7, position 0, role assistant, trained, weight 0.5, label 7, loss 1.25 nats',
      '“↵”, id 8, position 1, role user, not trained, label -100',
    ]);
    expect(html).toContain('<b>·hi</b>');
    expect(html).toContain('↵</span><br>');
  });

  it('colours by loss and by weight', () => {
    const strength = (cells: TokenCell[]) =>
      [...tokens({ tokens: cells }).html!.matchAll(/role="listitem"[^>]*rgba\(31,132,196,([\d.]+)\)/g)].map(m => Number(m[1]));
    const [low, high] = strength([
      token('a', { trained: true, loss: 0.1 }),
      token('b', { trained: true, loss: 3 }),
      token('c', { loss: 9 }),
    ]);
    expect(low).toBeLessThan(high!);
    const [half, whole] = strength([token('a', { trained: true, weight: 0.5 }), token('b', { trained: true })]);
    expect(Math.abs(half! * 2 - whole!)).toBeLessThanOrEqual(0.011);
  });

  it('names what is hidden: controls, zero-width and bidirectional characters, halves of surrogates', () => {
    const { text, html } = tokens({ tokens: [token('a\u001b[31m\u202eb\u200bc\ud800d')] });
    expect(text).toContain('(a␛[31m⟨U+202E⟩b⟨U+200B⟩c\ufffdd)');
    for (const hidden of ['\u001b', '\u202e', '\u200b', '\ud800']) expect(html).not.toContain(hidden);
  });

  it('cuts what nobody reads', () => {
    const long = tokens({ tokens: [token('x'.repeat(100_000)), ...Array.from({ length: 5000 }, () => token('y'))] });
    expect(long.html).toContain('(100,000 characters)');
    expect(long.html).toContain('and 3,501 more tokens');
    expect(long.text.length).toBeLessThan(25_000);
  });

  it('marks where text was cut out', () => {
    const cells = [token('a'), token('b'), token('c')];
    expect(tokens({ tokens: cells, cutAt: 1 }).html).toMatch(/a<\/span><wbr><em class="tb-cut">✂<\/em><span/);
    expect(tokensText({ tokens: cells, cutAt: 1 })).toBe('(a)✂(bc)\n0 of 3 tokens are trained (0 %). Cut (✂) to fit.');
    expect(tokensText({ tokens: cells, cutAt: 3 })).toMatch(/^\(abc\)✂\n/);
    expect(tokensAnsi({ tokens: cells, cutAt: 2 })).toContain('\u001b[0m✂\u001b[');
  });

  it('stands side by side', () => {
    const figure = tokens(
      [
        { title: 'A', tokens: [token('a')] },
        { title: 'B', tokens: [token('b', { trained: true })] },
      ],
      { title: 'Two masks' },
    );
    expect(figure.html!.match(/class="tb-view"/g)).toHaveLength(2);
    expect(figure.html).toContain('<b>B</b> <span class="tb-note">1 of 1 tokens are trained (100 %).</span></summary>');
    expect(figure.text).toContain('A\n(a)\n0 of 1 tokens');
    expect(figure.alt).toBe('A: 0 of 1 tokens are trained (0 %). B: 1 of 1 tokens are trained (100 %).');
  });
});
