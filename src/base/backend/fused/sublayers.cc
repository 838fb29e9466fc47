#include "sublayers.h"

#include <algorithm>
#include <cstring>

#include "floats.h"
#include "math.h"
#include "multiply.h"
#include "pool.h"
#include "sums.h"

namespace tunebook {

const Math& TheMath();

namespace {

constexpr char kNoRoom[] = "there is no memory for a layer";
/** What a unit costs beside a sum over its elements. */
constexpr int64_t kUnitCost = 4;

typedef Call::Matrix Matrix;

/** x W^T. */
Product::Term Forward(const float* x, const Matrix& w) { return {{x, w.width}, {w.data, w.width, true}, w.width}; }
/** dy W. */
Product::Term Backward(const float* dy, const Matrix& w) { return {{dy, w.rows}, {w.data, w.width}, w.rows}; }
/** dW = dy^T x. */
Product OfWeight(float* dw, const Matrix& w, const float* dy, const float* x, int64_t rows) {
  return {dw, w.width, w.rows, w.width, {{{dy, w.rows, true}, {x, w.width}, rows}}};
}

void Norm(const Matrix& x, const Matrix& w, const NormOf& norm, float* y, float* r) {
  ByRows(x.rows, x.width, [&](int64_t a, int64_t b) { TheMath().rms(x.data, w.data, y, r, a, b, x.width, norm.eps, norm.offset); });
}

/** Makes dx of the norm's input, and of its weight where dw is not null, and adds `more`, if there is any, to dx. */
bool NormGrad(const Matrix& x, const Matrix& w, const NormOf& norm, const float* dh, const float* r, const float* more, float* dx, float* dw) {
  float* const sums[1] = {dw};
  return SumByRows(x.rows, x.width, sums, [&](int64_t a, int64_t b, float** own) {
    TheMath().rms_grad(dh, x.data, w.data, r, dx, own ? own[0] : nullptr, a, b, x.width, norm.offset);
    for (int64_t i = a * x.width; more && i < b * x.width; i++) dx[i] += more[i];
  });
}

/** Memory of the gradients of weights, null for those that nobody wants. The first output is that of x. */
struct Gradients {
  Call& call;
  int32_t wanted;
  float* operator()(int index, const Matrix& w) {
    const bool is = wanted >> index & 1;
    float* to = w.rows == 1 ? call.Out(index + 1, {is ? w.width : 0}) : call.Out(index + 1, {is ? w.rows : 0, w.width});
    return is ? to : nullptr;
  }
};

/** Inputs of attention's half, from the first on. */
struct Attended {
  Matrix x, norm, q, k, v, o, cos_q, sin_q, cos_k, sin_k;
  Call::Whole starts, keep;

  Attended(Call& call, int at)
      : x(call.In(at)), norm(call.In(at + 1)), q(call.In(at + 2)), k(call.In(at + 3)), v(call.In(at + 4)), o(call.In(at + 5)),
        cos_q(call.In(at + 6)), sin_q(call.In(at + 7)), cos_k(call.In(at + 8)), sin_k(call.In(at + 9)), starts(call.Integers(at + 10)),
        keep(call.Integers(at + 11)) {}

  int64_t Kept() const { return keep.count > 0 ? keep.count : x.rows; }

  bool Fits(const HeadsOf& heads) const {
    const int64_t d = x.width, width = q.rows / heads.heads;
    bool fits = norm.rows == 1 && norm.width == d && q.width == d && k.width == d && v.Like(k) && o.rows == d && o.width == q.rows &&
                q.rows == heads.heads * width && k.rows == heads.key_heads * width && AreRows(starts, x.rows);
    fits = fits && 2 * cos_q.width <= width && cos_q.rows == x.rows && sin_q.Like(cos_q) && cos_k.Like(cos_q) && sin_k.Like(cos_q);
    for (int64_t i = 0; fits && i < keep.count; i++) fits = keep.data[i] >= 0 && keep.data[i] < x.rows;
    return fits;
  }

  /** Queries and keys, turned where they lie to their positions, or back. */
  void Turn(const SelfAttentionOf& shape, float* queries, float* keys, float sign) const {
    const int64_t width = q.rows / shape.heads.heads, half = cos_q.width;
    ByRows(x.rows, q.rows + k.rows, [&](int64_t a, int64_t b) {
      TheMath().rope(queries, cos_q.data, sin_q.data, queries, a, b, shape.heads.heads, width, half, sign, shape.pass_query);
      TheMath().rope(keys, cos_k.data, sin_k.data, keys, a, b, shape.heads.key_heads, width, half, sign, shape.pass_key);
    });
  }

  /** The rows that are kept, of a matrix with rows of n. */
  void Gather(const float* from, int64_t n, float* to) const {
    for (int64_t i = 0; i < keep.count; i++) std::memcpy(to + i * n, from + keep.data[i] * n, n * sizeof(float));
  }

