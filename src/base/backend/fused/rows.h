// Products of few rows with a matrix that is read once: what a step of generation is made of. The matrix is the one thing that
// does not fit into a cache, so it is read as it lies, and every part of it is used for all rows while it is near. Every sum is
// made in an order that depends neither on the number of rows nor on how the work is divided. Included by math.cc alone.
#pragma once
#include "vectors.h"
#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
/** Rows of x whose sums, four each, stay in registers. */
constexpr int kDotRows = 4;
#else
constexpr int kDotRows = 2;
#endif

typedef Vectors<4>::F Four;

/** Sums of four parts of a vector's lanes. Said with intrinsics: a half that is copied out of a vector keeps it in memory. */
INLINE Four Fold(F v) {
#if defined(__AVX512F__)
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif defined(__AVX__)
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#else
  return v;
#endif
}

/** The sums over all lanes of four vectors. */
INLINE Four Sums(F a, F b, F c, F d) {
  Four p = Fold(a), q = Fold(b), r = Fold(c), s = Fold(d);
#if defined(__SSE__)
  _MM_TRANSPOSE4_PS(p, q, r, s);
  return (p + r) + (q + s);
#else
  return Four{(p[0] + p[2]) + (p[1] + p[3]), (q[0] + q[2]) + (q[1] + q[3]), (r[0] + r[2]) + (r[1] + r[3]),
              (s[0] + s[2]) + (s[1] + s[3])};
#endif
}

/** The sums of one row of x with four rows of the matrix. Named, as compilers do not keep every array in registers. */
struct Dots {
  F a = {}, b = {}, c = {}, d = {};
  INLINE void Add(F x, F wa, F wb, F wc, F wd) {
    a += x * wa;
    b += x * wb;
    c += x * wc;
    d += x * wd;
  }
};

/**
 * y[i, j] = sum over t of x[i, t] * w[j, t] for kRows rows i and the columns j < count <= 4; w has four rows. With kAhead the
 * next four are called for, into the nearest cache: reading them would else wait for this arithmetic.
 */
template <int kRows, bool kAhead>
INLINE void Dot(const float* x, int64_t ldx, const float* w, int64_t ldw, int64_t k, float* y, int64_t ldy, int64_t count) {
  const float *w1 = w + ldw, *w2 = w1 + ldw, *w3 = w2 + ldw;
  const float *x1 = x + ldx, *x2 = x1 + ldx, *x3 = x2 + ldx;
  Dots s, s1, s2, s3;
  int64_t t = 0;
  for (; t + kLanes <= k; t += kLanes) {
    const F a = Load(w + t), b = Load(w1 + t), c = Load(w2 + t), d = Load(w3 + t);
    if (kAhead) {
      __builtin_prefetch(w + 4 * ldw + t);
      __builtin_prefetch(w1 + 4 * ldw + t);
      __builtin_prefetch(w2 + 4 * ldw + t);
      __builtin_prefetch(w3 + 4 * ldw + t);
    }
    s.Add(Load(x + t), a, b, c, d);
    if (kRows > 1) s1.Add(Load(x1 + t), a, b, c, d);
    if (kRows > 2) s2.Add(Load(x2 + t), a, b, c, d);
    if (kRows > 3) s3.Add(Load(x3 + t), a, b, c, d);
  }
  Four sum[4] = {Sums(s.a, s.b, s.c, s.d)};
  if (kRows > 1) sum[1] = Sums(s1.a, s1.b, s1.c, s1.d);
  if (kRows > 2) sum[2] = Sums(s2.a, s2.b, s2.c, s2.d);
  if (kRows > 3) sum[3] = Sums(s3.a, s3.b, s3.c, s3.d);
  for (int i = 0; i < kRows; i++)
    for (int j = 0; j < 4; j++) {
      if (j >= count) break;
      float rest = 0.0f;
      for (int64_t u = t; u < k; u++) rest += x[i * ldx + u] * w[j * ldw + u];
      y[i * ldy + j] = sum[i][j] + rest;
    }
}

