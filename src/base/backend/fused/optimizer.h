// Weights where they lie: written in place, and all of a model in one call where TensorFlow's ops make one or several a weight.
#pragma once
#include "tensorflow.h"

namespace tunebook {

/** x_1 ... x_n -> the sum of squares of each, [n]. */
void SumsOfSquares(Call& call, int64_t n);

/**
 * AdamW in place: the memory of weights and moments is written, whoever else reads it.
 * Inputs: settings [6] (scale, 1 - beta1, beta2, 1 - beta2, 1 / root, eps), rates [n, 2] (what is kept of a weight, step size),
 * then n weights, n first moments, n second moments, n gradients. No outputs.
 */
void AdamW(Call& call, int64_t n);

/** Target, values, [i, n] -> the values stand in the target from element i * n on, whoever else reads it. No outputs. */
void Place(Call& call);

}  // namespace tunebook
