import { type BackendName, use } from '../../src/base/backend/index.js';
import { TunebookError } from '../../src/base/core/index.js';

/**
 * Start a backend for a test file. Returns false, with the reason printed, when this machine lacks it;
 * `TUNEBOOK_REQUIRE_NATIVE=1` (CI) makes that a failure.
 */
export async function started(name: BackendName): Promise<boolean> {
  try {
    await use(name);
    return true;
  } catch (error) {
    if (!(error instanceof TunebookError) || process.env.TUNEBOOK_REQUIRE_NATIVE === '1') throw error;
    console.warn(`skipped on ${name}: ${error.message}`);
    return false;
  }
}
