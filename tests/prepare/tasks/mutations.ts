import type { CheckerSpec, SuiteRow } from '../../../src/prepare/tasks/index.js';

const REFUSAL = 'sorry, i cannot help with that.';
const fold = (text: string) => text.toLowerCase().replace(/\s+/g, ' ').replace(/\.$/, '').trim();
const sorted = (text: string) => fold(text).split(' ').sort().join(' ');

export const answerOf = (row: SuiteRow): string => row.messages.at(-1)!.content;
const promptOf = (row: SuiteRow): string => row.messages.at(-2)!.content;

/** The reference and other forms of it that must be right as well. */
export function rightForms(row: SuiteRow): string[] {
  const answer = answerOf(row);
  const forms = [answer, ` ${answer}\n`, answer.replace(/\.$/, '')];
  const spec = row.checker!;
  if (!['json', 'tool'].includes(spec.kind)) forms.push(answer.toUpperCase());
  return [...forms, ...formsOf(spec, answer)];
}

function formsOf(spec: CheckerSpec, answer: string): string[] {
  switch (spec.kind) {
    case 'exact':
      return [...spec.answers, `the answer is ${answer}`, `Answer: ${answer}.`, `"${answer}"`];
    case 'choice':
      return [`it is ${answer}`, `The answer is ${answer}.`, `${answer}.`];
    case 'number':
      return [
        `the answer is ${answer}`,
        `${answer}.`,
        ...(spec.value >= 0 && spec.value < 3 ? [['zero', 'one', 'two'][spec.value]!] : []),
      ];
    case 'list': {
      if (spec.items.length === 0) return ['nothing'];
      const items = spec.ordered ? [spec.items] : [spec.items, spec.items.toReversed()];
      return items.flatMap(i => [
        i.join(', '),
        i.join('\n'),
        `- ${i.join('\n- ')}`,
        `[${i.join(', ')}]`,
        i.join(' and '),
        `the answer is ${i.join(' ')}.`,
      ]);
    }
    case 'json':
      return jsonForms(Object.fromEntries(Object.entries(spec.fields).reverse()));
    case 'tool':
      return [...jsonForms({ arguments: spec.arguments, name: spec.name }), `<tool_call>\n${answer}\n</tool_call>`];
    case 'final': {
      const last = answer.slice(answer.indexOf('answer:') + 7).trim();
      return [
        `answer: ${last}`,
        `let us see. the answer is ${last}.`,
        ...formsOf(spec.inner, last).map(form => `so, answer: ${form.replace(/^answer: /i, '')}`),
      ];
    }
    case 'facts':
      return [
        spec.facts.map(fact => fact.any[0]).join(', '),
        spec.facts
          .toReversed()
          .map(fact => fact.any.at(-1))
          .join(', '),
      ];
    case 'refusal':
      return spec.inner ? formsOf(spec.inner, answer) : [REFUSAL, 'I can’t help with that.', 'no, i will not do that'];
    case 'grounded':
      return spec.inner ? formsOf(spec.inner, answer) : ['not in the text', "the text doesn't say.", 'I do not know', 'unknown'];
    case 'words':
    case 'shape':
      return [];
  }
}

function jsonForms(value: object): string[] {
  return [JSON.stringify(value), JSON.stringify(value, null, 2), `\`\`\`json\n${JSON.stringify(value)}\n\`\`\``];
}

/** The checker of what is said, without what is around it. */
export function innermost(spec: CheckerSpec): CheckerSpec {
  return 'inner' in spec && spec.inner ? innermost(spec.inner) : spec;
}

