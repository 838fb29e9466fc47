import { BadInput, quote } from '../../../base/core/index.js';
import { fromJinja, type JinjaOptions, type JinjaTemplate } from './template.js';

export interface ConfigOptions extends JinjaOptions {
  /** Which template, where the configuration names several. Defaults to `default`. */
  template?: string;
}

/**
 * The chat template of a tokenizer, with its special tokens: from the parsed `tokenizer_config.json` (or
 * `chat_template.json`), or from the path of a tokenizer's directory or of one of its files. In a directory
 * `chat_template.jinja` comes first, then `chat_template.json`, then `tokenizer_config.json`, as in transformers.
 * @throws BadInput when there is none, or not one of the name.
 */
export async function fromTokenizerConfig(source: string | object, options: ConfigOptions = {}): Promise<JinjaTemplate> {
  const config = typeof source === 'string' ? await readConfig(source, options.template) : (source as Record<string, unknown>);
  const { template, ...rest } = options;
  return fromJinja(choose(config.chat_template, template, typeof source === 'string' ? source : undefined), {
    ...rest,
    tokens: { ...tokensOf(config), ...rest.tokens },
  });
}

function choose(found: unknown, wanted: string | undefined, file: string | undefined): string {
  const where = file === undefined ? {} : { where: { file } };
  if (typeof found === 'string') return found;
  const named = new Map<string, string>();
  if (Array.isArray(found)) {
    for (const { name, template } of found as { name: string; template: string }[]) named.set(name, template);
  } else if (typeof found === 'object' && found !== null) {
    for (const [name, template] of Object.entries(found)) named.set(name, template as string);
  }
  const chosen =
    named.get(wanted ?? 'default') ?? (wanted === undefined && named.size === 1 ? [...named.values()][0] : undefined);
  if (typeof chosen === 'string') return chosen;
  throw new BadInput({
    ...where,
    problem: named.size > 0 ? `there is no chat template ${quote(wanted ?? 'default')}` : 'the tokenizer has no chat template',
    expected: named.size > 0 ? `one of ${[...named.keys()].join(', ')}` : '"chat_template"',
    fix: named.size > 0 ? 'name one of these in the option template' : "use a built-in template, e.g. templates.get('chatml')",
  });
}

/** Special tokens by name; in the file each is a string or an object with the string in `content`. */
function tokensOf(config: Record<string, unknown>): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!key.endsWith('_token')) continue;
    const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    if (typeof text === 'string') tokens[key] = text;
  }
  return tokens;
}

async function readConfig(path: string, template: string | undefined): Promise<Record<string, unknown>> {
  const { readFile, stat } = await import('node:fs/promises');
  const { dirname, join } = await import('node:path');
  const read = async (file: string): Promise<string | undefined> => {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR')
        return undefined;
      throw error;
    }
  };
  const parse = (text: string, file: string): Record<string, unknown> => {
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw new BadInput({
        problem: 'this is no JSON',
        where: { file },
        found: (cause as Error).message,
        fix: 'repair the file',
        cause,
      });
    }
  };
  const info = await stat(path).catch(() => undefined);
  if (!info) {
    throw new BadInput({ problem: 'there is no such file', where: { file: path }, fix: 'give the directory of a tokenizer' });
  }
  const directory = info.isDirectory() ? path : dirname(path);
  const configFile = join(directory, 'tokenizer_config.json');
  const configText = await read(configFile);
  const config = configText === undefined ? {} : parse(configText, configFile);
  const named =
    template === undefined || template === 'default'
      ? undefined
      : await read(join(directory, 'additional_chat_templates', `${template}.jinja`));
  if (named !== undefined) return { ...config, chat_template: named };
  const candidates = info.isDirectory()
    ? ['chat_template.jinja', 'chat_template.json'].map(file => join(directory, file))
    : [path];
  for (const file of candidates) {
    const text = file === configFile ? undefined : await read(file);
    if (text === undefined) continue;
    return { ...config, chat_template: file.endsWith('.json') ? parse(text, file).chat_template : text };
  }
  return config;
}
