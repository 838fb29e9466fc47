// The arithmetic of the fused kernels, see math.h. SET names the table that this compilation makes.
#include "math.h"

#include "rows.h"
#include "entropy.h"
#include "panels.h"
#include "update.h"
#include "vectors.h"

namespace {

using tunebook::Block;
using tunebook::BlockGrad;
using tunebook::Glimpse;
using tunebook::kKeys;
using tunebook::kQueries;

// ---- Norms.

// y = (offset + w) * x * r, r = (mean(x^2) + eps)^-1/2.
void Rms(const float* x, const float* w, float* y, float* r, int64_t first, int64_t last, int64_t n, float eps, float offset) {
  for (int64_t i = first; i < last; i++) {
    const float* xi = x + i * n;
    float* yi = y + i * n;
    F sum = {};
    for (int64_t j = 0; j < n; j += kLanes) {
      const F a = LoadSome(xi + j, n - j);
      sum += a * a;
    }
    const float ri = 1.0f / __builtin_sqrtf(Sum(sum) / n + eps);
    r[i] = ri;
    for (int64_t j = 0; j < n; j += kLanes)
      StoreSome(yi + j, LoadSome(xi + j, n - j) * ri * (LoadSome(w + j, n - j) + offset), n - j);
  }
}

// dx = r * (g - x * r^2 * mean(g * x)), g = dy * (offset + w); dw += dy * x * r.
void RmsGrad(const float* dy, const float* x, const float* w, const float* r, float* dx, float* dw, int64_t first, int64_t last,
             int64_t n, float offset) {
  for (int64_t i = first; i < last; i++) {
    const float *di = dy + i * n, *xi = x + i * n;
    float* oi = dx + i * n;
    const float ri = r[i];
    F along = {};
    for (int64_t j = 0; j < n; j += kLanes)
      along += LoadSome(di + j, n - j) * (LoadSome(w + j, n - j) + offset) * LoadSome(xi + j, n - j);
    const float pull = Sum(along) / n * ri * ri;
    for (int64_t j = 0; j < n; j += kLanes) {
      const F d = LoadSome(di + j, n - j), a = LoadSome(xi + j, n - j);
      StoreSome(oi + j, (d * (LoadSome(w + j, n - j) + offset) - a * pull) * ri, n - j);
      if (dw) StoreSome(dw + j, LoadSome(dw + j, n - j) + d * (a * ri), n - j);
    }
  }
}

// y = w * (x - mean) * r + b, r = (var(x) + eps)^-1/2.
void Layer(const float* x, const float* w, const float* b, float* y, float* mean, float* r, int64_t first, int64_t last, int64_t n,
           float eps) {
  for (int64_t i = first; i < last; i++) {
    const float* xi = x + i * n;
    float* yi = y + i * n;
    F sum = {}, square = {};
    for (int64_t j = 0; j < n; j += kLanes) sum += LoadSome(xi + j, n - j);
    const float middle = Sum(sum) / n;
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) {
      const F a = Load(xi + j) - middle;
      square += a * a;
    }
    float rest = 0;
    for (; j < n; j++) rest += (xi[j] - middle) * (xi[j] - middle);
    const float ri = 1.0f / __builtin_sqrtf((Sum(square) + rest) / n + eps);
    mean[i] = middle;
    r[i] = ri;
    for (j = 0; j < n; j += kLanes)
      StoreSome(yi + j, (LoadSome(xi + j, n - j) - middle) * ri * LoadSome(w + j, n - j) + LoadSome(b + j, n - j), n - j);
  }
}

// With g = dy * w and z = (x - mean) * r: dx = r * (g - mean(g) - z * mean(g * z)); dw += dy * z; db += dy.
void LayerGrad(const float* dy, const float* x, const float* w, const float* mean, const float* r, float* dx, float* dw, float* db,
               int64_t first, int64_t last, int64_t n) {
  for (int64_t i = first; i < last; i++) {
    const float *di = dy + i * n, *xi = x + i * n;
    float* oi = dx + i * n;
    const float ri = r[i], middle = mean[i];
    F all = {}, along = {};
    for (int64_t j = 0; j < n; j += kLanes) {
      const F g = LoadSome(di + j, n - j) * LoadSome(w + j, n - j);
      all += g;
      along += g * ((LoadSome(xi + j, n - j) - middle) * ri);
    }
    const float level = Sum(all) / n, pull = Sum(along) / n;
    for (int64_t j = 0; j < n; j += kLanes) {
      const F d = LoadSome(di + j, n - j), z = (LoadSome(xi + j, n - j) - middle) * ri;
      StoreSome(oi + j, (d * LoadSome(w + j, n - j) - level - z * pull) * ri, n - j);
      if (!dw) continue;
      StoreSome(dw + j, LoadSome(dw + j, n - j) + d * z, n - j);
      StoreSome(db + j, LoadSome(db + j, n - j) + d, n - j);
    }
  }
}

