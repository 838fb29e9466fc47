import { copyFile, link, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BadInput, download, downloadFolder, quote, Unavailable, writeFileAtomic } from '../../../base/core/index.js';
import { exists, readJson } from './json.js';
import { type Address, address, isNetworkError, type RemoteFile, Repository } from './repository.js';
import { CONVERT, INDEX, indexedShards, SINGLE } from './shards.js';

/** Where models are downloaded from and kept. */
export interface HubOptions {
  /** Branch, tag or commit. `main` unless told. */
  revision?: string;
  /** Access token for private and gated models, sent to the hub alone. The environment's `HF_TOKEN` unless told. */
  token?: string;
  /** Address of the hub. The environment's `HF_ENDPOINT` unless told, else https://huggingface.co. */
  hubUrl?: string;
  /** Where downloads are kept. `hub` in tunebook's cache (`TUNEBOOK_CACHE`, else ~/.cache/tunebook) unless told. */
  cacheDir?: string;
  /** Ask nobody and use what was downloaded before. The environment's `HF_HUB_OFFLINE=1` says the same. */
  offline?: boolean;
  /** Seconds that a connection may bring nothing before it is made anew. 30 unless told. */
  idleSeconds?: number;
  signal?: AbortSignal;
}

/** Files that are brought where they are there; others of a model's page are not. */
const SMALL = [
  'config.json',
  'generation_config.json',
  'adapter_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
];
const WEIGHTS = [SINGLE, INDEX, 'adapter_model.safetensors'];

/**
 * The directory of a model or adapter: the path itself where there is something, else, for `owner/name`, `owner/name@revision` or
 * `hf://owner/name`, a folder in the cache with the files that are needed, downloaded when they are not there. Files are kept
 * once by their content, and a folder by commit links to them; every file is verified before it gets its name. Without a network
 * what was downloaded before is used.
 */
export async function localFolder(source: string, options: HubOptions = {}): Promise<string> {
  if (typeof source !== 'string' || source === '')
    throw new BadInput({
      problem: 'This names no model',
      expected: 'a directory, or owner/name on the hub',
      found: quote(source ?? null),
      fix: "for example await models.load('HuggingFaceTB/SmolLM2-135M-Instruct')",
    });
  const at = address(source, options);
  if (!at || (!source.startsWith('hf://') && (await exists(source)))) return source;
  const root = join(options.cacheDir ?? (await downloadFolder()), `models--${at.repository.replace('/', '--')}`);
  const ref = join(root, 'refs', encodeURIComponent(at.revision));
  const { HF_HUB_OFFLINE: env } = process.env;
  if (options.offline ?? (env !== undefined && /^(1|true|yes|on)$/i.test(env))) {
    const kept = await keptFolder(root, ref);
    if (kept) return kept;
    throw new Unavailable({
      problem: 'This model was not downloaded yet, and offline forbids to ask for it',
      where: { file: at.name },
      fix: 'load it once with a network, or give the directory of a model',
    });
  }
  const repository = new Repository(at, options);
  let commit: string;
  try {
    const first = (await repository.head('config.json')) ?? (await repository.head('adapter_config.json'));
    if (!first) throw notThere(at, 'config.json or adapter_config.json');
    commit = first.commit ?? `revision-${encodeURIComponent(at.revision)}`;
    // From here on everything is asked of one commit, whatever happens to the branch meanwhile.
    if (first.commit) repository.revision = first.commit;
    const kept = first.commit && (await complete(root, commit)) ? join(root, 'snapshots', commit) : undefined;
    if (!kept) await bring(repository, root, commit, options);
  } catch (error) {
    if (!isNetworkError(error)) throw error;
    const kept = await keptFolder(root, ref);
    if (kept) return kept;
    throw new Unavailable({
      problem: `${exactly(source)}the hub cannot be reached`,
      where: { file: at.name },
      found: error.message,
      fix: 'check the path if you meant a directory; else the network, and HF_ENDPOINT or hubUrl if you set them',
      cause: error,
    });
  }
  await writeFileAtomic(ref, commit);
  return join(root, 'snapshots', commit);
}

