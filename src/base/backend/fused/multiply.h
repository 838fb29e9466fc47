// Products of matrices of any size, several at once. How they are divided among threads; the arithmetic is in panels.h.
#pragma once
#include <cstdint>
#include <vector>

#include "tensorflow.h"

namespace tunebook {

/** A matrix as a factor; `turned`: its transpose is meant. */
struct Factor {
  const float* data;
  /** From one row of what lies there to the next. */
  int64_t stride;
  bool turned = false;
};

/** C[m, n] = base + the sum of left[m, k] * right[k, n] over the terms. */
struct Product {
  struct Term {
    Factor left, right;
    int64_t k;
  };
  float* to;
  /** From one row of C, and of the base, to the next. */
  int64_t stride;
  int64_t m, n;
  std::vector<Term> terms;
  const float* base = nullptr;
};

/**
 * Work them off, in any order: none may need what another makes. No sum depends on the number of threads. False where there is no
 * memory.
 */
bool Multiply(const std::vector<Product>& products);

/** a, b -> op(a) * op(b), where op turns a matrix if asked. */
void MatMul(Call& call, bool turn_a, bool turn_b);

}  // namespace tunebook
