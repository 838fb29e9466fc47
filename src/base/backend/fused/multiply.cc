#include "multiply.h"

#include <algorithm>

#include "floats.h"
#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

namespace {

/** Rows of the right factor that are packed at once, and panels: with them a thread's panels stay in the second cache. */
constexpr int64_t kDepth = 512, kPanels = 4;
/** Multiplications below which a part of its own is not worth it. */
constexpr int64_t kWorth = 1 << 19;

/** Room for a thread's panels, kept as long as the thread lives; null where there is no memory. */
float* Panels() {
  thread_local Floats room;
  if (!room) room = Allocate(kDepth * kPanels * TheMath().panel);
  return room.get();
}

int64_t Up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/** How a product is cut: into parts of so many rows and columns. */
struct Cut {
  const Product& product;
  int64_t rows, columns, across, parts;

  Cut(const Product& p, int64_t wanted) : product(p), rows(p.m) {
    const int64_t panel = TheMath().panel;
    int64_t deep = 0, panels = std::min(kPanels, std::max<int64_t>(1, Up(p.n, panel)));
    for (const auto& term : p.terms) deep += term.k;
    // Every part packs its columns for itself: that is cheap where many rows use them, and free where columns alone are cut.
    for (;;) {
      columns = panels * panel;
      if (Up(p.m, rows) * Up(p.n, columns) >= wanted || rows * columns * deep < 2 * kWorth) break;
      if (rows > 768)
        rows = Up(rows, 2);
      else if (panels > 1)
        panels = Up(panels, 2);
      else if (rows > 96)
        rows = Up(rows, 2);
      else
        break;
    }
    across = Up(p.n, columns);
    parts = Up(p.m, rows) * across;
  }

  void Work(int64_t part, float* packed) const {
    const int64_t i = part / across * rows, j = part % across * columns;
    const int64_t m = std::min(rows, product.m - i), n = std::min(columns, product.n - j);
    float* to = product.to + i * product.stride + j;
    bool add = false;
    for (const auto& [left, right, k] : product.terms) {
      // Pieces of the same depth, whatever is asked of this part: sums must not depend on how the work is cut.
      const int64_t depth = Up(k, std::max<int64_t>(1, Up(k, kDepth)));
      for (int64_t t = 0; t < k; t += depth) {
        const int64_t deep = std::min(depth, k - t);
        const float* b = right.data + (right.turned ? j * right.stride + t : t * right.stride + j);
        const float* a = left.data + (left.turned ? t * left.stride + i : i * left.stride + t);
        TheMath().pack(b, right.stride, right.turned, n, deep, packed);
        TheMath().product(to, product.stride, a, left.stride, left.turned, packed, m, n, deep, add);
        add = true;
      }
    }
    if (!add)
      for (int64_t row = 0; row < m; row++) std::fill_n(to + row * product.stride, n, 0.0f);
    // Last, as if it were an operation of its own: the same bits.
    for (int64_t row = 0; product.base && row < m; row++) {
      const float* more = product.base + (i + row) * product.stride + j;
      for (int64_t c = 0; c < n; c++) to[row * product.stride + c] += more[c];
    }
  }
};

}  // namespace

bool Multiply(const std::vector<Product>& products) {
  const int64_t wanted = Up(4 * Pool::The().size(), std::max<int64_t>(1, static_cast<int64_t>(products.size())));
  std::vector<Cut> cuts;
  int64_t parts = 0;
  for (const Product& product : products) {
    if (product.m == 0 || product.n == 0) continue;
    cuts.emplace_back(product, Pool::The().size() > 1 ? std::max<int64_t>(wanted, 2) : 1);
    parts += cuts.back().parts;
  }
  std::atomic<bool> room{true};
  Pool::The().Run(parts, [&](int64_t part, int) {
    float* packed = Panels();
    if (!packed) {
      room = false;
      return;
    }
    for (const Cut& cut : cuts) {
      if (part < cut.parts) return cut.Work(part, packed);
      part -= cut.parts;
    }
  });
  return room;
}

void MatMul(Call& call, bool turn_a, bool turn_b) {
  const auto a = call.In(0), b = call.In(1);
  const int64_t m = turn_a ? a.width : a.rows, k = turn_a ? a.rows : a.width, n = turn_b ? b.rows : b.width;
  if (!call.Need((turn_b ? b.width : b.rows) == k, "the inner sizes of a product differ")) return;
  float* c = call.Out(0, {m, n});
  if (!call.Good()) return;
  call.Need(Multiply({{c, n, m, n, {{{a.data, a.width, turn_a}, {b.data, b.width, turn_b}, k}}}}), "there is no memory for a product",
            kResourceExhausted);
}

}  // namespace tunebook
