// Causal attention over rows that lie one after the other, [tokens, heads * width]; queries carry the scale.
// P = softmax(Q K^T) row by row, O = P V. Kept for the gradient is log(sum(exp)) of every query alone: P is computed again.
#pragma once
#include "tensorflow.h"

namespace tunebook {

/** Query heads, key heads, and how many tokens back a query looks (0: to the beginning). */
struct HeadsOf {
  int64_t heads, key_heads, window;
  bool Sound() const { return heads > 0 && key_heads > 0 && heads % key_heads == 0 && window >= 0; }
};

constexpr char kNoHeads[] = "attention needs heads, as many to every key head";
constexpr char kNoMemory[] = "there is no memory for attention";

/** A pass over rows: what is read, and what was or is to be written. */
struct AttentionPass {
  HeadsOf heads;
  /** Of a head. */
  int64_t width, tokens;
  const float *q, *k, *v;
  float *out, *logsum;
};

/** Where rows begin, and where the last one ends; whether they lie one after the other and make up all tokens. */
bool AreRows(const Call::Whole& starts, int64_t tokens);

/** False where there is no memory. */
bool Attend(const AttentionPass& pass, const Call::Whole& starts);
/** Writes the gradients of queries, keys and values. */
bool AttendGrad(const AttentionPass& pass, const Call::Whole& starts, const float* dy, float* dq, float* dk, float* dv);

/** q, k, v, starts -> y, logsum [tokens, heads]. */
void Attention(Call& call, HeadsOf shape);
/** dy, q, k, v, y, logsum, starts -> dq, dk, dv. */
void AttentionGrad(Call& call, HeadsOf shape);
}  // namespace tunebook
