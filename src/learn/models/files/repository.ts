import { BadInput, type DownloadBody, Interrupted, quote } from '../../../base/core/index.js';
import type { HubOptions } from './hub.js';

/** A model on a hub. */
export interface Address {
  /** `owner/name`. */
  repository: string;
  revision: string;
  /** As errors name it: hf://owner/name. */
  name: string;
}

/** A file of a repository as the hub describes it before it is downloaded. */
export interface RemoteFile {
  path: string;
  url: string;
  size?: number;
  /** SHA-256 of the bytes: for large files, which the hub keeps outside Git. */
  sha256?: string;
  /** Git's name of the content, for the others. */
  gitOid?: string;
  /** Commit of the whole repository that was answered from. */
  commit?: string;
}

const PART = '[A-Za-z0-9](?:[\\w.-]*[A-Za-z0-9_])?';
const ID = new RegExp(`^(hf://)?(${PART}/${PART})(?:@([^@\\s]+))?$`);

/** The address that `owner/name`, `owner/name@revision` or `hf://owner/name` is; undefined for what can only be a path. */
export function address(source: string, { revision }: Pick<HubOptions, 'revision'>): Address | undefined {
  const match = ID.exec(source);
  if (!match || match[2]!.includes('..')) {
    if (!source.startsWith('hf://')) return undefined;
    throw new BadInput({
      problem: `${quote(source)} names no model`,
      expected: 'hf://OWNER/NAME, then @REVISION if wanted',
      fix: "for example await models.load('hf://HuggingFaceTB/SmolLM2-135M-Instruct')",
    });
  }
  return { repository: match[2]!, revision: revision ?? match[3] ?? 'main', name: `hf://${match[2]}` };
}

/** The connection could not be made or broke: what was downloaded before may serve. */
class NetworkError extends Error {}

export function isNetworkError(error: unknown): error is Error {
  return error instanceof NetworkError;
}

const REDIRECTS = 5;
/** Seconds that a server has at least to say what a file is. */
const ANSWER = 10;

/** Answers of the hub about one repository, through the addresses that transformers' own downloads use. */
export class Repository {
  revision: string;
  readonly #root: URL;
  readonly #token: string | undefined;

