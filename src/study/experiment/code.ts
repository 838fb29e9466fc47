import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative } from 'node:path';
import type TypeScript from 'typescript';
import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';
import { sourceOf } from './source-of.js';

/** A module and the files beside it that it imports, as they were when it was read. */
export interface Code {
  /** Of all its files: 16 hexadecimal digits. */
  hash: string;
  /** The module itself, absolute. */
  entry: string;
  /** JavaScript of every file, by its absolute path. */
  compiled: ReadonlyMap<string, string>;
}

const ENDINGS = ['.ts', '.mts', '.tsx', '.js', '.mjs'];
/** Bytes of a source file, and files, at most: this is code that somebody wrote. */
const LARGEST = 16e6;
const MOST = 2000;

/**
 * Read a module written in TypeScript or JavaScript, with whatever it imports by a relative path, and compile it (types are
 * stripped, not checked: Node 20 cannot do that itself).
 * @param what named in errors: `trial`, `sweep`
 * @throws BadInput with file and line where a file is missing or does not compile
 */
export async function readCode(entry: string, what: string): Promise<Code> {
  const ts = createRequire(import.meta.url)('typescript') as typeof TypeScript;
  const compiled = new Map<string, string>();
  const hash = createHash('sha256');
  const queue = [entry];
  for (const file of queue) {
    const text = await readSource(file, what);
    // By their places beside it: a project that was moved or copied has the same code.
    hash.update(`${file === entry ? '' : relative(dirname(entry), file).replaceAll('\\', '/')}\0${text}\0`);
    compiled.set(file, compile(ts, file, text));
    for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
      if (!/^\.{1,2}\//.test(fileName)) continue;
      const found = sourceOf(fileName, file, isFile);
      const line = text.slice(0, pos).split('\n').length;
      if (!found)
        throw new BadInput({
          problem: `no file is found for the import of ${quote(fileName)}`,
          where: { file, line },
          fix: 'check the path',
        });
      if (ENDINGS.includes(extname(found)) && !queue.includes(found)) queue.push(found);
      if (queue.length > MOST) throw new BadInput({ problem: `the ${what} imports too many files`, expected: `at most ${MOST}` });
    }
  }
  return { hash: hash.digest('hex').slice(0, 16), entry, compiled };
}

/** Keep compiled code in a folder; returns the compiled file of each source. Files have the names of their contents. */
export async function keepCode(code: Code, folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const [source, text] of code.compiled) {
    const file = join(folder, `${createHash('sha256').update(text).digest('hex').slice(0, 24)}.mjs`);
    if (!existsSync(file)) await writeFileAtomic(file, text);
    files[source] = file;
  }
  return files;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

async function readSource(file: string, what: string): Promise<string> {
  const expected = `a module (${ENDINGS.join(', ')})`;
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile())
    throw new BadInput({
      problem: `there is no such ${what}`,
      where: { file },
      expected,
      found: found ? 'no file' : 'nothing',
      fix: 'check the path',
    });
  if (!ENDINGS.includes(extname(file))) throw new BadInput({ problem: `this is no ${what}`, where: { file }, expected });
  if (found.size > LARGEST)
    throw new BadInput({ problem: 'the file is too large for code', where: { file }, expected: '16 MB at most' });
  return readFile(file, 'utf8');
}

function compile(ts: typeof TypeScript, file: string, text: string): string {
  const { outputText, diagnostics = [] } = ts.transpileModule(text, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      jsx: ts.JsxEmit.ReactJSX,
      verbatimModuleSyntax: false,
      isolatedModules: true,
      inlineSourceMap: true,
      inlineSources: true,
      sourceRoot: '',
    },
  });
  const [first] = diagnostics.filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (first)
    throw new BadInput({
      problem: 'it does not compile',
      where: { file, line: text.slice(0, first.start ?? 0).split('\n').length },
      found: ts.flattenDiagnosticMessageText(first.messageText, ' '),
    });
  return outputText;
}
