import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import type TypeScript from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Installed, installedPackage, ROOT } from './installed.js';

// The compiler inside tslab: TypeScript 5.0.4. What it cannot read becomes `any` in every notebook, without a word.
const ts = createRequire(import.meta.url)('@tslab/typescript-for-tslab') as typeof TypeScript;

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const ENTRIES: string[] = Object.keys(manifest.exports)
  .filter(path => path !== './package.json')
  .map(path => path.replace(/^\./, 'tunebook'));

let installed: Installed;
beforeAll(async () => {
  installed = await installedPackage();
});
afterAll(() => installed?.remove());

function compile(source: string): TypeScript.Program {
  const file = join(installed.folder, 'cell.ts');
  writeFileSync(file, source);
  return ts.createProgram([file], {
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  });
}

const ours = (file: string) =>
  file.includes(`${sep}node_modules${sep}tunebook${sep}`) || file.startsWith(join(installed.folder, 'cell'));

const imports = () => ENTRIES.map((entry, i) => `import * as entry${i} from '${entry}';\nexport { entry${i} };`).join('\n');

/** Errors in our declarations; those inside third-party ones are not ours to mend. */
function ourErrors(program: TypeScript.Program): string[] {
  return program
    .getSourceFiles()
    .filter(({ fileName }) => ours(fileName))
    .flatMap(file => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
    .map(({ file, start, messageText }) => {
      const at =
        file && start !== undefined
          ? `${file.fileName.split('tunebook/').at(-1)}:${file.getLineAndCharacterOfPosition(start).line + 1}: `
          : '';
      return at + ts.flattenDiagnosticMessageText(messageText, ' ');
    });
}

/** Every place reachable from the public exports whose type is `any`. */
function anys(program: TypeScript.Program): string[] {
  const checker = program.getTypeChecker();
  const cell = program.getSourceFile(join(installed.folder, 'cell.ts'))!;
  const found: string[] = [];
  const seen = new Set<TypeScript.Type>();
  const isOurs = (symbol: TypeScript.Symbol | undefined) =>
    symbol?.declarations?.some(node => ours(node.getSourceFile().fileName)) ?? false;

  const visit = (type: TypeScript.Type, path: string): void => {
    if (type.flags & ts.TypeFlags.Any) {
      found.push(path);
      return;
    }
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) for (const part of type.types) visit(part, path);
    for (const argument of type.aliasTypeArguments ?? []) visit(argument, path);
    if (!(type.flags & ts.TypeFlags.Object)) return;
    if ((type as TypeScript.ObjectType).objectFlags & ts.ObjectFlags.Reference) {
      const given = checker.getTypeArguments(type as TypeScript.TypeReference);
      // What a generator returns at its end is `any` in TypeScript's own library.
      const ofLibrary = /Iterator|Iterable|Generator/.test(type.symbol?.name ?? '') && !isOurs(type.symbol);
      for (const argument of ofLibrary ? given.slice(0, 1) : given) visit(argument, path);
    }
    const signatures = [...type.getCallSignatures(), ...type.getConstructSignatures()];
    for (const signature of signatures) {
      if (!signature.declaration || !ours(signature.declaration.getSourceFile().fileName)) continue;
      for (const parameter of signature.parameters)
        visit(checker.getTypeOfSymbolAtLocation(parameter, cell), `${path}(${parameter.name})`);
      visit(signature.getReturnType(), `${path}()`);
    }
    for (const property of type.getProperties()) {
      if (isOurs(property) && property.name !== '#private')
        visit(checker.getTypeOfSymbolAtLocation(property, cell), `${path}.${property.name}`);
    }
  };

  const visitExports = (module: TypeScript.Symbol, path: string): void => {
    for (let symbol of checker.getExportsOfModule(module)) {
      const name = `${path}.${symbol.name}`;
      if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      if (symbol.flags & ts.SymbolFlags.ValueModule) visitExports(symbol, name);
      else if (symbol.flags & ts.SymbolFlags.Value) visit(checker.getTypeOfSymbolAtLocation(symbol, cell), name);
      if (symbol.flags & ts.SymbolFlags.Type) visit(checker.getDeclaredTypeOfSymbol(symbol), name);
    }
  };
  visitExports(checker.getSymbolAtLocation(cell)!, 'cell');
  return [...new Set(found)];
}

describe("the declarations under tslab's TypeScript", () => {
  it('is TypeScript 5.0', () => expect(ts.version).toMatch(/^5\.0\./));

  let program: TypeScript.Program;
  it('compile without skipLibCheck, resolved as notebooks resolve', () => {
    program = compile(imports());
    expect(ourErrors(program)).toEqual([]);
  });

  it('lose no public type to any', () => expect(anys(program)).toEqual([]));

  it('would show a type that this compiler does not know', () => {
    // What TypeScript 6 infers for `new Float32Array(2)`, and a name that is nowhere.
    const program = compile(
      'export declare const weights: Float32Array<ArrayBuffer>;\nexport declare const gone: import("nowhere").Gone;',
    );
    expect(ourErrors(program)).toHaveLength(2);
    expect(anys(program)).toContain('cell.gone');
  });
});
