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

/** Keys and values that come before those of every query and are the same for all: [key_heads * count, width]. */
struct SharedKeys {
  Call::Matrix keys, values;
  int64_t count;
};

/** Those of two inputs. */
SharedKeys SharedOf(Call& call, int first, int64_t key_heads);
/** Whether there are some, for heads of this width. */
bool AreShared(const SharedKeys& shared, const HeadsOf& heads, int64_t width);

/** Where attention to the keys behind shared ones stands: q, out and its result so far [tokens, heads * width], log sums [tokens, heads]. */
struct SharedPass {
  HeadsOf heads;
  int64_t width, tokens;
  const float *q, *before, *logsum;
  float* out;
  /** Of every query, counted from `origin` keys behind the first shared one. */
  const int32_t* positions;
  int64_t origin;
};

/** Goes on over the shared keys; false where there is no memory. */
bool AttendShared(const SharedPass& pass, const SharedKeys& shared);

/** False where there is no memory. */
bool Attend(const AttentionPass& pass, const Call::Whole& starts);
/** Writes the gradients of queries, keys and values. */
bool AttendGrad(const AttentionPass& pass, const Call::Whole& starts, const float* dy, float* dq, float* dk, float* dv);

/** q, k, v, starts -> y, logsum [tokens, heads]. */
void Attention(Call& call, HeadsOf shape);
/** dy, q, k, v, y, logsum, starts -> dq, dk, dv. */
void AttentionGrad(Call& call, HeadsOf shape);
/**
 * Attention goes on over keys that come before all those it was at and are the same for every query: q [tokens, heads * width], y and
 * logsum so far, keys and values [key_heads * keys, width], every query's position counted from the first of these keys -> y.
 */
void SharedAttention(Call& call, HeadsOf shape);
}  // namespace tunebook
