// One base model per world and seed, trained when it is first asked for and kept beside the sweeps, so that all arms start from the same.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { evaluate, forgetting, models, tasks, tokens, train } from 'tunebook';

const SHIPPED = join(import.meta.dirname, '..', 'assets', 'quickstart-base');
const HOME = join(import.meta.dirname, '..', '..', 'sweeps', 'bases');
const WINDOWS = 16;
const LENGTH = 64;

/** What a base knows before it is tuned. */
export interface Knowledge {
  /** Nats per token on held-out base text. */
  baseLoss: number;
  /** Share of facts continued rightly. */
  facts: number;
  /** Share of held-out worksheets (`reverse : a b = `) solved. */
  worksheets: number;
}

export interface BaseRequest {
  world: 'quickstart' | 'suite';
  seed: number;
  /** Of its training; with 0 it is the quickstart's base from the repository, whatever the seed. */
  steps: number;
  signal?: AbortSignal;
}

/** Folder of the base, with its tokenizer. */
export async function baseOf({ world: name, seed, steps, signal }: BaseRequest): Promise<string> {
  if (steps === 0 && name === 'quickstart') return SHIPPED;
  const folder = join(HOME, `${name}-${steps}-steps-seed-${seed}`);
  if (existsSync(folder)) return folder;
  await mkdir(HOME, { recursive: true });
  const made = await mkdtemp(join(HOME, '.making-'));
  try {
    const world = tasks[name]({ seed });
    const text = world.baseText(Math.ceil((steps * WINDOWS * LENGTH) / 19));
    const tokenizer = await tokenizerOf(name);
    const model = models.init('nano', {
      ...{ vocabSize: tokenizer.vocabSize, maxPositionEmbeddings: 512, seed },
      ...{ eosTokenIds: [tokenizer.eosId!], padTokenId: tokenizer.padId },
    });
    const rows = forgetting.textRows({ tokenizer, texts: text, length: LENGTH });
    const optimizer = train.adamw({ betas: [0.9, 0.98], weightDecay: 0.01 });
    const schedule = train.cosine({ warmup: 50, floor: 0.1 });
    const how = { batchSize: WINDOWS, steps, seed, optimizer, learningRate: 4e-3, schedule, clip: 1 };
    await train.sft({ ...how, name: 'base', model, rows, signal, record: false }).finish();
    await model.save(made);
    await tokenizer.save(made);
    await writeFile(join(made, 'knowledge.json'), JSON.stringify(await knowledge(model, tokenizer, world, signal)));
    model.dispose();
    // Two trials may have made it at once: equal seeds give equal models, and the first one stays.
    await rename(made, folder).catch(error => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return folder;
}

/** What a base knows: as written down when it was made, or measured. */
export async function knowledgeOf({ world: name, seed, steps, signal }: BaseRequest): Promise<Knowledge> {
  const folder = await baseOf({ world: name, seed, steps, signal });
  const written = join(folder, 'knowledge.json');
  if (existsSync(written)) return JSON.parse(await readFile(written, 'utf8'));
  const [model, tokenizer] = [await models.load(folder), await tokens.Tokenizer.fromFile(folder)];
  const known = await knowledge(model, tokenizer, tasks[name]({ seed }), signal);
  model.dispose();
  return known;
}

/** How much of base text, facts and worksheets a model knows. */
export async function knowledge(
  model: models.Model,
  tokenizer: tokens.Tokenizer,
  world: tasks.World,
  signal?: AbortSignal,
): Promise<Knowledge> {
  const { heldOutText: texts, facts } = world;
  const memory = await forgetting.measure({ model, tokenizer, texts, facts, signal });
  const lines = texts.flatMap(text => text.split('\n'));
  const sheets = lines.flatMap(line => [...line.matchAll(/([^.=]+? =)\s([^.=]+?) ?\./g)]).slice(0, 200);
  const prompts = sheets.map(([, question]) => `\n${question!.trim()}`);
  const solved = await evaluate.complete({ model, tokenizer, prompts, maxNewTokens: 12, stop: ['.', '\n'], signal });
  const right = solved.filter(({ continuation }, i) => continuation.replace(/\s*\.[\s\S]*/, '').trim() === sheets[i]![2]!.trim());
  return { baseLoss: memory.baseLoss, facts: memory.facts!, worksheets: right.length / sheets.length };
}

/** The quickstart's tokenizer is in the repository; the suite's is trained on its text, the same for all seeds. */
async function tokenizerOf(name: BaseRequest['world']): Promise<tokens.Tokenizer> {
  if (name === 'quickstart') return tokens.Tokenizer.fromFile(SHIPPED);
  const world = tasks.suite({ seed: 1, rows: 4000 });
  const turns = world.rows.flatMap(row => row.messages.map(({ role, content }) => `${role}\n${content}`));
  return tokens.trainBPE([...world.baseText(20_000), ...turns], { vocabSize: 1024, minFrequency: 10 });
}
