import { type BackendName, use } from '../../../src/base/backend/index.js';

/**
 * Use a backend in a test file, or say why it cannot be had here: the reason of a skip, printed once. `TUNEBOOK_REQUIRE_NATIVE=1` (CI) makes
 * a missing native backend a failure instead.
 */
export async function missing(name: BackendName): Promise<string | undefined> {
  try {
    await use(name);
    return undefined;
  } catch (error) {
    if (name === 'native' && process.env.TUNEBOOK_REQUIRE_NATIVE === '1') throw error;
    const reason = (error as Error).message;
    console.log(`skipped on ${name}: ${reason}`);
    return reason;
  }
}