void AddRows(float* out, const float* rows, int64_t count, int64_t n) {
  for (int64_t j = 0; j < n; j += kLanes) {
    F sum = {};
    for (int64_t i = 0; i < count; i++) sum += LoadSome(rows + i * n + j, n - j);
    StoreSome(out + j, sum, n - j);
  }
}

// ---- Rotary positions. Tables are [tokens, half]; what is not turned of a head is multiplied with `pass`.

void Rope(const float* x, const float* cosine, const float* sine, float* y, int64_t first, int64_t last, int64_t heads, int64_t width,
          int64_t half, float sign, float pass) {
  for (int64_t t = first; t < last; t++) {
    const float *c = cosine + t * half, *s = sine + t * half;
    for (int64_t h = 0; h < heads; h++) {
      const float* xi = x + (t * heads + h) * width;
      float* yi = y + (t * heads + h) * width;
      for (int64_t j = 0; j < half; j += kLanes) {
        const F a = LoadSome(xi + j, half - j), b = LoadSome(xi + half + j, half - j);
        const F turn = LoadSome(s + j, half - j) * sign, keep = LoadSome(c + j, half - j);
        StoreSome(yi + j, a * keep - b * turn, half - j);
        StoreSome(yi + half + j, b * keep + a * turn, half - j);
      }
      for (int64_t j = 2 * half; j < width; j++) yi[j] = xi[j] * pass;
    }
  }
}

// ---- Units: y = f(g) * u.

struct Slope {
  F value, slope;
};

/** f and its derivative. All but gelu are g * sigmoid(z(g)). */
template <int kKind>
INLINE Slope At(F g) {
  if (kKind == tunebook::kGelu) {
    const F phi = Erf(g * 0.70710678118654752f) * 0.5f + 0.5f;
    return {g * phi, phi + g * (Exp(g * g * -0.5f) * 0.39894228040143268f)};
  }
  constexpr float kRoot = 1.5957691216057308f;  // 2 * sqrt(2 / pi)
  F z = g, dz = All(1.0f);
  if (kKind == tunebook::kQuickGelu) {
    z = g * 1.702f;
    dz = All(1.702f);
  }
  if (kKind == tunebook::kGeluNew) {
    const F square = g * g;
    z = g * (square * (0.044715f * kRoot) + kRoot);
    dz = square * (3 * 0.044715f * kRoot) + kRoot;
  }
  const F s = 1.0f / (Exp(-z) + 1.0f);
  // Far from 0 the slope of the sigmoid is 0, whatever the powers of g are.
  F bend = s * (1.0f - s);
  bend = bend < 1e-30f ? F{} : bend * (g * dz);
  return {g * s, s + bend};
}

template <int kKind>
void UnitOf(const float* g, const float* u, float* y, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i += kLanes) {
    const F value = At<kKind>(LoadSome(g + i, last - i)).value;
    StoreSome(y + i, u ? value * LoadSome(u + i, last - i) : value, last - i);
  }
}

// du = dy * f(g), dg = dy * u * f'(g).
template <int kKind>
void UnitGradOf(const float* dy, const float* g, const float* u, float* dg, float* du, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i += kLanes) {
    const F d = LoadSome(dy + i, last - i);
    const Slope at = At<kKind>(LoadSome(g + i, last - i));
    if (u) StoreSome(du + i, d * at.value, last - i);
    StoreSome(dg + i, (u ? d * LoadSome(u + i, last - i) : d) * at.slope, last - i);
  }
}

void Units(int kind, const float* g, const float* u, float* y, int64_t first, int64_t last) {
  switch (kind) {
    case tunebook::kSilu: return UnitOf<tunebook::kSilu>(g, u, y, first, last);
    case tunebook::kQuickGelu: return UnitOf<tunebook::kQuickGelu>(g, u, y, first, last);
    case tunebook::kGeluNew: return UnitOf<tunebook::kGeluNew>(g, u, y, first, last);
    default: return UnitOf<tunebook::kGelu>(g, u, y, first, last);
  }
}

