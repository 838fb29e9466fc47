/**
 * As many Alpaca-format rows as asked for from the few a file has, each different: instruction, input and output of different
 * rows, and every twentieth word made up, because a tokenizer remembers words and real data has ever new ones.
 */
export function multiply(rows, count, Random) {
  const random = new Random('bench/encode');
  const syllables = 'ba con de ex fi ger ho in ja ka lor men no os per qua ri sta tu un ver wil xy za ing ed tion'.split(' ');
  const invent = word => {
    if (word.length < 3 || random.int(20) > 0) return word;
    return Array.from({ length: 2 + random.int(3) }, () => random.pick(syllables)).join('');
  };
  const vary = text => text.split(' ').map(invent).join(' ');
  return Array.from({ length: count }, (_, i) => {
    if (i < rows.length) return rows[i];
    const { instruction, input } = rows[i % rows.length];
    return { instruction: vary(instruction), input: vary(input ?? ''), output: vary(random.pick(rows).output) };
  });
}
