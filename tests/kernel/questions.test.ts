import { describe, expect, it } from 'vitest';
import type { Answer, Question } from '../../src/kernel/channel.js';
import { Questions } from '../../src/kernel/questions.js';
import type { Message } from '../../src/kernel/wire.js';

const message = (type: string, content: object, parent = {}, from = 'front'): Message =>
  ({
    identities: [Buffer.from(from)],
    header: { msg_type: type, msg_id: 'm' },
    parent,
    metadata: {},
    content,
    buffers: [],
  }) as never;
const cell = (allow: unknown = true) => message('execute_request', { allow_stdin: allow });
const question = (number: number, blocking = false): Question => ({
  question: number,
  prompt: `q${number}`,
  password: false,
  blocking,
});

function desk() {
  const asked: string[] = [];
  const answers: [number, Answer][] = [];
  const questions = new Questions({
    ask: (_, { prompt }) => `id of ${asked.push(prompt)}`,
    answer: (each, answer) => answers.push([each.question, answer]),
  });
  return { questions, asked, answers };
}

describe('questions of a cell', () => {
  it('are asked one at a time, in order, and answered by the front end that sent the cell', () => {
    const { questions, asked, answers } = desk();
    questions.begin(cell());
    questions.add(question(1));
    questions.add(question(2, true));
    expect(asked).toEqual(['q1']);
    questions.receive(message('input_reply', { value: 'not mine' }, {}, 'another'));
    questions.receive(message('input_reply', { value: 'late' }, { msg_id: 'an older question' }));
    expect(answers).toEqual([]);
    questions.receive(message('input_reply', { value: 'one' }, { msg_id: 'id of 1' }));
    expect(asked).toEqual(['q1', 'q2']);
    questions.receive(message('input_reply', { value: 'two' }));
    questions.receive(message('input_reply', { value: 'nobody asked' }));
    expect(answers).toEqual([
      [1, { question: 1, value: 'one' }],
      [2, { question: 2, value: 'two' }],
    ]);
  });

  it('are refused with the reason where nobody can be asked', () => {
    const { questions, asked, answers } = desk();
    questions.add(question(1));
    for (const allow of [false, null, 'yes']) {
      questions.begin(cell(allow));
      questions.add(question(2));
      questions.end();
    }
    expect(asked).toEqual([]);
    expect(answers.map(([, answer]) => ('refusal' in answer ? answer.refusal : ''))).toEqual([
      expect.stringMatching(/no cell is running/),
      ...Array(3).fill(expect.stringMatching(/allow_stdin/)),
    ]);
  });

  it('end with an interrupt, with their cell, and with a dismissal', () => {
    const { questions, asked, answers } = desk();
    questions.begin(cell());
    questions.add(question(1));
    questions.add(question(2));
    questions.interrupt();
    questions.add(question(3));
    questions.receive(message('input_reply', { status: 'error' }));
    questions.add(question(4));
    questions.end();
    expect(asked).toEqual(['q1', 'q3', 'q4']);
    expect(answers.map(([number, answer]) => [number, 'refusal' in answer && answer.refusal])).toEqual([
      [1, 'interrupted'],
      [2, 'interrupted'],
      [3, 'the question was dismissed'],
      [4, 'the cell has ended'],
    ]);
  });

  it('of a process that died are forgotten', () => {
    const { questions, asked, answers } = desk();
    questions.begin(cell());
    questions.add(question(1));
    questions.forget();
    questions.receive(message('input_reply', { value: 'too late' }));
    questions.add(question(1));
    expect(asked).toEqual(['q1', 'q1']);
    expect(answers).toEqual([]);
  });
});
