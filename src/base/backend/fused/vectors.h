// Vectors of floats, said outright because compilers do not find them in every loop. Included by math.cc alone, whose flags decide
// how wide they are. Nothing of the C++ library here: its inline functions, compiled for one processor, would be shared by all.
#pragma once
#include <stdint.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 12;
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 6;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 12;
#else
constexpr int kLanes = 4, kTileRows = 6;
#endif

template <int kWidth>
struct Vectors;
#define VECTORS(n)                                      \
  template <>                                           \
  struct Vectors<n> {                                   \
    typedef float F __attribute__((vector_size(4 * n))); \
    typedef int32_t I __attribute__((vector_size(4 * n))); \
  };
VECTORS(4)
#if defined(__AVX__)
VECTORS(8)
#endif
#if defined(__AVX512F__)
VECTORS(16)
#endif

typedef Vectors<kLanes>::F F;
typedef Vectors<kLanes>::I I;

template <typename V = F>
INLINE V Load(const float* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <typename V>
INLINE void Store(float* to, V v) {
  __builtin_memcpy(to, &v, sizeof v);
}

/** The first `count` floats of a vector, zeros behind. */
INLINE F LoadSome(const float* from, int64_t count) {
  if (count >= kLanes) return Load(from);
  F v = {};
  __builtin_memcpy(&v, from, count * sizeof(float));
  return v;
}

INLINE void StoreSome(float* to, F v, int64_t count) {
  if (count >= kLanes)
    Store(to, v);
  else
    __builtin_memcpy(to, &v, count * sizeof(float));
}

INLINE F All(float x) { return F{} + x; }

INLINE float Sum(F v) {
  float part[kLanes];
  Store(part, v);
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int i = 0; i < step; i++) part[i] += part[i + step];
  return part[0];
}

/** e^x to about one unit in the last place. Below the smallest normal number it is 0; NaN stays NaN. */
INLINE F Exp(F x) {
  const F low = All(-87.3f), high = All(88.3f);
  const I none = x < low;
  F z = none ? low : x;
  z = z > high ? high : z;
  // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the last bits.
  const F round = All(12582912.0f);
  const F shifted = z * 1.44269504f + round;
  const F k = shifted - round;
  const F f = z - k * 0.693359375f + k * 2.12194440e-4f;
  F p = All(1.9875691500e-4f);
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  I bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  // k is at most 127, where 2^k is the largest power there is.
  bits = (bits << 23) + 0x3f800000;
  F scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return none ? F{} : p * scale;
}

/** The error function; a rational approximation, exact to about two units in the last place of 1. */
INLINE F Erf(F x) {
  x = x < -4.0f ? All(-4.0f) : x;
  x = x > 4.0f ? All(4.0f) : x;
  const F s = x * x;
  F p = All(-2.72614225801306e-10f);
  p = p * s + 2.77068142495902e-08f;
  p = p * s - 2.10102402082508e-06f;
  p = p * s - 5.69250639462346e-05f;
  p = p * s - 7.34990630326855e-04f;
  p = p * s - 2.95459980854025e-03f;
  p = p * s - 1.60960333262415e-02f;
  F q = All(-1.45660718464996e-05f);
  q = q * s - 2.13374055278905e-04f;
  q = q * s - 1.68282697438203e-03f;
  q = q * s - 7.37332916720468e-03f;
  q = q * s - 1.42647390514189e-02f;
  return x * p / q;
}

// ---- Products of small matrices.

/**
 * C (+)= A * B for kRows rows of C, kCount vectors wide, which stay in registers. A[i, t] is a[i * row + t] where kAlong, else
 * a[i + t * column]. Every sum is made in the order of t,
 * however C is cut into tiles; what is added to C is summed by itself first, which is the more exact.
 */
template <typename V, int kRows, int kCount, bool kAlong, bool kAdd>
INLINE void Tile(float* c, int64_t ldc, const float* a, int64_t stride, const float* b, int64_t ldb, int64_t k) {
  constexpr int kSize = sizeof(V) / sizeof(float);
  // Three rows to a pointer: a processor's addresses reach one and two strides from it.
  constexpr int kPointers = (kRows + 2) / 3;
  V sum[kRows][kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < kCount; j++) sum[i][j] = V{};
  const float* from[kPointers];
#pragma GCC unroll 4
  for (int i = 0; i < kPointers; i++) from[i] = a + (kAlong ? 3 * i * stride : 3 * i);
  for (int64_t t = 0; t < k; t++) {
    V bt[kCount];
#pragma GCC unroll 2
    for (int j = 0; j < kCount; j++) bt[j] = Load<V>(b + kSize * j);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; i++) {
      const float x = from[i / 3][kAlong ? (i % 3) * stride : i % 3];
#pragma GCC unroll 2
      for (int j = 0; j < kCount; j++) sum[i][j] += x * bt[j];
    }
    b += ldb;
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; i++) from[i] += kAlong ? 1 : stride;
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < kCount; j++) {
      float* to = c + i * ldc + kSize * j;
      Store(to, kAdd ? Load<V>(to) + sum[i][j] : sum[i][j]);
    }
}

