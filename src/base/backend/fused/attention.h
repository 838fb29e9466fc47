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

/** q, k, v, starts (of every row, and the end of the last) -> y, logsum [tokens, heads]. */
void Attention(Call& call, HeadsOf shape);
/** dy, q, k, v, y, logsum, starts -> dq, dk, dv. */
void AttentionGrad(Call& call, HeadsOf shape);
}  // namespace tunebook
