/**
 * Rows of the form of Alpaca's, made up: questions on numbers, words and lists with short and long answers. They stand in where
 * no --data is given, so that the bench runs anywhere; lengths and label share are near those of real instruction data.
 */
export function alpacaLike(Random, count = 1000) {
  const random = new Random('bench/alpaca-like');
  const syllables =
    'ba be bi bo da de di do fa fe ga go ka ke ki la le li lo ma me mi mo na ne no pa pe ra re ri ro sa se si so ta te ti to va vi wa ze'.split(
      ' ',
    );
  const words = Array.from({ length: 900 }, () =>
    Array.from({ length: 2 + random.int(3) }, () => random.pick(syllables)).join(''),
  );
  const some = n => Array.from({ length: n }, () => random.pick(words));
  const sentence = () => {
    const text = some(5 + random.int(9)).join(' ');
    return `${text[0].toUpperCase()}${text.slice(1)}.`;
  };
  const paragraph = n => Array.from({ length: n }, sentence).join(' ');
  const kinds = [
    () => {
      const [a, b] = [random.int(900), random.int(900)];
      return { instruction: `Add ${a} and ${b}.`, input: '', output: `${a} + ${b} = ${a + b}.` };
    },
    () => {
      const list = some(3 + random.int(6));
      return { instruction: 'Sort these words by the alphabet.', input: list.join(', '), output: list.toSorted().join(', ') };
    },
    () => {
      const text = paragraph(1 + random.int(2));
      return { instruction: 'Rewrite the sentence in capital letters.', input: text, output: text.toUpperCase() };
    },
    () => ({
      instruction: `Explain what ${random.pick(words)} means to a child.`,
      input: '',
      output: paragraph(1 + random.int(3)),
    }),
    () => ({ instruction: 'Summarise the passage in one sentence.', input: paragraph(2 + random.int(4)), output: sentence() }),
  ];
  return Array.from({ length: count }, () => random.pick(kinds)());
}
