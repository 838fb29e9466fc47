import { BadInput, quote, Unavailable } from '../../../base/core/index.js';
import type { ReadOptions } from '../types.js';
import type { Bytes } from './bytes.js';
import { fileBytes, globRegExp } from './file.js';
import { cachedDownload, type RemoteFile } from './hub-cache.js';

/** A data set on the Hugging Face hub. */
export interface HubSource {
  /** `owner/name` of the data set. */
  hub: string;
  /** A file, a folder, or a pattern such as `data/train-*.parquet`. Defaults to the data files of the split. */
  path?: string;
  /** Files of this split are read. Defaults to `train`, where files are named after splits. */
  split?: string;
  /** Branch, tag or commit. Defaults to `main`. */
  revision?: string;
  /** Access token for private and gated data sets. Defaults to the environment's `HF_TOKEN`. */
  token?: string;
  /** Address of the hub. Defaults to the environment's `HF_ENDPOINT`, else https://huggingface.co. */
  hubUrl?: string;
  /** Where downloads are kept. Defaults to `hub` in tunebook's cache (`TUNEBOOK_CACHE`, else `~/.cache/tunebook`). */
  cacheDir?: string;
}

export function isHub(source: unknown): source is HubSource {
  return typeof (source as Partial<HubSource> | null)?.hub === 'string';
}

/** `hf://datasets/OWNER/NAME[@REVISION][/PATH][@REVISION]` */
export function parseHub(address: string): HubSource {
  const match = /^hf:\/\/(?:datasets\/)?([\w.-]+\/[\w.-]+?)(?:@([^/@]+))?(?:\/(.*?))?(?:@([^/@]+))?$/.exec(address);
  if (!match) {
    throw new BadInput({
      problem: `${quote(address)} names no data set`,
      expected: 'hf://datasets/OWNER/NAME, then /PATH and @REVISION if wanted',
      fix: "for example await data.readRows('hf://datasets/tatsu-lab/alpaca')",
    });
  }
  const [, hub, early, path, late] = match;
  const revision = late ?? early;
  return { hub: hub!, ...(path ? { path } : {}), ...(revision ? { revision: decodeURIComponent(revision) } : {}) };
}

/** What is used of @huggingface/hub, an optional peer. */
interface Hub {
  listFiles(params: Common & { recursive: boolean }): AsyncIterable<{
    type: string;
    path: string;
    size: number;
    oid?: string;
    lfs?: { oid: string; size: number };
  }>;
  downloadFile(params: Common & { path: string }): Promise<Blob | null>;
}

interface Common {
  repo: { type: 'dataset'; name: string };
  revision: string;
  hubUrl?: string;
  accessToken?: string;
}

const DATA = /\.(parquet|jsonl|ndjson|json|csv|tsv|txt)(\.gz)?$/i;
const NO_DATA = /(^|\/)(dataset_infos?|dataset_dict|state|package|config)\.json$/i;

/** The files of a data set, downloaded to the cache one after another as they are asked for. */
export async function* hubFiles(source: HubSource, options: ReadOptions): AsyncGenerator<Bytes> {
  const env = typeof process === 'object' ? process.env : {};
  const hub = await loadHub();
  const common: Common = {
    repo: { type: 'dataset', name: source.hub },
    revision: source.revision ?? 'main',
    hubUrl: (source.hubUrl ?? env.HF_ENDPOINT)?.replace(/\/$/, ''),
    accessToken: source.token ?? env.HF_TOKEN,
  };
  const files: RemoteFile[] = [];
  try {
    for await (const { type, path, size, oid, lfs } of hub.listFiles({ ...common, recursive: true }))
      if (type === 'file') files.push({ path, size: lfs?.size ?? size, oid, sha256: lfs?.oid });
  } catch (error) {
    throw hubError(source, error);
  }
  for (const file of choose(source, files)) {
    const name = `hf://datasets/${source.hub}/${file.path}`;
    const open = async (): Promise<Blob> => {
      const blob = await hub.downloadFile({ ...common, path: file.path }).catch(error => {
        throw hubError(source, error);
      });
      if (blob === null) throw gone(source, file.path);
      return blob;
    };
    const path = await cachedDownload(name, file, open, {
      root: source.cacheDir,
      revisionOf: source.hub,
      signal: options.signal,
    });
    yield { ...(await fileBytes(path)), name };
  }
}

