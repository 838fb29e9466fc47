/** The decoder families, by Hugging Face's `model_type`. */
export type ModelType =
  | 'llama'
  | 'mistral'
  | 'mixtral'
  | 'qwen2'
  | 'qwen3'
  | 'gpt2'
  | 'gemma'
  | 'gemma2'
  | 'gemma3_text'
  | 'phi3';

/** Activation of the feed-forward block. `gelu` is the exact one (erf), `gelu_new` its tanh approximation. */
export type Activation = 'silu' | 'gelu' | 'gelu_new' | 'quick_gelu' | 'relu' | 'tanh' | 'linear';

/** What a layer's attention sees: everything before, or a sliding window of it. */
export type LayerType = 'full_attention' | 'sliding_attention';

/** Rotary positions (Su et al. 2021) and how they are stretched beyond the context they were trained with. */
export interface RopeConfig {
  /** Base of the frequencies. */
  theta: number;
  type: 'default' | 'linear' | 'dynamic' | 'yarn' | 'longrope' | 'llama3';
  /** Share of every head that is turned; the rest passes through. 1 unless told. */
  partial: number;
  /** How many times longer the context becomes; every type but `default`. */
  factor?: number;
  /** Context of the training before stretching: dynamic, yarn, longrope, llama3. */
  originalMaxPositionEmbeddings?: number;
  /** Llama 3: wavelengths between context ÷ high and context ÷ low are blended. */
  lowFreqFactor?: number;
  highFreqFactor?: number;
  /** Yarn and longrope: factor of cos and sin; worked out from `factor` unless told. */
  attentionFactor?: number;
  /** Yarn. */
  betaFast?: number;
  betaSlow?: number;
  mscale?: number;
  mscaleAllDim?: number;
  truncate?: boolean;
  /** Longrope: a divisor for every frequency, within and beyond the original context. */
  shortFactor?: number[];
  longFactor?: number[];
}

/** What the configurations of all models have. Names are those of Hugging Face's config.json in camel case. */
export interface ModelConfig {
  /** Hugging Face's `model_type`. */
  modelType: string;
  vocabSize: number;
  /** Width of the residual stream. */
  hiddenSize: number;
  /** The output head is the embedding matrix. */
  tieWordEmbeddings: boolean;
  /** Longest row; Infinity where positions are relative and nothing bounds it. */
  maxPositionEmbeddings: number;
  bosTokenId?: number;
  /** Any of these ends a generation. */
  eosTokenIds: number[];
  padTokenId?: number;
}

/** Shape of a decoder: sizes first, then what sets one family apart from another. */
export interface DecoderConfig extends ModelConfig {
  modelType: ModelType;
  /** Width of the feed-forward block (of one expert, where there are several). */
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  /** Fewer than the attention heads: grouped queries (Ainslie et al. 2023). */
  numKeyValueHeads: number;
  headDim: number;

  /** `rms` (Zhang & Sennrich 2019) or `layer` (Ba et al. 2016, with bias). */
  norm: 'rms' | 'layer';
  normEps: number;
  /** 1 where the norm multiplies with 1 + weight (Gemma), else 0. */
  normOffset: 0 | 1;
  /** Norms behind attention and feed-forward too, before the residual addition (Gemma 2 and 3). */
  postNorms: boolean;
  /** Norms on every head of queries and keys (Qwen3, Gemma 3). */
  queryKeyNorm: boolean;

  /** Biases of the query, key and value projections. */
  attentionBias: boolean;
  attentionOutputBias: boolean;
  mlpBias: boolean;

  activation: Activation;
  /** `gated`: act(gate) ∘ up (Shazeer 2020); `plain`: act(up); `experts`: the top few of several gated blocks (Jiang et al. 2024). */
  mlp: 'gated' | 'plain' | 'experts';
  numExperts?: number;
  numExpertsPerToken?: number;

  /** Rotary positions; undefined where positions are learned (GPT-2). */
  rope?: RopeConfig;
  /** Rotary positions of the layers with a sliding window, where they differ (Gemma 3). */
  localRope?: RopeConfig;
  /** A query sees keys less than this many tokens back, in layers of type `sliding_attention`. */
  slidingWindow?: number;
  /** Type of every layer; all full unless told. */
  layerTypes?: LayerType[];
  /** Factor of attention's scores; 1/√headDim unless told. */
  attentionScale?: number;
  /** Scores of layer i are divided by i + 1 (a GPT-2 option). */
  scaleByLayer?: boolean;
  /** Scores become cap · tanh(score / cap) (Gemma 2). */
  attentionSoftcap?: number;
  /** Likewise logits. */
  logitSoftcap?: number;
  /** Factor of the token embeddings (Gemma: √hiddenSize). */
  embeddingScale: number;
}