  /** Adds what belongs to the rows that are kept; the same row may be kept twice. */
  void Scatter(const float* from, int64_t n, float* to) const {
    for (int64_t i = 0; i < keep.count; i++)
      for (int64_t j = 0; j < n; j++) to[keep.data[i] * n + j] += from[i * n + j];
  }
};

constexpr char kUnfit[] = "rows, norm, weights and rotation of attention do not fit";

}  // namespace

void SelfAttention(Call& call, const SelfAttentionOf& shape) {
  if (!call.Need(shape.heads.Sound(), kNoHeads)) return;
  const Attended in(call, 0);
  if (!call.Need(call.Good() && in.Fits(shape.heads), kUnfit)) return;
  const int64_t rows = in.x.rows, d = in.x.width, wide = in.q.rows, narrow = in.k.rows, kept = in.Kept();
  float* y = call.Out(0, {kept, d});
  float* r = call.Out(1, {rows});
  float* q = call.Out(2, {rows, wide});
  float* k = call.Out(3, {rows, narrow});
  float* v = call.Out(4, {rows, narrow});
  float* out = call.Out(5, {rows, wide});
  float* logsum = call.Out(6, {rows, shape.heads.heads});
  if (!call.Good()) return;
  const Floats h = Allocate(rows * d), some = Allocate(in.keep.count * (wide + d));
  if (!call.Need(h && some, kNoRoom, kResourceExhausted)) return;
  Norm(in.x, in.norm, shape.norm, h.get(), r);
  bool room = Multiply({{q, wide, rows, wide, {Forward(h.get(), in.q)}},
                        {k, narrow, rows, narrow, {Forward(h.get(), in.k)}},
                        {v, narrow, rows, narrow, {Forward(h.get(), in.v)}}});
  in.Turn(shape, q, k, 1.0f);
  room = room && Attend({shape.heads, wide / shape.heads.heads, rows, q, k, v, out, logsum}, in.starts);
  const float *from = out, *stream = in.x.data;
  if (in.keep.count > 0) {
    in.Gather(out, wide, some.get());
    in.Gather(in.x.data, d, some.get() + kept * wide);
    from = some.get();
    stream = from + kept * wide;
  }
  room = room && Multiply({{y, d, kept, d, {Forward(from, in.o)}, stream}});
  call.Need(room, kNoRoom, kResourceExhausted);
}

void SelfAttentionGrad(Call& call, const SelfAttentionOf& shape) {
  if (!call.Need(shape.heads.Sound(), kNoHeads)) return;
  const auto dy = call.In(0);
  const Attended in(call, 1);
  const auto r = call.In(13), q = call.In(14), k = call.In(15), v = call.In(16), out = call.In(17), logsum = call.In(18);
  const int64_t rows = in.x.rows, d = in.x.width, wide = in.q.rows, narrow = in.k.rows, kept = in.Kept();
  const bool fits = call.Good() && in.Fits(shape.heads) && dy.rows == kept && dy.width == d && r.rows * r.width == rows && q.rows == rows &&
                    q.width == wide && out.Like(q) && k.rows == rows && k.width == narrow && v.Like(k) && logsum.rows == rows &&
                    logsum.width == shape.heads.heads;
  if (!call.Need(fits, kUnfit)) return;
  float* dx = call.Out(0, {rows, d});
  Gradients gradient{call, shape.wanted};
  float *dnorm = gradient(0, in.norm), *dwq = gradient(1, in.q), *dwk = gradient(2, in.k), *dwv = gradient(3, in.v), *dwo = gradient(4, in.o);
  if (!call.Good()) return;
  const Floats scratch = Allocate(2 * rows * (d + wide + narrow) + rows), some = Allocate(2 * in.keep.count * wide);
  if (!call.Need(scratch && some, kNoRoom, kResourceExhausted)) return;
  float *h = scratch.get(), *dh = h + rows * d, *dout = dh + rows * d, *dq = dout + rows * wide, *dk = dq + rows * wide;
  float *dv = dk + rows * narrow, *unused = dv + rows * narrow;

  const float* from = out.data;
  float* to = dout;
  if (in.keep.count > 0) {
    to = some.get() + kept * wide;
    in.Gather(out.data, wide, some.get());
    from = some.get();
  }
  std::vector<Product> products = {{to, wide, kept, wide, {Backward(dy.data, in.o)}}};
  if (dwo) products.push_back(OfWeight(dwo, in.o, dy.data, from, kept));
  bool room = Multiply(products);
  if (in.keep.count > 0) {
    std::fill_n(dout, rows * wide, 0.0f);
    in.Scatter(to, wide, dout);
  }
  const AttentionPass pass{shape.heads, wide / shape.heads.heads,        rows, q.data, k.data, v.data, const_cast<float*>(out.data),
                           const_cast<float*>(logsum.data)};
  room = room && AttendGrad(pass, in.starts, dout, dq, dk, dv);
  in.Turn(shape, dq, dk, -1.0f);
  Norm(in.x, in.norm, shape.norm, h, unused);
  products = {{dh, d, rows, d, {Backward(dq, in.q), Backward(dk, in.k), Backward(dv, in.v)}}};
  if (dwq) products.push_back(OfWeight(dwq, in.q, dq, h, rows));
  if (dwk) products.push_back(OfWeight(dwk, in.k, dk, h, rows));
  if (dwv) products.push_back(OfWeight(dwv, in.v, dv, h, rows));
  room = room && Multiply(products);
  room = room && NormGrad(in.x, in.norm, shape.norm, dh, r.data, in.keep.count > 0 ? nullptr : dy.data, dx, dnorm);
  in.Scatter(dy.data, d, dx);
  call.Need(room, kNoRoom, kResourceExhausted);
}

namespace {

/** Inputs of the feed-forward half, from the first on. */
struct Fed {
  Matrix x, norm, gate, up, down;

