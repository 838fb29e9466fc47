import { describe, expect, it } from 'vitest';
import { type TokenCell, tokens, tokensAnsi } from '../../src/show/index.js';
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
        'Which tokens carry loss   [control] (masked) «trained»',
        '[<|im_start|>](user↵',
        'Name the capital of France.)[<|im_end|>](↵',
        ')[<|im_start|>](assistant↵',
        ')«The capital of France is Paris.<|im_end|>»',
        '8 of 22 tokens are trained (36 %), mean loss 0.8163 nats.',
      ].join('\n'),
    );
  });

  it('has colours for a terminal, with white space visible and every style closed at the line end', () => {
    const ansi = tokensAnsi({
      tokens: [token('a b\n'), token('x', { trained: true, loss: 1 }), token('<s>', { control: true })],
    });
    expect(ansi).toBe(
      '\u001b[90ma·b↵\u001b[0m\n\u001b[1;4;33mx\u001b[0m\u001b[35m<s>\u001b[0m\n1 of 3 tokens are trained (33 %), mean loss 1 nats.',
    );
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
    expect(html).toContain('↵<br>');
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

  it('stands side by side', () => {
    const figure = tokens(
      [
        { title: 'A', tokens: [token('a')] },
        { title: 'B', tokens: [token('b', { trained: true })] },
      ],
      { title: 'Two masks' },
    );
    expect(figure.html!.match(/class="tb-view"/g)).toHaveLength(2);
    expect(figure.alt).toBe('A: 0 of 1 tokens are trained (0 %). B: 1 of 1 tokens are trained (100 %).');
  });
});
