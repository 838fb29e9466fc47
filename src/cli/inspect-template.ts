import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { BadInput } from '../base/core/index.js';
import { check, fromJinja, fromTokenizerConfig, get, type Template } from '../prepare/templates/index.js';
import type { Tokenizer } from '../prepare/tokens/index.js';

/**
 * The templates of `--template`, separated by commas: names, files of Jinja (`…/chat_template.jinja`), and `auto`, the chat
 * template that comes with the tokenizer.
 */
export async function chooseTemplates(text: string, tokenizer: string | undefined): Promise<Template[]> {
  const wanted = text
    .split(',')
    .map(name => name.trim())
    .filter(Boolean);
  // Of nothing but commas none is named: refused as a name there is none of.
  return Promise.all((wanted.length > 0 ? wanted : [text]).map(name => chooseTemplate(name, tokenizer)));
}

async function chooseTemplate(name: string, tokenizer: string | undefined): Promise<Template> {
  if (name === 'auto') {
    if (tokenizer !== undefined) return fromTokenizerConfig(tokenizer, { name: 'auto' });
    throw new BadInput({
      problem: '--template auto needs a tokenizer',
      where: { key: '--template' },
      expected: '--tokenizer DIR with a chat template',
      fix: 'name the tokenizer, or a template',
    });
  }
  if (!/\.(jinja2?|j2)$/.test(name)) return get(name);
  let source: string;
  try {
    source = await readFile(name, 'utf8');
  } catch (cause) {
    throw new BadInput({
      problem: 'the template cannot be read',
      where: { file: name },
      expected: 'a file of Jinja',
      found: (cause as Error).message,
      fix: 'check the path',
      cause,
    });
  }
  // BOS and EOS, which it may print by name, come from the tokenizer when it is rendered.
  return fromJinja(source, { name: basename(name) });
}

const MARKS = { pass: '✓', warn: '!', fail: '✗' } as const;

/** What `templates.check` says of a template with this tokenizer, in lines: verdict, evidence and, where one is needed, remedy. */
export function describeChecks(template: Template, tokenizer: Tokenizer): string {
  const lines = check(template, { tokenizer }).map(
    ({ check: name, verdict, evidence, remedy }) =>
      `  ${MARKS[verdict]} ${name.padEnd(19)} ${evidence}${remedy === '' ? '' : `\n${' '.repeat(24)}→ ${remedy}`}`,
  );
  return [`checks of template ${template.name}   ✓ passes ! look at it ✗ fails`, ...lines].join('\n');
}
