// How the weights of a model are divided among threads, whatever their sizes; the arithmetic is in update.h.
#include "optimizer.h"

#include <algorithm>
#include <vector>

#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

namespace {

/** A piece of one tensor. Pieces depend on sizes alone, so that no sum depends on the number of threads. */
struct Piece {
  int64_t tensor, first, count;
};

constexpr int64_t kPiece = 1 << 15;

std::vector<Piece> Pieces(const std::vector<Call::Matrix>& tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); i++) {
    const int64_t size = tensors[i].rows * tensors[i].width;
    for (int64_t first = 0; first < size; first += kPiece)
      pieces.push_back({static_cast<int64_t>(i), first, std::min(kPiece, size - first)});
  }
  return pieces;
}

std::vector<Call::Matrix> Inputs(Call& call, int64_t first, int64_t n) {
  std::vector<Call::Matrix> found;
  found.reserve(n);
  for (int64_t i = 0; i < n; i++) found.push_back(call.In(static_cast<int>(first + i)));
  return found;
}

/** work(piece), small pieces together: a thread is not worth waking for a norm's weight. */
template <typename Work>
void ForAll(const std::vector<Piece>& pieces, const Work& work) {
  std::vector<size_t> begins;
  int64_t load = kPiece;
  for (size_t i = 0; i < pieces.size(); i++) {
    if (load >= kPiece) {
      begins.push_back(i);
      load = 0;
    }
    load += pieces[i].count;
  }
  const int64_t parts = static_cast<int64_t>(begins.size());
  begins.push_back(pieces.size());
  Pool::The().Run(parts, [&](int64_t part, int) {
    for (size_t i = begins[part]; i < begins[part + 1]; i++) work(i);
  });
}

}  // namespace

void SumsOfSquares(Call& call, int64_t n) {
  const auto tensors = Inputs(call, 0, n);
  float* out = call.Out(0, {n});
  if (!call.Good()) return;
  const auto pieces = Pieces(tensors);
  std::vector<double> sums(pieces.size());
  ForAll(pieces, [&](size_t i) { sums[i] = TheMath().sum_of_squares(tensors[pieces[i].tensor].data + pieces[i].first, pieces[i].count); });
  std::vector<double> totals(n);
  for (size_t i = 0; i < pieces.size(); i++) totals[pieces[i].tensor] += sums[i];
  std::copy(totals.begin(), totals.end(), out);
}

void AdamW(Call& call, int64_t n) {
  const auto settings = call.In(0), rates = call.In(1);
  if (!call.Need(settings.width == 6 && settings.rows == 1 && rates.rows == n && rates.width == 2, "settings of the optimizer are missing"))
    return;
  const auto weights = Inputs(call, 2, n), means = Inputs(call, 2 + n, n), squares = Inputs(call, 2 + 2 * n, n);
  const auto gradients = Inputs(call, 2 + 3 * n, n);
  for (int64_t i = 0; i < n; i++)
    if (!call.Need(means[i].Like(weights[i]) && squares[i].Like(weights[i]) && gradients[i].Like(weights[i]),
                   "a weight, its moments and its gradient differ in shape"))
      return;
  if (!call.Good()) return;
  const float* s = settings.data;
  const auto pieces = Pieces(weights);
  ForAll(pieces, [&](size_t at) {
    const auto& [i, first, count] = pieces[at];
    const auto place = [first = first](const Call::Matrix& x) { return const_cast<float*>(x.data) + first; };
    const AdamWStep step = {s[0], s[1], s[2], s[3], s[4], s[5], rates.data[2 * i], rates.data[2 * i + 1]};
    TheMath().adamw(step, place(weights[i]), place(means[i]), place(squares[i]), place(gradients[i]), count);
  });
}

void Place(Call& call) {
  const auto target = call.In(0), values = call.In(1);
  const auto at = call.Integers(2);
  const int64_t room = target.rows * target.width, count = values.rows * values.width;
  const int64_t first = at.count == 2 ? static_cast<int64_t>(at.data[0]) * at.data[1] : -1;
  if (!call.Need(first >= 0 && first + count <= room, "values do not fit into their target")) return;
  float* to = const_cast<float*>(target.data) + first;
  // Memory that is touched for the first time costs more than the copy.
  ByRows(count, 1, [&](int64_t a, int64_t b) { std::copy(values.data + a, values.data + b, to + a); });
}

}  // namespace tunebook
