/** Model shapes the benches know. */
export const SHAPES = {
  small: {
    vocabSize: 8192,
    hiddenSize: 256,
    intermediateSize: 688,
    numHiddenLayers: 6,
    numAttentionHeads: 8,
    numKeyValueHeads: 8,
    headDim: 32,
    maxPositionEmbeddings: 2048,
    tieWordEmbeddings: true,
  },
  /** The string-rewriting world's: 0.23 M weights. */
  trial: {
    vocabSize: 24,
    hiddenSize: 96,
    intermediateSize: 256,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 4,
    headDim: 24,
    maxPositionEmbeddings: 64,
    tieWordEmbeddings: true,
  },
  /** SmolLM2-135M. */
  smollm2: {
    vocabSize: 49152,
    hiddenSize: 576,
    intermediateSize: 1536,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
    headDim: 64,
    maxPositionEmbeddings: 8192,
    tieWordEmbeddings: true,
  },
};

/** "Llama shape 6L d256 …" */
export const describeShape = s =>
  `Llama shape ${s.numHiddenLayers}L d${s.hiddenSize} ffn ${s.intermediateSize} ${s.numAttentionHeads} heads${s.numKeyValueHeads === s.numAttentionHeads ? '' : ` (${s.numKeyValueHeads} for keys)`} vocab ${s.vocabSize.toLocaleString('en')}`;