void UnitsGrad(int kind, const float* dy, const float* g, const float* u, float* dg, float* du, int64_t first, int64_t last) {
  switch (kind) {
    case tunebook::kSilu: return UnitGradOf<tunebook::kSilu>(dy, g, u, dg, du, first, last);
    case tunebook::kQuickGelu: return UnitGradOf<tunebook::kQuickGelu>(dy, g, u, dg, du, first, last);
    case tunebook::kGeluNew: return UnitGradOf<tunebook::kGeluNew>(dy, g, u, dg, du, first, last);
    default: return UnitGradOf<tunebook::kGelu>(dy, g, u, dg, du, first, last);
  }
}

// ---- Attention. Scores stand as [keys, queries], so that a vector holds as many queries: the softmax needs no sums across a
// vector, and keys and values are read as they lie, without being transposed. Keys come in blocks; after each the sums so far
// are brought to the new maximum (Milakov & Gimelshein 2018; Dao et al. 2022).

constexpr float kHidden = -1e30f;

int64_t Scratch(int64_t width) { return 2 * kQueries * (kKeys + width); }

/** Vectors' worth of queries. */
INLINE int64_t Padded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

/** Queries as columns, zeros beside them. */
INLINE void Columns(const float* from, int64_t stride, int64_t count, int64_t width, float* to) {
  if (count % kLanes != 0)
    for (int64_t d = 0; d < width; d++)
      for (int64_t i = count; i < Padded(count); i++) to[d * kQueries + i] = 0.0f;
  Transpose(from, stride, count, width, to, kQueries);
}

/** Which keys the queries of a vector see. */
struct Sight {
  I position;
  int64_t nearest, farthest, window;
  INLINE Sight(const Block& b, int64_t lane) : window(b.window) {
    const int64_t end = b.count - 1;
    for (int i = 0; i < kLanes; i++) position[i] = static_cast<int32_t>(b.at + b.step * (lane + i < end ? lane + i : end));
    nearest = b.at + b.step * (lane < end ? lane : end);
    farthest = b.at + b.step * (lane + kLanes - 1 < end ? lane + kLanes - 1 : end);
  }
  /** Whether some of them do not see key j. */
  INLINE bool Some(int64_t j) const { return j > nearest || (window > 0 && j + window <= farthest); }
  /** Those. */
  INLINE I Hidden(int64_t j) const {
    I hidden = position < static_cast<int32_t>(j);
    if (window > 0) hidden |= position >= static_cast<int32_t>(j + window < INT32_MAX ? j + window : INT32_MAX);
    return hidden;
  }
};

/** The first key that any query of the block sees. */
INLINE int64_t FirstKey(const Block& b) { return b.window > 0 && b.at + 1 > b.window ? b.at + 1 - b.window : 0; }

void Attend(const Block& b, float* scratch) {
  float *q = scratch, *o = q + kQueries * b.width, *s = o + kQueries * b.width;
  const int64_t lanes = Padded(b.count), end = b.at + b.step * (b.count - 1) + 1, first = FirstKey(b);
  Columns(b.q, b.q_stride, b.count, b.width, q);
  float high[kQueries], sum[kQueries];
  for (int i = 0; i < kQueries; i++) high[i] = kHidden, sum[i] = 0.0f;
  for (int64_t j0 = first; j0 < end; j0 += kKeys) {
    const int64_t keys = end - j0 < kKeys ? end - j0 : kKeys;
    Product<true, false>(s, kQueries, b.k + j0 * b.key_stride, b.key_stride, q, kQueries, keys, lanes, b.width);
    for (int64_t lane = 0; lane < lanes; lane += kLanes) {
      const Sight sight(b, lane);
      float* sl = s + lane;
      const F before = Load(high + lane);
      F most = before;
      for (int64_t j = 0; j < keys; j++) {
        F x = Load(sl + j * kQueries);
        if (sight.Some(j0 + j)) {
          x = sight.Hidden(j0 + j) ? All(kHidden) : x;
          Store(sl + j * kQueries, x);
        }
        most = x > most ? x : most;
      }
      const F keep = Exp(before - most);
      F total = Load(sum + lane) * keep;
      for (int64_t j = 0; j < keys; j++) {
        const F p = Exp(Load(sl + j * kQueries) - most);
        Store(sl + j * kQueries, p);
        total += p;
      }
      Store(high + lane, most);
      Store(sum + lane, total);
      if (j0 > first)
        for (int64_t d = 0; d < b.width; d++) Store(o + d * kQueries + lane, Load(o + d * kQueries + lane) * keep);
    }
    const float* v = b.v + j0 * b.key_stride;
    if (j0 > first)
      Product<false, true>(o, kQueries, v, b.key_stride, s, kQueries, b.width, lanes, keys);
    else
      Product<false, false>(o, kQueries, v, b.key_stride, s, kQueries, b.width, lanes, keys);
  }
  for (int64_t lane = 0; lane < lanes; lane += kLanes) {
    const F inverse = 1.0f / Load(sum + lane);
    for (int64_t d = 0; d < b.width; d++) Store(o + d * kQueries + lane, Load(o + d * kQueries + lane) * inverse);
  }
  Transpose(o, kQueries, b.width, b.count, b.out, b.q_stride);
  if (b.logsum)
    for (int64_t i = 0; i < b.count; i++) b.logsum[i * b.logsum_stride] = high[i] + __builtin_logf(sum[i]);
}

