import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memory, use } from '../../../../src/base/backend/index.js';
import { BadInput } from '../../../../src/base/core/index.js';
import { loadAdapter, type Model, saveAdapter } from '../../../../src/learn/models/index.js';
import { adapterFolder, base, logits } from './fixtures.js';

const ids = [[5, 17, 3, 40, 22]];

describe('adapters that cannot be loaded', () => {
  let model: Model;
  let before: Float32Array;
  let folder: string;

  beforeAll(async () => {
    await use('wasm');
    model = await base('llama');
    before = logits(model, { ids, decoderIds: null });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tunebook-bad-adapter-'));
    return () => rm(folder, { recursive: true });
  });
  afterAll(() => model?.dispose());

  const copy = (name: string) => cp(adapterFolder(name), folder, { recursive: true });
  const change = async (change: Record<string, unknown>) => {
    const file = join(folder, 'adapter_config.json');
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...change }));
  };
  /** It throws BadInput of this text, and the model is as it was: same logits, trainable, nothing left allocated. */
  const refused = async (text: RegExp, on: Model = model) => {
    const { tensors, bytes } = memory();
    const error = await loadAdapter(on, folder).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(error).toBeInstanceOf(BadInput);
    expect(error!.message).toMatch(text);
    expect(memory()).toMatchObject({ tensors, bytes });
    expect(on.adapters.size).toBe(0);
    if (on !== model) return;
    expect(model.baseParameters.every(p => p.trainable)).toBe(true);
    expect(logits(model, { ids, decoderIds: null })).toEqual(before);
  };

  it('of another base: what does not fit is listed', async () => {
    const gpt2 = await base('gpt2');
    await copy('lora');
    await refused(/q_proj, v_proj|c_attn/, gpt2);
    gpt2.dispose();
    const phi3 = await base('phi3');
    await refused(/qkv_proj/, phi3);
    phi3.dispose();
    await copy('gpt2-lora');
    await refused(/adapter_config\.json.*does not fit this model.*gate_proj.*load it on the base it was trained on/);
  });

  it('of other sizes', async () => {
    await copy('lora');
    await change({ r: 5 });
    await refused(/lora_A\.weight is \[4, 24\] instead of \[5, 24\].*lora_B\.weight/);
  });

  it('that ask for a size no file has: nothing is allocated', async () => {
    await copy('lora');
    await change({ r: 2 ** 40 });
    await refused(/instead of \[1099511627776, 24\]/);
  });

  it('with weights missing and weights the model has no place for', async () => {
    await copy('lora');
    await change({ target_modules: ['q_proj'] });
    await refused(/no place for: .*v_proj\.lora_A\.weight/);
    await change({ target_modules: ['q_proj', 'v_proj', 'o_proj'] });
    await refused(/missing: .*o_proj\.lora_A\.weight/);
  });

  it.each([
    ['alora_invocation_tokens', [1, 2], /activated/],
    ['use_qalora', true, /quantised/],
    ['lora_bias', true, /bias inside/],
    ['layer_replication', [[0, 1]], /repeated/],
    ['trainable_token_indices', { embed_tokens: [1] }, /missing: .*trainable_tokens_delta/],
    ['trainable_token_indices', { q_proj: [1] }, /names neither/],
    ['trainable_token_indices', [61], /from 0 to 60/],
    ['trainable_token_indices', [4, 4], /each once/],
    ['trainable_token_indices', [[4]], /token ids by module/],
    ['target_parameters', ['experts.gate_up_proj'], /bare parameters/],
    ['init_lora_weights', 'pissa_niter_4', /pissa_niter_4/],
    ['init_lora_weights', 'olora', /olora/],
    ['init_lora_weights', 'corda', /corda/],
    ['peft_type', 'LOHA', /LORA, IA3/],
    ['peft_type', null, /kind/],
    ['r', -1, /"?r"?.*whole number/],
    ['r', '4', /whole number/],
    ['lora_alpha', 'much', /number/],
    ['lora_dropout', 2, /below 1/],
    ['rank_pattern', { q_proj: 'x' }, /numbers/],
    ['rank_pattern', { q_proj: 0.5 }, /rank/],
    ['target_modules', 7, /list of texts/],
    ['target_modules', '(', /pattern/],
    ['target_modules', '(model|.*)((\\w+)+\\.?)+=', /come to an end/],
    ['modules_to_save', ['nothing'], /nothing/],
    ['bias', 'some', /lora_only/],
    ['use_dora', 'yes', /true or false/],
    ['layers_to_transform', 'first', /layer/],
  ])('with %s = %j', async (key, value, text) => {
    await copy('lora');
    await change({ [key]: value });
    await refused(text);
  });

  it('with the first values of an EVA initialisation, which leaves the base alone: these load', async () => {
    await copy('lora');
    await change({ init_lora_weights: 'eva' });
    await loadAdapter(model, folder);
    model.detach('default');
  });

  it('truncated, not safetensors, not JSON, absent', async () => {
    await copy('lora');
    const weights = join(folder, 'adapter_model.safetensors');
    const whole = await readFile(weights);
    await truncate(weights, whole.length - 9);
    await refused(/truncated/);
    await writeFile(weights, 'x'.repeat(100));
    await refused(/header/);
    await rm(weights);
    await refused(/cannot be read|adapter_model/);
    await writeFile(join(folder, 'adapter_model.bin'), whole);
    await refused(/pickle/);
    await writeFile(join(folder, 'adapter_config.json'), '[1]');
    await refused(/JSON object/);
    await writeFile(join(folder, 'adapter_config.json'), '{');
    await refused(/not JSON/);
    await rm(join(folder, 'adapter_config.json'));
    await refused(/cannot be read/);
  });

  it('with a weight that is not a number', async () => {
    await copy('lora');
    const weights = join(folder, 'adapter_model.safetensors');
    const bytes = await readFile(weights);
    bytes.writeFloatLE(Number.NaN, bytes.length - 8);
    await writeFile(weights, bytes);
    await refused(/NaN at position/);
  });

  it('that bring a base embedding of their own', async () => {
    await copy('embedding');
    const weights = join(folder, 'adapter_model.safetensors');
    const bytes = await readFile(weights);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const { data_offsets } = header['base_model.model.model.embed_tokens.base_layer.weight']!;
    bytes.writeFloatLE(0.125, 8 + Number(bytes.readBigUInt64LE(0)) + data_offsets[0]);
    await writeFile(weights, bytes);
    await refused(/base weight of its own/);
  });

  it('twice under one name; and saving one that is not there', async () => {
    await copy('lora');
    await loadAdapter(model, folder);
    await expect(loadAdapter(model, folder)).rejects.toThrow(/name already/);
    await loadAdapter(model, folder, { name: 'second' });
    await expect(saveAdapter(model, folder, { name: 'third' })).rejects.toThrow(/default, second/);
    model.detach('second');
    model.detach('default');
    await expect(saveAdapter(model, folder)).rejects.toThrow(/attach/);
  });
});
