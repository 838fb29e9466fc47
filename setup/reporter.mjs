// Vitest reporter that writes what a run cost and skipped to the file named by TUNEBOOK_LEDGER; test.mjs prints the ledger from it.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

// What went wrong and where, in a few lines: the end of a long log is what is read first.
function briefly(errors) {
  const lines = (errors ?? []).flatMap(({ message, stack }) => [
    ...stripVTControlCharacters(String(message)).split('\n').slice(0, 12),
    ...(stack ?? '')
      .split('\n')
      .filter(line => line.includes('/tests/'))
      .slice(0, 3),
  ]);
  return lines.map(line => line.slice(0, 300)).join('\n') || undefined;
}

export default class LedgerReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const files = modules.map(module => {
      const tests = [...module.children.allTests()].map(test => {
        const { state, note, errors } = test.result();
        return { name: test.fullName, state, note, ...(state === 'failed' && { error: briefly(errors) }) };
      });
      const {
        collectDuration = 0,
        setupDuration = 0,
        prepareDuration = 0,
        environmentSetupDuration = 0,
        duration = 0,
      } = module.diagnostic();
      return {
        file: relative(process.cwd(), module.moduleId),
        seconds: (collectDuration + setupDuration + prepareDuration + environmentSetupDuration + duration) / 1000,
        // A file that cannot be loaded has no tests but has failed.
        broken: module.state() === 'failed' && tests.every(test => test.state !== 'failed'),
        error: briefly(module.errors()),
        tests,
      };
    });
    writeFileSync(process.env.TUNEBOOK_LEDGER, JSON.stringify({ files, unhandled: unhandledErrors.length }));
  }
}