/** Y[m, 4] or Y[m, 1] = X[m, k] * W^T, W four rows. */
INLINE void Dots4(const float* x, int64_t ldx, int64_t m, const float* w, int64_t ldw, int64_t k, float* y, int64_t ldy, int64_t count) {
  int64_t i = 0;
  if (m >= kDotRows) Dot<kDotRows, true>(x, ldx, w, ldw, k, y, ldy, count), i = kDotRows;
  for (; i + kDotRows <= m; i += kDotRows) Dot<kDotRows, false>(x + i * ldx, ldx, w, ldw, k, y + i * ldy, ldy, count);
  if (kDotRows > 2 && i + 2 <= m) Dot<2, true>(x + i * ldx, ldx, w, ldw, k, y + i * ldy, ldy, count), i += 2;
  if (i < m) Dot<1, true>(x + i * ldx, ldx, w, ldw, k, y + i * ldy, ldy, count);
}

/** Y[m, n] = X[m, k] * W[n, k]^T. */
void RowsByRows(const float* x, int64_t ldx, int64_t m, const float* w, int64_t ldw, int64_t n, int64_t k, float* y, int64_t ldy) {
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) Dots4(x, ldx, m, w + j * ldw, ldw, k, y + j, ldy, 4);
  // Of less than four every one is taken four times, and three of its sums are not used.
  for (; j < n; j++) Dots4(x, ldx, m, w + j * ldw, 0, k, y + j, ldy, 1);
}

/** Rows of the matrix that are added at once, and rows of x that they are added for. */
constexpr int kDeep = 8, kWide = kDotRows / 2;

/** Y[kRows, n] += X[kRows, kDeep] * W[kDeep, n]; with kAhead the next kDeep rows of the matrix are called for. */
template <int kRows, bool kAhead>
INLINE void Add(const float* x, int64_t ldx, const float* w, int64_t ldw, int64_t n, float* y, int64_t ldy) {
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    F sum = Load(y + j), other = kRows > 1 ? Load(y + ldy + j) : F{};
    if (kAhead) {
#pragma GCC unroll 8
      for (int u = 0; u < kDeep; u++) __builtin_prefetch(w + (u + kDeep) * ldw + j);
    }
#pragma GCC unroll 8
    for (int u = 0; u < kDeep; u++) {
      const F wu = Load(w + u * ldw + j);
      sum += x[u] * wu;
      if (kRows > 1) other += x[ldx + u] * wu;
    }
    Store(y + j, sum);
    if (kRows > 1) Store(y + ldy + j, other);
  }
  for (int i = 0; i < kRows; i++)
    for (int64_t c = j; c < n; c++) {
      float sum = y[i * ldy + c];
      for (int u = 0; u < kDeep; u++) sum += x[i * ldx + u] * w[u * ldw + c];
      y[i * ldy + c] = sum;
    }
}

/** Y[m, n] = X[m, k] * W[k, n]. */
void RowsByColumns(const float* x, int64_t ldx, int64_t m, const float* w, int64_t ldw, int64_t n, int64_t k, float* y, int64_t ldy) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) y[i * ldy + j] = 0.0f;
  int64_t t = 0;
  for (; t + kDeep <= k; t += kDeep) {
    const float *xt = x + t, *wt = w + t * ldw;
    int64_t i = 0;
    if (m >= kWide) Add<kWide, true>(xt, ldx, wt, ldw, n, y, ldy), i = kWide;
    for (; i + kWide <= m; i += kWide) Add<kWide, false>(xt + i * ldx, ldx, wt, ldw, n, y + i * ldy, ldy);
    if (i < m) Add<1, true>(xt + i * ldx, ldx, wt, ldw, n, y + i * ldy, ldy);
  }
  for (; t < k; t++)
    for (int64_t i = 0; i < m; i++) {
      const float xt = x[i * ldx + t];
      for (int64_t j = 0; j < n; j += kLanes)
        StoreSome(y + i * ldy + j, LoadSome(y + i * ldy + j, n - j) + xt * LoadSome(w + t * ldw + j, n - j), n - j);
    }
}

}  // namespace
