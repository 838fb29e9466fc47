import { BadInput, nearest, quote, refuseUnknown } from '../../base/core/index.js';

/** Options of everything that encodes conversations; each takes what concerns it. */
const KNOWN: readonly string[] = [
  ...[
    'tokenizer',
    'template',
    'boundary',
    'tools',
    'documents',
    'thinking',
    'train',
    'promptWeight',
    'maskHistory',
    'trainThinking',
  ],
  ...['maxLength', 'truncation', 'maxDropped', 'signal', 'continueFinalMessage'],
];

/** How reasoning may be printed. */
const THINKING: readonly unknown[] = [undefined, 'keep', 'last', 'drop'];

/** Whether a name must be meant for one of ours: it is written as in Python, or with a slip or two. */
function isMisspelt(key: string): boolean {
  if (KNOWN.includes(key)) return false;
  const near = nearest(key, KNOWN);
  return (
    KNOWN.some(name => name.toLowerCase() === key.toLowerCase().replaceAll('_', '')) ||
    (near !== undefined && (near.startsWith(key) || Math.abs(near.length - key.length) < 2))
  );
}

/** Options that were found right: one object serves many rows. */
const checked = new WeakSet<object>();

/**
 * Refuse what would quietly train something else: a misspelt option (`max_length`), and an encoding without a tokenizer or a template.
 * @throws BadInput
 */
export function checkEncodeOptions(options: object): void {
  if (checked.has(options)) return;
  const { tokenizer, template, thinking } = options as { tokenizer?: unknown; template?: unknown; thinking?: unknown };
  // Options of a training or an evaluation may come along: one object is often given to all of them.
  refuseUnknown('encoding', Object.fromEntries(Object.entries(options).filter(([key]) => isMisspelt(key))), KNOWN);
  if (typeof tokenizer !== 'object' || tokenizer === null)
    throw new BadInput({
      problem: 'encoding needs a tokenizer',
      where: { key: 'tokenizer' },
      expected: 'a Tokenizer',
      found: quote(tokenizer),
      fix: '{ tokenizer: await tokens.Tokenizer.fromFile(dir), … }',
    });
  if (typeof template !== 'string' && typeof (template as { render?: unknown } | undefined)?.render !== 'function')
    throw new BadInput({
      problem: 'encoding needs a template',
      where: { key: 'template' },
      expected: 'a template or the name of one',
      found: quote(template),
      fix: "{ template: 'chatml', … }; templates.names() lists those there are",
    });
  if (!THINKING.includes(thinking))
    throw new BadInput({
      problem: `unknown value of thinking: ${quote(thinking)}`,
      expected: 'keep, last or drop',
      fix: "leave it out for the template's own way",
    });
  checked.add(options);
}
