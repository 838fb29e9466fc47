// Cross entropy of rows of logits, as one operation on them.
#pragma once
#include "tensorflow.h"

namespace tunebook {

/**
 * logits [rows, n], labels, weights [rows] -> losses [rows] (log(sum(exp)) - the label's logit, without its weight), and the gradient
 * of the weighted losses [rows, n].
 */
void CrossEntropy(Call& call);

}  // namespace tunebook
