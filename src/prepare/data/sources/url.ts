import { BadInput, Interrupted, TunebookError } from '../../../base/core/index.js';
import type { ReadOptions } from '../types.js';
import { type Bytes, bounded, MAX_BYTES } from './bytes.js';

/** A file on a web server. Redirects are followed; a server that sends nothing for `timeout` seconds is given up on. */
export function urlBytes(url: string, options: ReadOptions): Bytes {
  return {
    name: url,
    stream: () => bounded(download(url, options), options.maxBytes ?? MAX_BYTES, url, 'sends'),
  };
}

async function* download(url: string, { timeout = 60, signal }: ReadOptions): AsyncGenerator<Uint8Array> {
  const control = new AbortController();
  const stop = () => control.abort(new Interrupted({ problem: `reading ${url} was stopped` }));
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => control.abort(silent(url, timeout)), timeout * 1000);
  };
  let done = 0;
  try {
    wait();
    const response = await fetch(url, { signal: control.signal, redirect: 'follow' });
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(url, response);
    }
    const reader = response.body?.getReader();
    for (let next = await reader?.read(); next && !next.done; next = await reader!.read()) {
      wait();
      done += next.value.length;
      clearTimeout(timer);
      // While the consumer works the server is not to blame for the silence.
      yield next.value;
      wait();
    }
  } catch (error) {
    if (control.signal.aborted && control.signal.reason instanceof TunebookError) throw control.signal.reason;
    throw error instanceof TunebookError ? error : broken(url, done, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    // A consumer that stops early ends the download with it.
    control.abort();
  }
}

function silent(url: string, timeout: number): BadInput {
  return new BadInput({
    problem: `the server sent nothing for ${timeout} s`,
    where: { file: url },
    expected: 'data',
    fix: 'try again later, or raise the timeout ({timeout: seconds})',
  });
}

function refused(url: string, { status, statusText, url: final }: Response): BadInput {
  const fix =
    status === 404 || status === 410
      ? 'check the address'
      : status === 401 || status === 403
        ? 'download it where you are signed in and read the file'
        : 'try again later';
  return new BadInput({
    problem: `the server answered ${status} ${statusText}`.trim(),
    where: { file: url },
    expected: 'the file (status 200)',
    found: final && final !== url ? `a redirect to ${final}` : undefined,
    fix,
  });
}

function broken(url: string, done: number, error: unknown): BadInput {
  const cause = (error as { cause?: { message?: string; code?: string } }).cause;
  const why = cause?.message || cause?.code || (error instanceof Error ? error.message : String(error));
  return new BadInput({
    problem: done === 0 ? 'the address cannot be reached' : `the connection broke after ${done} bytes`,
    where: { file: url },
    expected: 'the whole file',
    found: why,
    fix: done === 0 ? 'check the address and the network' : 'try again',
    cause: error,
  });
}