// P again from the log sums; dP = dO V^T; dS = P * (dP - sum(dO * O)); dV += P^T dO, dK += dS^T Q, dQ = dS K.
void AttendGrad(const BlockGrad& g, float* scratch) {
  const Block& b = g.block;
  float *q = scratch, *dy = q + kQueries * b.width, *p = dy + kQueries * b.width, *ds = p + kQueries * kKeys;
  const int64_t lanes = Padded(b.count), end = b.at + b.step * (b.count - 1) + 1, seen = FirstKey(b);
  const int64_t first = g.first > seen ? g.first : seen, last = g.last < end ? g.last : end;
  Columns(b.q, b.q_stride, b.count, b.width, q);
  Columns(g.dy, b.q_stride, b.count, b.width, dy);
  float paid[kQueries] = {}, shift[kQueries] = {};
  for (int64_t i = 0; i < b.count; i++) {
    F sum = {};
    for (int64_t d = 0; d < b.width; d += kLanes)
      sum += LoadSome(g.dy + i * b.q_stride + d, b.width - d) * LoadSome(b.out + i * b.q_stride + d, b.width - d);
    paid[i] = Sum(sum);
    shift[i] = b.logsum[i * b.logsum_stride];
  }
  for (int64_t j0 = first; j0 < last; j0 += kKeys) {
    const int64_t keys = last - j0 < kKeys ? last - j0 : kKeys, at = j0 * b.key_stride;
    Product<true, false>(p, kQueries, b.k + at, b.key_stride, q, kQueries, keys, lanes, b.width);
    Product<true, false>(ds, kQueries, b.v + at, b.key_stride, dy, kQueries, keys, lanes, b.width);
    for (int64_t lane = 0; lane < lanes; lane += kLanes) {
      const Sight sight(b, lane);
      const F less = Load(shift + lane), cost = Load(paid + lane);
      for (int64_t j = 0; j < keys; j++) {
        float *pj = p + j * kQueries + lane, *dj = ds + j * kQueries + lane;
        F x = Exp(Load(pj) - less);
        if (sight.Some(j0 + j)) x = sight.Hidden(j0 + j) ? F{} : x;
        Store(pj, x);
        Store(dj, x * (Load(dj) - cost));
      }
    }
    if (g.dv) {
      Product<true, true>(g.dv + at, b.key_stride, p, kQueries, g.dy, b.q_stride, keys, b.width, b.count);
      Product<true, true>(g.dk + at, b.key_stride, ds, kQueries, b.q, b.q_stride, keys, b.width, b.count);
    }
    if (!g.dq) continue;
    if (j0 > first)
      Product<false, true>(g.dq, b.q_stride, ds, kQueries, b.k + at, b.key_stride, b.count, b.width, keys);
    else
      Product<false, false>(g.dq, b.q_stride, ds, kQueries, b.k + at, b.key_stride, b.count, b.width, keys);
  }
}

// Few queries leave most of a vector of them empty: scores stand as [queries, keys].
void Look(const Glimpse& g, float* s) {
  RowsByRows(g.q, g.width, g.count, g.k, g.width, g.keys, g.width, s, kKeys);
  for (int64_t i = 0; i < g.count; i++) {
    float* si = s + i * kKeys;
    float high = kHidden;
    for (int64_t j = 0; j < g.keys; j++) high = si[j] > high ? si[j] : high;
    F sum = {};
    for (int64_t j = 0; j < g.keys; j += kLanes) {
      StoreSome(si + j, Exp(LoadSome(si + j, g.keys - j) - high), g.keys - j);
      sum += LoadSome(si + j, g.keys - j);
    }
    g.high[i] = high;
    g.sum[i] = Sum(sum);
  }
  RowsByColumns(s, kKeys, g.count, g.v, g.width, g.width, g.keys, g.out, g.width);
}

}  // namespace

namespace tunebook {
const Math SET = {Scratch, Attend, AttendGrad, Rms, RmsGrad, Layer, LayerGrad, AddRows, Rope, Units, UnitsGrad, CrossEntropy, SumOfSquares, AdamW,
                  RowsByRows, RowsByColumns, Look, kPanel, Pack, Multiply};
}