template <typename V, int kCount, bool kAlong, bool kAdd>
INLINE void Strip(float* c, int64_t ldc, const float* a, int64_t stride, const float* b, int64_t ldb, int64_t m, int64_t k) {
  const int64_t step = kAlong ? stride : 1;
  int64_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) Tile<V, kTileRows, kCount, kAlong, kAdd>(c + i * ldc, ldc, a + i * step, stride, b, ldb, k);
  for (; i + 3 <= m; i += 3) Tile<V, 3, kCount, kAlong, kAdd>(c + i * ldc, ldc, a + i * step, stride, b, ldb, k);
  for (; i < m; i++) Tile<V, 1, kCount, kAlong, kAdd>(c + i * ldc, ldc, a + i * step, stride, b, ldb, k);
}

/** C[m, n] (+)= A[m, k] * B[k, n]. */
template <bool kAlong, bool kAdd>
void Product(float* c, int64_t ldc, const float* a, int64_t stride, const float* b, int64_t ldb, int64_t m, int64_t n, int64_t k) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) Strip<F, 2, kAlong, kAdd>(c + j, ldc, a, stride, b + j, ldb, m, k);
  for (; j + kLanes <= n; j += kLanes) Strip<F, 1, kAlong, kAdd>(c + j, ldc, a, stride, b + j, ldb, m, k);
  for (; j + 4 <= n; j += 4) Strip<Vectors<4>::F, 1, kAlong, kAdd>(c + j, ldc, a, stride, b + j, ldb, m, k);
  for (; j < n; j++)
    for (int64_t i = 0; i < m; i++) {
      float sum = 0.0f;
      for (int64_t t = 0; t < k; t++) sum += (kAlong ? a[i * stride + t] : a[i + t * stride]) * b[t * ldb + j];
      c[i * ldc + j] = kAdd ? c[i * ldc + j] + sum : sum;
    }
}

#if defined(__GNUC__) && !defined(__clang__)
/** The lanes that change places with those kFar to their right, of two vectors. */
template <int kFar>
INLINE void Exchange(F& a, F& b) {
  I low, high;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    low[i] = i & kFar ? kLanes + i - kFar : i;
    high[i] = i & kFar ? kLanes + i : i + kFar;
  }
  const F first = __builtin_shuffle(a, b, low), second = __builtin_shuffle(a, b, high);
  a = first;
  b = second;
}

template <int kFar>
INLINE void ExchangeAll(F (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++)
    if (!(i & kFar)) Exchange<kFar>(rows[i], rows[i + kFar]);
}

/** As many rows as a vector has lanes, and as many columns. */
INLINE void TransposeSquare(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  F rows[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) rows[i] = Load(from + i * from_stride);
  ExchangeAll<1>(rows);
  ExchangeAll<2>(rows);
  if constexpr (kLanes > 4) ExchangeAll<4>(rows);
  if constexpr (kLanes > 8) ExchangeAll<8>(rows);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) Store(to + i * to_stride, rows[i]);
}
#define SQUARES 1
#endif

/** to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < columns. */
void Transpose(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  int64_t i = 0;
#if defined(SQUARES)
  for (; i + kLanes <= rows; i += kLanes) {
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) TransposeSquare(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    for (; j < columns; j++)
      for (int64_t r = i; r < i + kLanes; r++) to[j * to_stride + r] = from[r * from_stride + j];
  }
#endif
#if defined(__SSE__)
  for (; i + 4 <= rows; i += 4) {
    const float* f = from + i * from_stride;
    int64_t j = 0;
    for (; j + 4 <= columns; j += 4) {
      __m128 a = _mm_loadu_ps(f + j), b = _mm_loadu_ps(f + from_stride + j);
      __m128 c = _mm_loadu_ps(f + 2 * from_stride + j), d = _mm_loadu_ps(f + 3 * from_stride + j);
      _MM_TRANSPOSE4_PS(a, b, c, d);
      float* t = to + j * to_stride + i;
      _mm_storeu_ps(t, a);
      _mm_storeu_ps(t + to_stride, b);
      _mm_storeu_ps(t + 2 * to_stride, c);
      _mm_storeu_ps(t + 3 * to_stride, d);
    }
    for (; j < columns; j++)
      for (int r = 0; r < 4; r++) to[j * to_stride + i + r] = f[r * from_stride + j];
  }
#endif
  for (; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to[j * to_stride + i] = from[i * from_stride + j];
}

}  // namespace
