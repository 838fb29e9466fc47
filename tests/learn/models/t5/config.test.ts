import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../../src/base/core/index.js';
import { feedForward, t5Config } from '../../../../src/learn/models/t5/config.js';
import { parseT5Config, t5ToHuggingFace } from '../../../../src/learn/models/t5/hugging-face.js';
import { relativeBucket } from '../../../../src/learn/models/t5/relative-position.js';
import { t5WeightSpecs } from '../../../../src/learn/models/t5/weights.js';

const SMALL = { model_type: 't5', vocab_size: 61, d_model: 16, d_kv: 4, d_ff: 24, num_layers: 2, num_heads: 4 };

describe('config.json of a T5', () => {
  it('is read with the defaults of transformers where it is silent', () => {
    expect(parseT5Config(SMALL)).toMatchObject({
      hiddenSize: 16,
      numHiddenLayers: 2,
      numDecoderLayers: 2,
      relativeAttentionNumBuckets: 32,
      relativeAttentionMaxDistance: 128,
      layerNormEpsilon: 1e-6,
      feedForwardProj: 'relu',
      padTokenId: 0,
      decoderStartTokenId: 0,
      eosTokenIds: [1],
      tieWordEmbeddings: true,
      scaleDecoderOutputs: true,
      maxPositionEmbeddings: Number.POSITIVE_INFINITY,
    });
  });

  it('says by tie_word_embeddings whether outputs are scaled, unless transformers 5 says it itself', () => {
    const scaled = (raw: object) => parseT5Config({ ...SMALL, ...raw }).scaleDecoderOutputs;
    expect(scaled({ tie_word_embeddings: false })).toBe(false);
    expect(scaled({ tie_word_embeddings: true, scale_decoder_outputs: false })).toBe(false);
    expect(scaled({ tie_word_embeddings: false, scale_decoder_outputs: true })).toBe(true);
  });

  it('is written as it is read, other settings kept', () => {
    const raw = {
      ...SMALL,
      num_decoder_layers: 3,
      feed_forward_proj: 'gated-gelu',
      tie_word_embeddings: false,
      dropout_rate: 0.3,
    };
    const config = parseT5Config(raw);
    const written = t5ToHuggingFace(config, raw);
    expect(written).toMatchObject({ ...raw, architectures: ['T5ForConditionalGeneration'], is_encoder_decoder: true });
    expect(parseT5Config(written)).toEqual(config);
  });

  it.each([
    [{ model_type: 'bart' }, /architecture/],
    [{ architectures: ['T5EncoderModel'] }, /T5EncoderModel/],
    [{ is_encoder_decoder: false }, /is_encoder_decoder/],
    [{ quantization_config: { bits: 4 } }, /quantization_config/],
    [{ feed_forward_proj: 'gated-mish' }, /feed_forward_proj/],
    [{ feed_forward_proj: 3 }, /feed_forward_proj/],
    [{ d_model: 0 }, /d_model/],
    [{ num_heads: 2.5 }, /num_heads/],
    [{ d_ff: '24' }, /d_ff/],
    [{ num_layers: 1e12 }, /num_layers/],
    [{ relative_attention_num_buckets: 3 }, /relative_attention_num_buckets/],
    [{ relative_attention_num_buckets: 64, relative_attention_max_distance: 32 }, /relative_attention_max_distance/],
    [{ layer_norm_epsilon: 0 }, /layer_norm_epsilon/],
    [{ decoder_start_token_id: 61 }, /decoder_start_token_id/],
    [{ pad_token_id: -1 }, /pad_token_id/],
  ])('%o is refused by name', (change, said) => {
    const read = () => parseT5Config({ ...SMALL, ...change }, 'config.json');
    expect(read).toThrow(BadInput);
    expect(read).toThrow(said);
  });
});

describe('a configuration from parts', () => {
  it('fills in what is left out', () => {
    expect(t5Config({ vocabSize: 100, hiddenSize: 32, numHiddenLayers: 2 })).toMatchObject({
      headDim: 8,
      intermediateSize: 64,
      numDecoderLayers: 2,
    });
    expect(t5Config({ tieWordEmbeddings: false }).scaleDecoderOutputs).toBe(false);
    expect(() => t5Config({ hiddenSize: -1 })).toThrow(/d_model/);
  });

  it('names the weights as transformers does, each once', () => {
    const specs = t5WeightSpecs(t5Config({ vocabSize: 50, numHiddenLayers: 2, numDecoderLayers: 3, tieWordEmbeddings: false }));
    const names = specs.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter(name => name.includes('relative_attention_bias'))).toEqual([
      'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
    ]);
    expect(names.at(-1)).toBe('lm_head.weight');
    expect(names).toContain('decoder.block.2.layer.2.DenseReluDense.wi_1.weight');
  });

  it('reads gated-gelu as the approximation by tanh, gelu alone as the error function', () => {
    expect(feedForward('gated-gelu')).toEqual({ kind: 'gelu_new', gated: true });
    expect(feedForward('gelu')).toEqual({ kind: 'gelu', gated: false });
    expect(feedForward('gated-relu')).toEqual({ kind: 'relu', gated: true });
    expect(feedForward('gated-')).toBeUndefined();
    expect(feedForward('toString')).toBeUndefined();
  });
});

describe('buckets of distances', () => {
  const cases = JSON.parse(readFileSync(fileURLToPath(new URL('./fixtures/buckets.json', import.meta.url)), 'utf8')) as {
    buckets: number;
    furthest: number;
    bidirectional: number[];
    causal: number[];
  }[];

  it.each(cases.map(c => [c.buckets, c.furthest, c] as const))(
    '%i of them up to a distance of %i are transformers’',
    (buckets, furthest, want) => {
      const config = t5Config({ relativeAttentionNumBuckets: buckets, relativeAttentionMaxDistance: furthest });
      for (const bidirectional of [true, false]) {
        const counts = new Array<number>(buckets).fill(0);
        for (let distance = -1200; distance <= 1200; distance++) counts[relativeBucket(distance, config, bidirectional)]!++;
        expect(counts).toEqual(bidirectional ? want.bidirectional : want.causal);
      }
    },
  );
});
