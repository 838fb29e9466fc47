// Sums over the rows of matrices: the gradients of what all rows share.
#pragma once
#include <algorithm>

#include "floats.h"
#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

/**
 * Sums over all rows of what work(first, last, sums) adds to `kSums` vectors of n; without sums where the first of `outs` is null. The
 * number of parts is fixed, so that no sum depends on the number of threads. False where there is no memory.
 */
template <int kSums, typename Work>
bool SumByRows(int64_t rows, int64_t n, float* const (&outs)[kSums], const Work& work) {
  constexpr int64_t kParts = 16;
  if (!outs[0]) {
    ByRows(rows, n, [&](int64_t a, int64_t b) { work(a, b, nullptr); });
    return true;
  }
  const Floats sums = Allocate(kSums * kParts * n);
  if (!sums) return false;
  const auto part = [&](int64_t p, int) {
    float* own[kSums];
    for (int i = 0; i < kSums; i++) {
      own[i] = sums.get() + (i * kParts + p) * n;
      std::fill_n(own[i], n, 0.0f);
    }
    work(rows * p / kParts, rows * (p + 1) / kParts, own);
  };
  if (rows * n < (1 << 16))
    for (int64_t p = 0; p < kParts; p++) part(p, 0);
  else
    Pool::The().Run(kParts, part);
  for (int i = 0; i < kSums; i++) TheMath().add_rows(outs[i], sums.get() + i * kParts * n, kParts, n);
  return true;
}

}  // namespace tunebook