async function loadHub(): Promise<Hub> {
  try {
    // Its name is kept out of the compiler's sight: only who reads from the hub needs the package.
    const name: string = '@huggingface/hub';
    return (await import(name)) as Hub;
  } catch (error) {
    throw new Unavailable({
      problem: '@huggingface/hub cannot be loaded',
      found: error instanceof Error ? error.message.split('\n')[0] : String(error),
      fix: 'npm install @huggingface/hub@2.17.5',
      cause: error,
    });
  }
}

/** The files that `path` or `split` names, in order. */
function choose({ hub, path, split }: HubSource, all: readonly RemoteFile[]): RemoteFile[] {
  const listed = (files: readonly RemoteFile[]) => quote(files.map(file => file.path).slice(0, 12), 400);
  const data = all.filter(file => DATA.test(file.path) && !NO_DATA.test(file.path));
  const sorted = (files: readonly RemoteFile[]) => files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  if (path !== undefined) {
    const wanted = path.replace(/^\/|\/$/g, '');
    const pattern = globRegExp(wanted);
    const found = all.filter(file => file.path === wanted || pattern.test(file.path));
    const inside = found.length
      ? found
      : data.filter(file => file.path.startsWith(`${wanted}/`) && ofSplit(file.path, split ?? ''));
    if (inside.length) return sorted(inside);
    throw new BadInput({
      problem: `there is no file ${quote(path)}`,
      where: { file: `hf://datasets/${hub}` },
      expected: 'a file, folder or pattern of the data set',
      found: listed(all),
      fix: 'give the path of one of these',
    });
  }
  let files = data.filter(file => ofSplit(file.path, split ?? 'train'));
  // A data set without splits in its names is all training data.
  if (
    files.length === 0 &&
    split === undefined &&
    !data.some(file => /(^|[/_.-])(test|valid|validation|dev|eval)/i.test(file.path))
  )
    files = data;
  // The same rows may be there twice: as they were uploaded, and as Parquet.
  const tabular = files.filter(file => /\.parquet$/i.test(file.path));
  if (tabular.length) files = tabular;
  if (files.length) return sorted(files);
  throw new BadInput({
    problem: data.length ? `no file belongs to the split ${quote(split ?? 'train')}` : 'the data set has no data files',
    where: { file: `hf://datasets/${hub}` },
    expected: 'Parquet, JSON, JSONL, CSV or text files',
    found: listed(data.length ? data : all),
    fix: 'name the split, or the path of a file ({hub, path})',
  });
}

/** Whether a path has the split as a word: data/train-00000-of-00001.parquet, default/train/0000.parquet, squad_train.jsonl. */
function ofSplit(path: string, split: string): boolean {
  if (split === '') return true;
  const name = split.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(^|[/_.-])${name}($|[/_.-])`, 'i').test(path);
}

function gone({ hub }: HubSource, path: string): BadInput {
  return new BadInput({
    problem: 'the file is listed but not there',
    where: { file: `hf://datasets/${hub}/${path}` },
    fix: 'try again; the data set may just have changed',
  });
}

function hubError({ hub, revision = 'main' }: HubSource, error: unknown): Error {
  if (error instanceof BadInput) return error;
  const status = (error as { statusCode?: number }).statusCode;
  const [problem, fix] =
    status === 401 || status === 403
      ? ['the hub refuses access', 'accept the terms of the data set on its page, and give a token ({token}, or HF_TOKEN)']
      : status === 404
        ? [`there is no such data set or revision (${revision})`, 'check owner, name and revision; a private one needs a token']
        : ['the hub cannot be reached', 'check the network, and HF_ENDPOINT or hubUrl if you set them'];
  return new BadInput({
    problem: problem!,
    where: { file: `hf://datasets/${hub}` },
    expected: 'a data set',
    found: error instanceof Error ? error.message : String(error),
    fix: fix!,
    cause: error,
  });
}