/** The folder that a revision was last seen at, when all of it is there. */
async function keptFolder(root: string, ref: string): Promise<string | undefined> {
  // A commit named in full needs no reference.
  const commit = (await readFile(ref, 'utf8').catch(() => decodeURIComponent(basename(ref)))).trim();
  if (!/^[\w%.-]+$/.test(commit) || /^\.+$/.test(commit)) return undefined;
  return (await complete(root, commit)) ? join(root, 'snapshots', commit) : undefined;
}

const complete = (root: string, commit: string) => exists(join(root, 'snapshots', commit, '.complete'));

async function bring(repository: Repository, root: string, commit: string, options: HubOptions): Promise<void> {
  const heads = await Promise.all([...SMALL, ...WEIGHTS].map(path => repository.head(path)));
  const there = new Map(heads.flatMap(file => (file ? [[file.path, file] as const] : [])));
  const folder = join(root, 'snapshots', commit);
  await mkdir(folder, { recursive: true });
  await rm(join(folder, '.complete'), { force: true });
  const get = (file: RemoteFile) => put(repository, file, root, folder, options);
  // One file is enough where both are there: the loader looks for the single one first.
  if (there.has(SINGLE)) there.delete(INDEX);
  if (!there.has(SINGLE) && !there.has(INDEX) && there.has('config.json') && !there.has('adapter_model.safetensors'))
    throw await withoutSafetensors(repository);
  for (const name of SMALL) if (there.has(name)) await get(there.get(name)!);
  if (there.has(INDEX)) {
    await get(there.get(INDEX)!);
    const shards = [...indexedShards(await readJson(join(folder, INDEX)), join(folder, INDEX)).keys()];
    const files = await Promise.all(shards.map(path => repository.head(path)));
    const missing = shards.filter((_, i) => !files[i]);
    if (missing.length > 0) throw notThere(repository.at, `${missing.slice(0, 5).join(', ')}, which ${INDEX} names`);
    for (const file of files) await get(file!);
  }
  for (const name of [SINGLE, 'adapter_model.safetensors']) if (there.has(name)) await get(there.get(name)!);
  await writeFileAtomic(join(folder, '.complete'), '');
}

/** Bring one file to the blobs, and link it into the folder. */
async function put(repository: Repository, file: RemoteFile, root: string, folder: string, options: HubOptions): Promise<void> {
  const content = file.sha256 ?? file.gitOid;
  const target = join(folder, file.path);
  const blob = content ? join(root, 'blobs', content) : target;
  if (!content) await rm(target, { force: true });
  // A blob has its name since it was verified.
  const kept = content ? await stat(blob).catch(() => undefined) : undefined;
  if (!kept || (file.size !== undefined && kept.size !== file.size))
    await download({
      name: `${repository.at.name}/${file.path}`,
      path: blob,
      size: file.size,
      sha256: file.sha256,
      gitOid: file.gitOid,
      open: (from, signal) => repository.open(file, from, signal),
      signal: options.signal,
      idleSeconds: options.idleSeconds,
    });
  if (blob === target) return;
  const beside = `${target}.${process.pid}.tmp`;
  await rm(beside, { force: true });
  // Some file systems have no links.
  await link(blob, beside).catch(() => copyFile(blob, beside));
  await rename(beside, target);
  // Renaming a link onto another one of the same file does nothing and leaves both.
  await rm(beside, { force: true });
}

function notThere(at: Address, what: string): BadInput {
  return new BadInput({
    problem: `The hub has no ${what} for this model`,
    where: { file: at.name },
    expected: 'a transformers model with safetensors, or a PEFT adapter',
    fix: 'check the name and the revision',
  });
}

async function withoutSafetensors(repository: Repository): Promise<BadInput> {
  const pickle = await repository.head('pytorch_model.bin');
  return new BadInput({
    problem: pickle
      ? 'This model has pickled weights alone, and a pickle can run any code when it is opened'
      : 'This model has no safetensors weights',
    where: { file: repository.at.name },
    expected: `${SINGLE}, or ${INDEX} and its shards`,
    fix: CONVERT,
  });
}

const exactly = (source: string) => (source.startsWith('hf://') ? '' : `There is no directory ${quote(source)}, and `);
