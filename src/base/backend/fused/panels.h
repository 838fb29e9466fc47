// Products of matrices of any size, from a packed right factor: its columns lie in panels as wide as a tile of the result, so that
// the innermost loop reads them one after the other. The left factor is read as it lies. Included by math.cc alone, as vectors.h is.
#pragma once
#include "vectors.h"

namespace {

constexpr int64_t kPanel = 2 * kLanes;
/** Rows of the left factor that stay in the nearest cache while the panels pass by. */
constexpr int64_t kNear = 2 * kTileRows;

void Pack(const float* b, int64_t ldb, bool turned, int64_t columns, int64_t k, float* to) {
  const int64_t whole = columns / kPanel * kPanel, rest = columns - whole;
  if (rest)
    for (int64_t i = whole * k; i < (whole + kPanel) * k; i++) to[i] = 0.0f;
  if (turned) {
    for (int64_t j = 0; j < columns; j += kPanel) Transpose(b + j * ldb, ldb, columns - j < kPanel ? rest : kPanel, k, to + j * k, kPanel);
    return;
  }
  for (int64_t t = 0; t < k; t++, b += ldb, to += kPanel) {
    for (int64_t j = 0; j < whole; j += kPanel) {
      Store(to + j * k, Load(b + j));
      Store(to + j * k + kLanes, Load(b + j + kLanes));
    }
    for (int64_t i = 0; i < rest; i += kLanes) StoreSome(to + whole * k + i, LoadSome(b + whole + i, rest - i), rest - i);
  }
}

template <bool kAlong, bool kAdd>
void MultiplyBy(float* c, int64_t ldc, const float* a, int64_t lda, const float* panels, int64_t m, int64_t columns, int64_t k) {
  for (int64_t i = 0; i < m; i += kNear) {
    const int64_t rows = m - i < kNear ? m - i : kNear;
    for (int64_t j = 0; j < columns; j += kPanel)
      Product<kAlong, kAdd>(c + i * ldc + j, ldc, a + (kAlong ? i * lda : i), lda, panels + j * k, kPanel, rows,
                            columns - j < kPanel ? columns - j : kPanel, k);
  }
}

void Multiply(float* c, int64_t ldc, const float* a, int64_t lda, bool turned, const float* panels, int64_t m, int64_t columns, int64_t k,
              bool add) {
  if (turned && add) return MultiplyBy<false, true>(c, ldc, a, lda, panels, m, columns, k);
  if (turned) return MultiplyBy<false, false>(c, ldc, a, lda, panels, m, columns, k);
  if (add) return MultiplyBy<true, true>(c, ldc, a, lda, panels, m, columns, k);
  return MultiplyBy<true, false>(c, ldc, a, lda, panels, m, columns, k);
}

}  // namespace
