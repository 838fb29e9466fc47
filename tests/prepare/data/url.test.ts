import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BadInput, Interrupted } from '../../../src/base/core/index.js';
import { readRows, streamRows } from '../../../src/prepare/data/index.js';

const line = (i: number) => `${JSON.stringify({ instruction: `Say ${i}.`, output: `${i}` })}\n`;
const LINES = Array.from({ length: 50 }, (_, i) => line(i)).join('');
let open = 0;

const ROUTES: Record<string, RequestListener> = {
  '/rows.jsonl': (_, response) => response.end(LINES),
  '/rows.csv': (_, response) => response.end('instruction,output\na,"b\nc"\n'),
  '/packed': (_, response) => response.end(gzipSync(LINES)),
  '/encoded.jsonl': (_, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(LINES)),
  '/moved': (_, response) => response.writeHead(302, { Location: '/rows.jsonl?signature=x' }).end(),
  '/circle': (_, response) => response.writeHead(302, { Location: '/circle' }).end(),
  '/secret': (_, response) => response.writeHead(403).end('no'),
  '/broken': (_, response) => response.writeHead(500).end('oops'),
  '/silent': () => {},
  '/stalls': (_, response) => void response.write(line(0)),
  '/cut.jsonl': (_, response) => {
    response.writeHead(200, { 'Content-Length': '100000' });
    response.write(LINES, () => setTimeout(() => response.destroy(), 20));
  },
  '/endless.jsonl': (_, response) => {
    open++;
    const timer = setInterval(() => response.write(LINES), 1);
    response.on('close', () => {
      clearInterval(timer);
      open--;
    });
  },
};

let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    const route = ROUTES[request.url!.replace(/\?.*/, '')];
    if (route) route(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise(done => server.close(done));
});

const failure = async (path: string, options = {}) => {
  const error: unknown = await readRows(`${url}${path}`, options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(BadInput);
  return (error as Error).message.replace(url, '');
};

test('files, gzipped in both ways, redirected; the line stays', async () => {
  for (const path of ['/rows.jsonl', '/packed', '/encoded.jsonl', '/moved', '/rows.jsonl?download=1'])
    expect(await readRows(`${url}${path}`)).toHaveLength(50);
  const [row] = await readRows(new URL(`${url}/rows.csv`));
  expect(row).toMatchObject({ messages: [{ content: 'a' }, { content: 'b\nc' }], source: `${url}/rows.csv`, line: 2 });
});

test('what a server can answer instead', async () => {
  expect(await failure('/gone.jsonl')).toMatch(/^\/gone\.jsonl: the server answered 404 Not Found.*check the address/);
  expect(await failure('/secret')).toMatch(/403 Forbidden/);
  expect(await failure('/broken')).toMatch(/500 Internal Server Error.*try again/);
  expect(await failure('/circle')).toMatch(/cannot be reached.*redirect/);
  const error: unknown = await readRows('http://127.0.0.1:1/x.jsonl').catch((e: unknown) => e);
  expect((error as Error).message).toMatch(/the address cannot be reached/);
});

test('silence, a broken connection, too much', async () => {
  expect(await failure('/silent', { timeout: 0.2 })).toMatch(/sent nothing for 0\.2 s.*timeout/);
  expect(await failure('/stalls', { timeout: 0.2 })).toMatch(/sent nothing for 0\.2 s/);
  expect(await failure('/cut.jsonl')).toMatch(/the connection broke after \d+ bytes/);
  expect(await failure('/endless.jsonl', { maxBytes: 50_000 })).toMatch(/sends more than 50000 bytes.*maxBytes/);
});

test('who stops reading stops the download', async () => {
  expect(await readRows(`${url}/endless.jsonl`, { limit: 10 })).toHaveLength(10);
  for await (const _ of streamRows(`${url}/endless.jsonl`)) break;
  const control = new AbortController();
  const reading = readRows(`${url}/stalls`, { signal: control.signal });
  setTimeout(() => control.abort(), 50);
  await expect(reading).rejects.toBeInstanceOf(Interrupted);
  await expect.poll(() => open).toBe(0);
});