  Fed(Call& call, int at) : x(call.In(at)), norm(call.In(at + 1)), gate(call.In(at + 2)), up(call.In(at + 3)), down(call.In(at + 4)) {}

  bool Fit() const {
    return norm.rows == 1 && norm.width == x.width && gate.width == x.width && up.Like(gate) && down.rows == x.width &&
           down.width == gate.rows;
  }
};

/** f(gate) * up. */
void Gated(int kind, const float* gate, const float* up, float* y, int64_t rows, int64_t n) {
  ByRows(rows, n * kUnitCost, [&](int64_t a, int64_t b) { TheMath().unit(kind, gate, up, y, a * n, b * n); });
}

constexpr char kMisfit[] = "rows, norm and weights of a feed-forward layer do not fit";

}  // namespace

void FeedForward(Call& call, const FeedForwardOf& shape) {
  const Fed in(call, 0);
  if (!call.Need(call.Good() && in.Fit(), kMisfit)) return;
  const int64_t rows = in.x.rows, d = in.x.width, n = in.gate.rows;
  float* y = call.Out(0, {rows, d});
  float* r = call.Out(1, {rows});
  float* gate = call.Out(2, {rows, n});
  float* up = call.Out(3, {rows, n});
  if (!call.Good()) return;
  const Floats scratch = Allocate(rows * std::max(d, n));
  if (!call.Need(scratch != nullptr, kNoRoom, kResourceExhausted)) return;
  float* h = scratch.get();
  Norm(in.x, in.norm, shape.norm, h, r);
  bool room = Multiply({{gate, n, rows, n, {Forward(h, in.gate)}}, {up, n, rows, n, {Forward(h, in.up)}}});
  Gated(shape.unit, gate, up, h, rows, n);
  room = room && Multiply({{y, d, rows, d, {Forward(h, in.down)}, in.x.data}});
  call.Need(room, kNoRoom, kResourceExhausted);
}

void FeedForwardGrad(Call& call, const FeedForwardOf& shape) {
  const auto dy = call.In(0);
  const Fed in(call, 1);
  const auto r = call.In(6), gate = call.In(7), up = call.In(8);
  const int64_t rows = in.x.rows, d = in.x.width, n = in.gate.rows;
  const bool fits = call.Good() && in.Fit() && dy.Like(in.x) && r.rows * r.width == rows && gate.rows == rows && gate.width == n && up.Like(gate);
  if (!call.Need(fits, kMisfit)) return;
  float* dx = call.Out(0, {rows, d});
  Gradients gradient{call, shape.wanted};
  float *dnorm = gradient(0, in.norm), *dwg = gradient(1, in.gate), *dwu = gradient(2, in.up), *dwd = gradient(3, in.down);
  if (!call.Good()) return;
  const Floats scratch = Allocate(2 * rows * (d + n) + rows);
  if (!call.Need(scratch != nullptr, kNoRoom, kResourceExhausted)) return;
  float *h = scratch.get(), *dh = h + rows * d, *dgate = dh + rows * d, *dup = dgate + rows * n, *unused = dup + rows * n;

  // The unit's output stands where the gradient of up will, and the gradient by it where that of the gate will.
  float *made = dup, *paid = dgate;
  std::vector<Product> products = {{paid, n, rows, n, {Backward(dy.data, in.down)}}};
  if (dwd) {
    Gated(shape.unit, gate.data, up.data, made, rows, n);
    products.push_back(OfWeight(dwd, in.down, dy.data, made, rows));
  }
  bool room = Multiply(products);
  ByRows(rows, n * kUnitCost,
         [&](int64_t a, int64_t b) { TheMath().unit_grad(shape.unit, paid, gate.data, up.data, dgate, dup, a * n, b * n); });
  Norm(in.x, in.norm, shape.norm, h, unused);
  products = {{dh, d, rows, d, {Backward(dgate, in.gate), Backward(dup, in.up)}}};
  if (dwg) products.push_back(OfWeight(dwg, in.gate, dgate, h, rows));
  if (dwu) products.push_back(OfWeight(dwu, in.up, dup, h, rows));
  room = room && Multiply(products);
  room = room && NormGrad(in.x, in.norm, shape.norm, dh, r.data, dy.data, dx, dnorm);
  call.Need(room, kNoRoom, kResourceExhausted);
}

}  // namespace tunebook
