#include "loss.h"

#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

void CrossEntropy(Call& call) {
  const auto z = call.In(0), weights = call.In(2);
  const auto labels = call.Integers(1);
  if (!call.Need(labels.count == z.rows && weights.rows * weights.width == z.rows, "logits, labels and weights differ in number")) return;
  for (int64_t i = 0; i < labels.count; i++)
    if (!call.Need(labels.data[i] >= 0 && labels.data[i] < z.width, "a label is outside the vocabulary")) return;
  float* losses = call.Out(0, {z.rows});
  float* dz = call.Out(1, {z.rows, z.width});
  if (!call.Good()) return;
  // An exponential costs a few times what a sum does.
  ByRows(z.rows, z.width * 4, [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; i++)
      losses[i] = TheMath().cross_entropy(z.data + i * z.width, labels.data[i], weights.data[i], dz + i * z.width, z.width);
  });
}

}  // namespace tunebook
