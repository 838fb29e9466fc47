// Vitest reporter that writes what a run cost and skipped to the file named by TUNEBOOK_LEDGER; test.mjs prints the ledger from it.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

export default class LedgerReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const files = modules.map(module => {
      const tests = [...module.children.allTests()].map(test => {
        const { state, note } = test.result();
        return { name: test.fullName, state, note };
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
        tests,
      };
    });
    writeFileSync(process.env.TUNEBOOK_LEDGER, JSON.stringify({ files, unhandled: unhandledErrors.length }));
  }
}
