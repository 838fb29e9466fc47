// What the kernels compute, as plain functions over arrays. `math.cc` is compiled once for every instruction set of a processor
// family, each time into a table of its own; the widest one that the processor has is used.
#pragma once
#include <cstdint>

namespace tunebook {

/** Queries that attention works on at once, one in every lane of a vector. */
constexpr int64_t kQueries = 32;
/** Keys that it works on at once: their scores stay in the nearest caches. */
constexpr int64_t kKeys = 256;

/** f of `unit` and `unit_grad`. */
enum Unit { kSilu = 0, kQuickGelu = 1, kGeluNew = 2, kGelu = 3 };

/** A block of at most kQueries queries of one head, and what they look at. */
struct Block {
  /** Query i is at q + i * q_stride, its output at out + i * q_stride, log(sum(exp)) of its scores at logsum + i * logsum_stride. */
  const float* q;
  float* out;
  float* logsum;
  int64_t q_stride, logsum_stride;
  int64_t count, width;
  /** Key j of the row is at k + j * key_stride. */
  const float *k, *v;
  int64_t key_stride;
  /** Query i has position at + i * step, and sees the keys up to it; of those the last `window`, if that is not 0. */
  int64_t at, step, window;
};

/** The gradient of a block with respect to the queries, and to the keys [first, last). */
struct BlockGrad {
  Block block;
  const float* dy;
  /** Null where they are not wanted. Those of keys and values are added up. */
  float *dq, *dk, *dv;
  int64_t first, last;
};

/** One step of AdamW; `root` is sqrt(1 - beta2^t), `keep` what decay leaves of a weight. */
struct AdamWStep {
  float scale, rest1, beta2, rest2, inverse_root, eps, keep, rate;
};

/** Few queries of one key head, and keys that all of them see. */
struct Glimpse {
  /** Query i is at q + i * width, key j at k + j * width. */
  const float* q;
  int64_t count, width;
  const float *k, *v;
  /** At most kKeys. */
  int64_t keys;
  /** [count, width], [count], [count]: sum(exp(score - high) * value), the highest score, and sum(exp(score - high)). */
  float *out, *high, *sum;
};

struct Math {
  /** Floats of scratch memory that `attend` and `attend_grad` need for heads of this width. */
  int64_t (*scratch)(int64_t width);
  void (*attend)(const Block&, float* scratch);
  void (*attend_grad)(const BlockGrad&, float* scratch);
  /** Rows [first, last) of matrices with rows of n. */
  void (*rms)(const float* x, const float* w, float* y, float* r, int64_t first, int64_t last, int64_t n, float eps, float offset);
  void (*rms_grad)(const float* dy, const float* x, const float* w, const float* r, float* dx, float* dw, int64_t first,
                   int64_t last, int64_t n, float offset);
  void (*layer)(const float* x, const float* w, const float* b, float* y, float* mean, float* r, int64_t first, int64_t last,
                int64_t n, float eps);
  void (*layer_grad)(const float* dy, const float* x, const float* w, const float* mean, const float* r, float* dx, float* dw,
                     float* db, int64_t first, int64_t last, int64_t n);
  /** out = the sum of `count` rows. */
  void (*add_rows)(float* out, const float* rows, int64_t count, int64_t n);
  void (*rope)(const float* x, const float* cosine, const float* sine, float* y, int64_t first, int64_t last, int64_t heads,
               int64_t width, int64_t half, float sign, float pass);
  /** y = f(g) * u; without u, f(g). */
  void (*unit)(int kind, const float* g, const float* u, float* y, int64_t first, int64_t last);
  void (*unit_grad)(int kind, const float* dy, const float* g, const float* u, float* dg, float* du, int64_t first, int64_t last);
  /** One row: the loss, and its gradient times the weight. */
  float (*cross_entropy)(const float* z, int32_t label, float weight, float* dz, int64_t n);
  double (*sum_of_squares)(const float* x, int64_t n);
  void (*adamw)(const AdamWStep&, float* p, float* m, float* v, const float* gradient, int64_t n);
  /** Y[m, n] = X[m, k] * W[n, k]^T for few rows; rows are ldx, ldw and ldy apart. */
  void (*rows_by_rows)(const float* x, int64_t ldx, int64_t m, const float* w, int64_t ldw, int64_t n, int64_t k, float* y, int64_t ldy);
  /** Y[m, n] = X[m, k] * W[k, n]. */
  void (*rows_by_columns)(const float* x, int64_t ldx, int64_t m, const float* w, int64_t ldw, int64_t n, int64_t k, float* y,
                          int64_t ldy);
  /** With scratch memory of count * kKeys floats. */
  void (*glimpse)(const Glimpse&, float* scratch);
  /** Columns of a right factor that are packed together. */
  int64_t panel;
  /**
   * Columns of a right factor of `k` rows as panels, [columns / panel, k, panel], what is left over filled up with zeros. B[t, j] is
   * b[t * ldb + j], or b[j * ldb + t] where turned.
   */
  void (*pack)(const float* b, int64_t ldb, bool turned, int64_t columns, int64_t k, float* to);
  /** C[m, columns] = A[m, k] * panels, or C += where `add`. A[i, t] is a[i * lda + t], or a[t * lda + i] where turned. */
  void (*product)(float* c, int64_t ldc, const float* a, int64_t lda, bool turned, const float* panels, int64_t m, int64_t columns, int64_t k,
                  bool add);
};

extern const Math math_base;
#if defined(__x86_64__)
extern const Math math_avx2, math_avx512;
#endif

}  // namespace tunebook