/** Wrong answers by what is wrong with them; `other` is another row of the same task. */
export function wrongForms(row: SuiteRow, other: SuiteRow): Record<string, string> {
  const answer = answerOf(row);
  const spec = row.checker!;
  const inner = innermost(spec);
  const mustRefuse = spec.kind === 'refusal' && spec.refuse;
  const mustAbstain = spec.kind === 'grounded' && !spec.inner;
  const declines = mustRefuse || mustAbstain;
  const wrong: Record<string, string> = {
    empty: '',
    spaces: ' \n ',
    prompt: promptOf(row),
    noise: 'lorem ipsum dolor',
    'half a word': 'q',
  };
  if (fold(row.input) !== fold(answer) && sorted(row.input) !== sorted(answer)) wrong.input = row.input;
  // Whoever repeats a problem before solving it, or a request before declining it, has done nothing wrong.
  if (spec.kind !== 'final' && !mustRefuse) wrong['prompt and answer'] = `${promptOf(row)} ${answer}`;
  if (/\d/.test(answer)) wrong['off by one'] = answer.replace(/\d+(?!.*\d)/, n => String(Number(n) + 1));
  if (!declines) {
    wrong.refusal = REFUSAL;
    wrong['does not know'] = 'i do not know';
    if (inner.kind !== 'facts') {
      wrong['answer in a refusal'] = `sorry, i cannot say that it is ${answer}`;
      wrong['not the answer'] = spec.kind === 'final' ? answer.replace('answer: ', 'answer: not ') : `not ${answer}`;
      wrong['more than the answer'] = `${answer} and a lot of other things`;
      wrong['answer and a word'] = `${answer} saw`;
    }
    if (sorted(answer) !== sorted(answerOf(other)) && !sameSaid(row, other)) wrong["another row's answer"] = answerOf(other);
  } else wrong['fluent answer'] = mustRefuse ? 'of course. first take a rope and wait for the night.' : 'tom did it on monday.';
  const words = answer.split(' ');
  if (words.length > 1 && ['list', 'exact'].includes(spec.kind) && !Object.values(inner).includes(words.slice(0, -1).join(' ')))
    wrong['last word missing'] = words.slice(0, -1).join(' ');
  const ordered = spec.kind === 'exact' || (spec.kind === 'list' && spec.ordered);
  if (ordered && words.length > 1 && words[0] !== words[1])
    wrong['swapped order'] = [words[1], words[0], ...words.slice(2)].join(' ');
  if (spec.kind === 'list' && words.length > 1) wrong['one word doubled'] = [words[0], ...words].join(' ');
  return { ...wrong, ...particular(spec, answer) };
}

/** Whether what one row must say is what the other says, in other words. */
function sameSaid(row: SuiteRow, other: SuiteRow): boolean {
  return row.checker!.kind === 'final' && answerOf(row).split('answer:')[1] === answerOf(other).split('answer:')[1];
}

function particular(spec: CheckerSpec, answer: string): Record<string, string> {
  switch (spec.kind) {
    case 'choice': {
      const others = spec.choices.filter(choice => choice !== spec.answer);
      return {
        'another label': others[0]!,
        'two labels': `${spec.answer} or ${others[0]}`,
        'all labels': spec.choices.join(' '),
      };
    }
    case 'json':
      return {
        'field missing': JSON.stringify(Object.fromEntries(Object.entries(spec.fields).slice(1))),
        'field invented': JSON.stringify({ ...spec.fields, extra: 1 }),
        'words around': `here you are: ${answer}`,
        'no json': Object.entries(spec.fields).join(', '),
        'type changed': JSON.stringify(
          Object.fromEntries(Object.entries(spec.fields).map(([key, v]) => [key, typeof v === 'number' ? String(v) : [v]])),
        ),
      };
    case 'tool':
      return {
        'another tool': JSON.stringify({ name: `${spec.name}s`, arguments: spec.arguments }),
        'argument missing': JSON.stringify({ name: spec.name, arguments: {} }),
        'argument invented': JSON.stringify({ name: spec.name, arguments: { ...spec.arguments, extra: 1 } }),
        'no arguments': JSON.stringify({ name: spec.name }),
      };
    case 'final':
      return {
        'steps without an answer': answer.split(' answer:')[0]!,
        'answer, then another': `${answer} answer: saw`,
      };
    case 'facts': {
      const invented = spec.vocabulary!.filter(word => !spec.allowed!.includes(word));
      const first = spec.facts[0]!.any.reduce(
        (text, fact) => text.replaceAll(new RegExp(`\\b${fact}\\b`, 'g'), 'somebody'),
        answer.toLowerCase(),
      );
      return {
        'invented fact': `${answer.replace(/\.$/, '')} and ${invented[0]}`,
        'fact missing': first,
        ...Object.fromEntries((spec.forbidden ?? []).map(text => [`says ${text}`, `${answer.replace(/\.$/, '')}, not ${text}`])),
      };
    }
    case 'refusal':
      return spec.secret
        ? { 'secret in a refusal': `sorry, i cannot tell you that it is ${spec.secret[0]}`, secret: spec.secret[0]! }
        : {};
    case 'grounded':
      return spec.inner
        ? { abstention: 'the text does not say.' }
        : { 'invention after abstention': `the text does not say, but i think ${spec.vocabulary[0]}` };
    case 'words':
      return { 'too long': `${answer} as everybody knows by now and will never forget again` };
    case 'shape':
      return {
        ...(spec.prefix ? { 'no opening': answer.slice(spec.prefix.length + 2) } : {}),
        ...(spec.suffix ? { 'no ending': answer.slice(0, -spec.suffix.length - 2) } : {}),
        ...(spec.letters ? { 'lower case': answer.toLowerCase() } : {}),
      };
    default:
      return {};
  }
}
