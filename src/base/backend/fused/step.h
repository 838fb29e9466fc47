// What a step of generation is made of: one new token a row, so few rows that reading weights and caches is all that costs.
#pragma once
#include "attention.h"
#include "tensorflow.h"

namespace tunebook {

/**
 * y = residual + f(norm(x) [W_1 ... W_n]^T + [b_1 ... b_n]): every part but the products may be absent. After x come the inputs
 * norm weight, norm bias, matrices, biases and residual, as far as they are there.
 */
struct ProductsOf {
  int64_t matrices;
  /** 0: none; 1: root mean square; 2: layer norm, with a bias. */
  int64_t norm;
  bool biased, residual;
  /** Matrices are [in, out], else [out, in]. */
  bool transposed;
  /** f, or -1 for none. Gated: y = f(first half) * second half of the columns. */
  int64_t unit;
  bool gated;
  float eps, offset;
};

/** x [rows, in], the parts -> y [rows, columns of all matrices, or half of them where gated]. */
void Products(Call& call, const ProductsOf& shape);

/**
 * q [rows, heads * width], scaled, keys and values [rows * key_heads, slots, width], the position of every new token, whose own
 * key and value are in their slots already -> y [rows, heads * width], logsum [rows, heads].
 */
void CachedAttention(Call& call, HeadsOf heads);

struct StepOf {
  HeadsOf heads;
  /** Factor of the scores. */
  float scale;
  /** Every head of queries and keys is normed by its root mean square first. */
  bool normed;
  float eps, offset;
  /** Queries and keys are turned to their positions. */
  bool turned;
  /** Before the keys of every row stand some that all rows share; positions count from behind them. */
  bool shared;
};

/**
 * Queries, keys and values beside each other, [rows, (heads + 2 * key_heads) * width], keys, values, positions, and as far as they
 * are there weights of the norms of queries and keys, cosine and sine of the rotation [rows, turned / 2], shared keys and values
 * [key_heads * count, width] -> y as above. Keys and values of
 * the new tokens are written into their slots.
 */
void AttentionStep(Call& call, const StepOf& step);

}  // namespace tunebook
