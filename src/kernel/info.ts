import { createRequire } from 'node:module';
import { PROTOCOL } from './wire.js';

const require = createRequire(import.meta.url);
const versionOf = (path: string): string => (require(path) as { version: string }).version;

/** Content of a `kernel_info_reply`. Versions are read from package.json files: TypeScript itself is loaded by the executor only. */
export function kernelInfo(): Record<string, unknown> {
  const version = versionOf('../../package.json');
  const typescript = versionOf('typescript/package.json');
  return {
    status: 'ok',
    protocol_version: PROTOCOL,
    implementation: 'tunebook',
    implementation_version: version,
    language_info: {
      name: 'typescript',
      version: typescript,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
      nbconvert_exporter: 'script',
    },
    banner: `tunebook ${version}: TypeScript ${typescript} on Node ${process.versions.node}
Cells are type-checked; await and imports of any package work at the top level; an interrupt keeps the variables.`,
    debugger: false,
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Node.js', url: 'https://nodejs.org/docs/latest/api/' },
      { text: 'TensorFlow.js', url: 'https://js.tensorflow.org/api/latest/' },
      { text: 'Vega-Lite', url: 'https://vega.github.io/vega-lite/docs/' },
      { text: 'Arquero', url: 'https://idl.uw.edu/arquero/' },
    ],
  };
}
