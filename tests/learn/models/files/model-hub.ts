import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A hub of one model, answering `resolve` addresses as huggingface.co does; large files are sent on to a server of their own. */
export interface ModelHub {
  url: string;
  /** Method, path and range of every request to the hub and to the server of large files. */
  log: string[];
  /** Tokens that came with requests to the server of large files: there must be none. */
  strayTokens: string[];
  /** Break the connection of the next downloads of large files after so many bytes of their body. */
  breakAfter: number[];
  /** Answer the next downloads of large files with other bytes. */
  corrupt: number;
  /** Stop sending in the middle of the next downloads of large files, without an end. */
  stall: number;
  /** Say that large files have so many bytes more than they have. */
  lie: number;
  /** Answer downloads from their first byte whatever range is asked for. */
  ignoreRanges: boolean;
  files: Map<string, Buffer>;
  close(): Promise<void>;
}

export const COMMIT = 'c0ffee'.padEnd(40, '0');

const sha1 = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export async function modelHub(
  repository: string,
  files: Record<string, Buffer>,
  { token, gated = false }: { token?: string; gated?: boolean } = {},
): Promise<ModelHub> {
  const stored = new Map(Object.entries(files));
  const large = createServer(sendLarge);
  const main = createServer(answer);
  const hub: ModelHub = {
    url: await listen(main),
    log: [],
    strayTokens: [],
    breakAfter: [],
    corrupt: 0,
    stall: 0,
    lie: 0,
    ignoreRanges: false,
    files: stored,
    close: async () => {
      await Promise.all([end(main), end(large)]);
    },
  };
  const largeUrl = await listen(large);
  return hub;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    note('', request);
    const { pathname } = new URL(request.url!, hub.url);
    const fail = (status: number, code: string, message: string) =>
      response.writeHead(status, { 'X-Error-Code': code, 'X-Error-Message': message }).end();
    if (token && request.headers.authorization !== `Bearer ${token}`) {
      if (gated) fail(403, 'GatedRepo', 'Access to this model is restricted.');
      else fail(401, 'RepoNotFound', 'Invalid username or password.');
      return;
    }
    const match = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    if (match?.[1] !== repository) return void fail(404, 'RepoNotFound', 'Repository not found');
    if (match[2] !== 'main' && match[2] !== COMMIT) return void fail(404, 'RevisionNotFound', 'Invalid rev id');
    const bytes = stored.get(match[3]!);
    if (!bytes) {
      response.writeHead(404, { 'X-Error-Code': 'EntryNotFound', 'X-Repo-Commit': COMMIT }).end();
      return;
    }
    if (match[3]!.endsWith('.safetensors')) {
      response.writeHead(302, {
        Location: `${largeUrl}/${match[3]}`,
        'X-Repo-Commit': COMMIT,
        'X-Linked-Size': bytes.length + hub.lie,
        'X-Linked-ETag': `"${sha256(bytes)}"`,
      });
      response.end();
      return;
    }
    response.writeHead(200, { ETag: `"${sha1(bytes)}"`, 'X-Repo-Commit': COMMIT, 'Content-Length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  function sendLarge(request: IncomingMessage, response: ServerResponse): void {
    note('large:', request);
    if (request.headers.authorization) hub.strayTokens.push(request.headers.authorization);
    const bytes = stored.get(request.url!.slice(1))!;
    const range = hub.ignoreRanges ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    if (from >= bytes.length) {
      response.writeHead(416).end();
      return;
    }
    let body = bytes.subarray(from);
    if (hub.corrupt > 0) {
      hub.corrupt--;
      body = Buffer.alloc(body.length, 'X');
    }
    response.writeHead(range ? 206 : 200, {
      'Content-Length': body.length,
      ...(range ? { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const cut = hub.breakAfter.shift();
    if (hub.stall > 0) {
      hub.stall--;
      response.write(body.subarray(0, body.length >> 1));
    } else if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 50));
  }

  function note(where: string, { method, url, headers }: IncomingMessage): void {
    hub.log.push(`${method} ${where}${url}${headers.range ? ` ${headers.range}` : ''}`);
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function end(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise(done => server.close(() => done()));
}
