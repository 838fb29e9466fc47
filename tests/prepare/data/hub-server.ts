import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A hub of one data set, speaking what huggingface.co does: the tree API in pages, resolve URLs with ranges and ETags, tokens. */
export interface FakeHub {
  url: string;
  /** Method, path and range of every request. */
  log: string[];
  /** Break the connection of the next downloads after so many bytes of their body. */
  breakAfter: number[];
  /** Answer the next whole downloads with other bytes. */
  corrupt: number;
  files: Map<string, Buffer>;
  close(): Promise<void>;
}

export const sha1 = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export async function fakeHub(
  repo: string,
  files: Record<string, string | Buffer>,
  { token, lfs = [] }: { token?: string; lfs?: string[] } = {},
): Promise<FakeHub> {
  const stored = new Map(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)]));
  const hub: FakeHub = { url: '', log: [], breakAfter: [], corrupt: 0, files: stored, close: () => end(server) };
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, hub.url);
    hub.log.push(`${request.method} ${url.pathname}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    if (token && request.headers.authorization !== `Bearer ${token}`) {
      fail(response, 401, 'Access to this dataset is restricted.');
      return;
    }
    const tree = /^\/api\/datasets\/([^/]+\/[^/]+)\/tree\/([^/]+)/.exec(url.pathname);
    if (tree?.[1] === repo && tree[2] === 'main') list(url, response);
    else if (url.pathname.startsWith(`/datasets/${repo}/resolve/main/`)) {
      send(decodeURIComponent(url.pathname.slice(`/datasets/${repo}/resolve/main/`.length)), request, response);
    } else fail(response, 404, 'Repository not found', 'RepoNotFound');
  }

  /** Two entries a page, as the real hub has a thousand. */
  function list(url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const entries = [...stored].map(([path, bytes]) => ({
      type: 'file',
      path,
      size: lfs.includes(path) ? 130 : bytes.length,
      oid: sha1(bytes),
      ...(lfs.includes(path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {}),
    }));
    entries.unshift({ type: 'directory', path: 'data', size: 0, oid: '0' });
    url.searchParams.set('cursor', String(from + 2));
    const more = from + 2 < entries.length ? { Link: `<${url.href}>; rel="next"` } : {};
    response.writeHead(200, { 'Content-Type': 'application/json', ...more });
    response.end(JSON.stringify(entries.slice(from, from + 2)));
  }

  function send(path: string, request: IncomingMessage, response: ServerResponse): void {
    const bytes = stored.get(path);
    if (!bytes) {
      fail(response, 404, 'Entry not found', 'EntryNotFound');
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const [from, to] = range
      ? [Number(range[1]), Math.min(Number(range[2] || bytes.length - 1), bytes.length - 1)]
      : [0, bytes.length - 1];
    let body = bytes.subarray(from, to + 1);
    const probe = from === 0 && to === 0;
    if (!probe && hub.corrupt > 0) {
      hub.corrupt--;
      body = Buffer.alloc(body.length, 'X');
    }
    response.writeHead(range ? 206 : 200, {
      ETag: `"${sha1(bytes)}"`,
      'Accept-Ranges': 'bytes',
      'Content-Length': body.length,
      ...(range ? { 'Content-Range': `bytes ${from}-${to}/${bytes.length}` } : {}),
    });
    const cut = probe ? undefined : hub.breakAfter.shift();
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 50));
  }
}

function fail(response: ServerResponse, status: number, error: string, code?: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...(code ? { 'X-Error-Code': code } : {}) });
  response.end(JSON.stringify({ error }));
}

function end(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise(done => server.close(() => done()));
}
