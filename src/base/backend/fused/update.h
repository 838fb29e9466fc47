// What an optimizer does with gradients and weights, see math.h. Included by math.cc alone, as vectors.h is.
#pragma once
#include "math.h"
#include "vectors.h"

namespace {

/** Sum of x^2, in doubles from block to block: a large matrix has more terms than a float can tell apart. */
double SumOfSquares(const float* x, int64_t n) {
  constexpr int64_t kBlock = 64 * kLanes;
  double total = 0;
  for (int64_t from = 0; from < n; from += kBlock) {
    const int64_t to = n - from < kBlock ? n : from + kBlock;
    F sums[2] = {};
    for (int64_t j = from, turn = 0; j < to; j += kLanes, turn ^= 1) {
      const F a = LoadSome(x + j, to - j);
      sums[turn] += a * a;
    }
    total += Sum(sums[0] + sums[1]);
  }
  return total;
}

INLINE F SquareRoot(F x) {
  float part[kLanes];
  Store(part, x);
  for (int i = 0; i < kLanes; i++) part[i] = __builtin_sqrtf(part[i]);
  return Load(part);
}

// With g = scale * gradient: m += (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g^2, p = keep p - rate m / (sqrt(v) / root + eps).
void AdamW(const tunebook::AdamWStep& s, float* p, float* m, float* v, const float* gradient, int64_t n) {
  for (int64_t j = 0; j < n; j += kLanes) {
    const int64_t count = n - j;
    const F g = LoadSome(gradient + j, count) * s.scale;
    F mean = LoadSome(m + j, count), square = LoadSome(v + j, count);
    mean += (g - mean) * s.rest1;
    square = square * s.beta2 + g * g * s.rest2;
    StoreSome(m + j, mean, count);
    StoreSome(v + j, square, count);
    StoreSome(p + j, LoadSome(p + j, count) * s.keep - mean * s.rate / (SquareRoot(square) * s.inverse_root + s.eps), count);
  }
}

}  // namespace
