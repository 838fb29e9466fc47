// The arithmetic of the cross entropy, see math.h. Included by math.cc alone, as vectors.h is.
#pragma once
#include "vectors.h"

namespace {

/** As LoadSome, but nothing in the softmax of whatever else there is stands behind. */
INLINE F LoadLogits(const float* from, int64_t count) {
  if (count >= kLanes) return Load(from);
  float part[kLanes];
  for (int i = 0; i < kLanes; i++) part[i] = i < count ? from[i] : -3e38f;
  return Load(part);
}

// dz = weight * (softmax(z) - onehot(label)); returns log(sum(exp(z))) - z[label].
float CrossEntropy(const float* z, int32_t label, float weight, float* dz, int64_t n) {
  F high = All(-3e38f);
  for (int64_t j = 0; j < n; j += kLanes) {
    const F x = LoadLogits(z + j, n - j);
    high = x > high ? x : high;
  }
  float most = -3e38f;
  for (int i = 0; i < kLanes; i++) most = high[i] > most ? high[i] : most;
  // In doubles from block to block: a vocabulary has many terms.
  constexpr int64_t kBlock = 64 * kLanes;
  double total = 0;
  for (int64_t from = 0; from < n; from += kBlock) {
    const int64_t to = n - from < kBlock ? n : from + kBlock;
    F sum = {};
    for (int64_t j = from; j < to; j += kLanes) {
      const F e = Exp(LoadLogits(z + j, n - j) - most);
      StoreSome(dz + j, e, n - j);
      sum += e;
    }
    total += Sum(sum);
  }
  const float share = weight / total;
  for (int64_t j = 0; j < n; j += kLanes) StoreSome(dz + j, LoadSome(dz + j, n - j) * share, n - j);
  dz[label] -= weight;
  return __builtin_log(total) + most - z[label];
}

}  // namespace
