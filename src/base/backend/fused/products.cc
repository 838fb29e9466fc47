// Products with few rows, and what stands before and behind them in a decoder's layer.
#include <algorithm>
#include <cstring>

#include "floats.h"
#include "math.h"
#include "pool.h"
#include "step.h"

namespace tunebook {

const Math& TheMath();

namespace {

/** Bytes of a matrix that are worth a part of their own. */
constexpr int64_t kPartBytes = 1 << 17;
/** Elements of all matrices below which waking another thread costs more than it helps; every eighth row counts once more. */
constexpr int64_t kAlone = 1 << 16;

/** The matrices beside each other. */
struct Side {
  const ProductsOf& shape;
  const float* x;
  int64_t rows, in;
  std::vector<Call::Matrix> matrices, biases;
  std::vector<int64_t> starts;

  /** to[i, j - first] = the products of the columns j from first to last. */
  void Columns(int64_t first, int64_t last, float* to, int64_t stride) const {
    for (size_t at = 0; at < matrices.size(); at++) {
      const int64_t from = std::max(first, starts[at]), end = std::min(last, starts[at + 1]);
      if (from >= end) continue;
      const int64_t column = from - starts[at], width = starts[at + 1] - starts[at];
      const float* w = matrices[at].data;
      float* out = to + from - first;
      if (shape.transposed)
        TheMath().rows_by_columns(x, in, rows, w + column, width, end - from, in, out, stride);
      else
        TheMath().rows_by_rows(x, in, rows, w + column * in, in, end - from, in, out, stride);
      if (!shape.biased) continue;
      const float* bias = biases[at].data + column;
      for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < end - from; j++) out[i * stride + j] += bias[j];
    }
  }
};

/** Columns of y that are a part. */
int64_t Step(const ProductsOf& shape, int64_t rows, int64_t in, int64_t width) {
  const int64_t columns = shape.gated ? 2 * width : width, threads = Pool::The().size();
  if (columns * in * (1 + rows / 8) < kAlone) return width;
  // Columns of [in, out] are read piece by piece: pieces should be long.
  const int64_t least = shape.transposed ? 128 : 16;
  const int64_t worth = kPartBytes / 4 * width / std::max<int64_t>(1, columns * in);
  return std::max(least, std::min(worth, width / (2 * threads)) / 16 * 16);
}

}  // namespace

void Products(Call& call, const ProductsOf& shape) {
  const auto x = call.In(0);
  if (!call.Need(shape.matrices > 0 && shape.norm >= 0 && shape.norm <= 2, "products need matrices, and a norm that there is")) return;
  int next = 1;
  Call::Matrix weight, shift;
  if (shape.norm > 0) weight = call.In(next++);
  if (shape.norm > 1) shift = call.In(next++);
  Side side{shape, x.data, x.rows, x.width, {}, {}, {0}};
  bool fits = (shape.norm < 1 || (weight.rows == 1 && weight.width == x.width)) && (shape.norm < 2 || shift.Like(weight));
  for (int64_t i = 0; i < shape.matrices; i++) {
    const auto w = call.In(next++);
    fits = fits && (shape.transposed ? w.rows : w.width) == x.width;
    side.matrices.push_back(w);
    side.starts.push_back(side.starts.back() + (shape.transposed ? w.width : w.rows));
  }
  for (int64_t i = 0; shape.biased && i < shape.matrices; i++) {
    const auto b = call.In(next++);
    fits = fits && b.rows == 1 && b.width == side.starts[i + 1] - side.starts[i];
    side.biases.push_back(b);
  }
  const int64_t columns = side.starts.back(), width = shape.gated ? columns / 2 : columns;
  Call::Matrix residual;
  if (shape.residual) residual = call.In(next++);
  fits = fits && (!shape.gated || (columns % 2 == 0 && shape.unit >= 0)) && (!shape.residual || (residual.rows == x.rows && residual.width == width));
  if (!call.Need(fits, "rows, norm, matrices, biases and residual do not fit")) return;
  float* y = call.Out(0, {x.rows, width});
  if (!call.Good() || x.rows == 0 || width == 0) return;

  const int64_t step = Step(shape, x.rows, x.width, width), parts = (width + step - 1) / step;
  const int64_t normed = shape.norm > 0 ? x.rows * (x.width + 2) : 0, each = (shape.gated ? 2 : 1) * x.rows * step;
  const Floats scratch = Allocate(normed + each * Pool::The().size());
  if (!call.Need(scratch != nullptr, "there is no memory for products", kResourceExhausted)) return;
  if (shape.norm > 0) {
    float *to = scratch.get(), *mean = to + x.rows * x.width, *r = mean + x.rows;
    const FlushTiny flush;
    if (shape.norm == 1)
      TheMath().rms(x.data, weight.data, to, r, 0, x.rows, x.width, shape.eps, shape.offset);
    else
      TheMath().layer(x.data, weight.data, shift.data, to, mean, r, 0, x.rows, x.width, shape.eps);
    side.x = to;
  }
  Pool::The().Run(parts, [&](int64_t part, int slot) {
    const int64_t first = part * step, last = std::min(width, first + step), count = last - first;
    // Not into y at once, whose rows may lie so far apart that they push each other out of the nearest cache.
    float *made = scratch.get() + normed + slot * each, *up = shape.gated ? made + x.rows * count : nullptr;
    side.Columns(first, last, made, count);
    if (up) side.Columns(width + first, width + last, up, count);
    for (int64_t i = 0; i < x.rows; i++) {
      float *from = made + i * count, *to = y + i * width + first;
      if (shape.unit >= 0) TheMath().unit(static_cast<int>(shape.unit), from, up ? up + i * count : nullptr, from, 0, count);
      if (shape.residual)
        for (int64_t j = 0; j < count; j++) to[j] = from[j] + residual.data[i * width + first + j];
      else
        std::memcpy(to, from, count * sizeof(float));
    }
  });
}

}  // namespace tunebook
