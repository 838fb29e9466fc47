// The two halves of a decoder's layer, each in one call, forward and backward: a norm by root mean square, products without biases,
// what is between them, and the residual stream. What is cheap to make again (normed rows, the unit's output) is not kept.
#pragma once
#include "attention.h"
#include "tensorflow.h"

namespace tunebook {

/** The norm before a sub-layer. */
struct NormOf {
  float eps, offset;
};

struct SelfAttentionOf {
  HeadsOf heads;
  NormOf norm;
  /** Factors of what is not turned of queries and keys. */
  float pass_query, pass_key;
  /** The gradients to make, by weight: norm, query, key, value, output from the lowest bit on. */
  int32_t wanted;
};

/**
 * y = x + attention(rotated(norm(x) [Wq Wk Wv]^T)) Wo^T, for the rows of x that `keep` names, or all where it is empty.
 * x, norm, Wq, Wk, Wv, Wo, cosines and sines of queries, of keys, starts, keep -> y, r, q, k, v, attention's output, logsum.
 */
void SelfAttention(Call& call, const SelfAttentionOf& shape);
/** dy, then all that the former was given, then all that it made but y -> dx, and the gradients of the weights. */
void SelfAttentionGrad(Call& call, const SelfAttentionOf& shape);

struct FeedForwardOf {
  NormOf norm;
  int32_t unit;
  /** As above: norm, gate, up, down. */
  int32_t wanted;
};

/** y = x + (f(h Wg^T) * (h Wu^T)) Wd^T, h = norm(x). x, norm, Wg, Wu, Wd -> y, r, gate, up. */
void FeedForward(Call& call, const FeedForwardOf& shape);
/** dy, x, norm, Wg, Wu, Wd, r, gate, up -> dx, and the gradients of the weights. */
void FeedForwardGrad(Call& call, const FeedForwardOf& shape);

}  // namespace tunebook