  constructor(
    readonly at: Address,
    readonly options: HubOptions,
  ) {
    this.revision = at.revision;
    const given = options.hubUrl || process.env.HF_ENDPOINT || 'https://huggingface.co';
    try {
      this.#root = new URL(given.replace(/\/*$/, '/'));
      if (!/^https?:$/.test(this.#root.protocol)) throw new TypeError('not http');
    } catch (cause) {
      throw new BadInput({
        problem: 'The address of the hub is not one',
        expected: 'https://…',
        found: quote(given),
        fix: 'correct hubUrl or HF_ENDPOINT',
        cause,
      });
    }
    this.#token = options.token ?? process.env.HF_TOKEN;
  }

  /** What the hub says of a file; undefined when there is none. */
  async head(path: string): Promise<RemoteFile | undefined> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`${this.at.repository}/resolve/${encodeURIComponent(this.revision)}/${encoded}`, this.#root);
    const { response, from } = await this.#request(url, { method: 'HEAD' }, true);
    await response.body?.cancel();
    const { status, headers } = response;
    if (status === 404 && !/^(Repo|Revision)NotFound$/.test(headers.get('x-error-code') ?? '')) return undefined;
    const redirected = status >= 300 && status < 400;
    if (!response.ok && !redirected) throw this.#refusal(status, headers, path);
    const etag = (headers.get('x-linked-etag') ?? (redirected ? null : headers.get('etag')))?.replace(/^W\/|"/g, '') ?? '';
    const size = headers.get('x-linked-size') ?? (redirected ? null : headers.get('content-length'));
    const commit = headers.get('x-repo-commit') ?? '';
    return {
      path,
      url: from.href,
      ...(size !== null && /^\d+$/.test(size) ? { size: Number(size) } : {}),
      ...(/^[0-9a-f]{64}$/.test(etag) ? { sha256: etag } : {}),
      ...(/^[0-9a-f]{40}$/.test(etag) ? { gitOid: etag } : {}),
      ...(/^[0-9a-f]{40}$/.test(commit) ? { commit } : {}),
    };
  }

  /** The bytes of a file from some byte on. */
  async open(file: RemoteFile, from: number, signal: AbortSignal): Promise<DownloadBody> {
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    const { response } = await this.#request(new URL(file.url), { headers, signal }, false);
    const { status, body } = response;
    if (status === 416) return { from: 0, stream: emptyStream() };
    if (!response.ok || !body) {
      await body?.cancel();
      // Busy or broken servers may answer the next time.
      if (status === 429 || status >= 500) throw new NetworkError(`the hub answered ${status}`);
      throw this.#refusal(status, response.headers, file.path);
    }
    if (from === 0 || status !== 206) return { from: 0, stream: body };
    const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
    return { from: range ? Number(range[1]) : from, stream: body };
  }

  /** Ask, following redirects by hand: the token goes to the hub alone, never to the servers it sends us on to. */
  async #request(
    url: URL,
    init: { method?: string; headers?: Record<string, string>; signal?: AbortSignal },
    describe: boolean,
  ): Promise<{ response: Response; from: URL }> {
    let next = url;
    const limit = Math.max(this.options.idleSeconds ?? 30, ANSWER) * 1000;
    for (let hop = 0; ; hop++) {
      const token = next.origin === this.#root.origin ? this.#token : undefined;
      const signals = [AbortSignal.timeout(limit), init.signal, this.options.signal].filter(signal => signal !== undefined);
      let response: Response;
      try {
        response = await fetch(next, {
          method: init.method ?? 'GET',
          // Compressed bytes have another length and cannot be continued.
          headers: { 'accept-encoding': 'identity', ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) },
          redirect: 'manual',
          signal: describe ? AbortSignal.any(signals) : init.signal,
        });
      } catch (error) {
        if (this.options.signal?.aborted) throw new Interrupted({ problem: 'the download was stopped' });
        const { message, cause } = error as Error;
        throw new NetworkError(cause instanceof Error && cause.message ? `${message}: ${cause.message}` : message, {
          cause: error,
        });
      }
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || !location) return { response, from: next };
      const target = new URL(location, next);
      // A file kept elsewhere: the hub's own answer describes it, and a later request is sent on anew.
      if (describe && target.origin !== next.origin) return { response, from: next };
      await response.body?.cancel();
      if (hop === REDIRECTS || !/^https?:$/.test(target.protocol))
        throw new BadInput({
          problem: 'The hub sends this request on and on',
          where: { file: this.at.name },
          fix: 'check HF_ENDPOINT or hubUrl',
        });
      next = target;
    }
  }

  #refusal(status: number, headers: Headers, path: string): BadInput | NetworkError {
    const code = headers.get('x-error-code');
    const said = headers.get('x-error-message');
    const error = (problem: string, fix: string) =>
      new BadInput({
        problem,
        where: { file: this.at.name },
        found: `status ${status}${said ? `: ${quote(said, 200)}` : ''}`,
        fix,
      });
    const token = this.#token ? 'the token that was sent may lack the right' : 'no token was sent';
    if (code === 'GatedRepo')
      return error(
        `The owner of this model lets only some read it (${token})`,
        'accept the terms on its page, and give a token ({token}, or HF_TOKEN)',
      );
    if (status === 401 || status === 403)
      return error(
        `The hub refuses access, or there is no such model (${token})`,
        'check owner and name; for a private or gated model give a token ({token}, or HF_TOKEN)',
      );
    if (code === 'RevisionNotFound')
      return error(`This model has no revision ${quote(this.at.revision)}`, 'check the branch, tag or commit');
    if (status === 404)
      return error('There is no such model on the hub', 'check owner and name, or the path if you meant a directory here');
    if (status === 429 || status >= 500) return new NetworkError(`the hub answered ${status} for ${path}`);
    return error('The hub does not give this file', 'try again; check HF_ENDPOINT or hubUrl if you set them');
  }
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: controller => controller.close() });
}
