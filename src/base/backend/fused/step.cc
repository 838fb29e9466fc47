// Attention of new tokens to the keys and values of their rows.
#include "step.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "floats.h"
#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

namespace {

/** Keys and values of every row. */
struct Cache {
  Call::Matrix keys, values;
  Call::Whole positions;
  int64_t lanes, slots, width;

  /** Whether there is a slot for every new token, and as much for keys as for values. */
  bool Fits(int64_t rows) const {
    bool fits = keys.width == width && values.Like(keys) && keys.rows == lanes * slots && positions.count == rows;
    for (int64_t row = 0; fits && row < rows; row++) fits = positions.data[row] >= 0 && positions.data[row] < slots;
    return fits;
  }
};

Cache CacheOf(Call& call, int first, int64_t lanes, int64_t width) {
  const auto keys = call.In(first), values = call.In(first + 1);
  return {keys, values, call.Integers(first + 2), lanes, lanes > 0 ? keys.rows / lanes : 0, width};
}

/** Some keys of a lane: a row's of one key head. */
struct Piece {
  int64_t lane, first, last;
};

/**
 * Out of q [rows, heads * width], and log(sum(exp)) of the scores, [rows, heads], where wanted. The keys of a row are cut at the same
 * places whoever works on them.
 */
bool Attend(const HeadsOf& heads, const Cache& cache, const float* q, float* out, float* logsum) {
  const int64_t group = heads.heads / heads.key_heads, width = cache.width;
  std::vector<Piece> pieces;
  int64_t seen = 0;
  for (int64_t lane = 0; lane < cache.lanes; lane++) {
    const int64_t end = cache.positions.data[lane / heads.key_heads] + 1;
    const int64_t first = heads.window > 0 ? std::max<int64_t>(0, end - heads.window) : 0;
    seen += end - first;
    for (int64_t j = first; j < end; j += kKeys) pieces.push_back({lane, j, std::min(end, j + kKeys)});
  }
  const int64_t count = static_cast<int64_t>(pieces.size()), each = group * (width + 2), own = group * kKeys;
  const Floats scratch = Allocate(count * each + Pool::The().size() * own);
  if (!scratch) return false;
  float* const scores = scratch.get() + count * each;
  const auto work = [&](int64_t i, int slot) {
    const Piece& piece = pieces[i];
    const int64_t at = (piece.lane * cache.slots + piece.first) * width;
    float* to = scratch.get() + i * each;
    TheMath().glimpse({q + piece.lane * group * width, group, width, cache.keys.data + at, cache.values.data + at, piece.last - piece.first,
                       to, to + group * width, to + group * (width + 1)},
                      scores + slot * own);
  };
  // Less than some tens of microseconds is not worth waking others.
  if (seen * group * width < (1 << 17))
    Pool::The().Run(1, [&](int64_t, int slot) {
      for (int64_t i = 0; i < count; i++) work(i, slot);
    });
  else
    Pool::The().Run(count, work);
  for (int64_t from = 0, to; from < count; from = to) {
    for (to = from; to < count && pieces[to].lane == pieces[from].lane;) to++;
    for (int64_t h = 0; h < group; h++) {
      const auto part = [&](int64_t i) { return scratch.get() + i * each; };
      float high = part(from)[group * width + h], sum = 0.0f;
      for (int64_t i = from; i < to; i++) high = std::max(high, part(i)[group * width + h]);
      float* y = out + (pieces[from].lane * group + h) * width;
      std::fill(y, y + width, 0.0f);
      for (int64_t i = from; i < to; i++) {
        const float keep = std::exp(part(i)[group * width + h] - high);
        sum += keep * part(i)[group * (width + 1) + h];
        for (int64_t d = 0; d < width; d++) y[d] += keep * part(i)[h * width + d];
      }
      for (int64_t d = 0; d < width; d++) y[d] /= sum;
      if (logsum) logsum[pieces[from].lane * group + h] = high + std::log(sum);
    }
  }
  return true;
}

}  // namespace

void CachedAttention(Call& call, HeadsOf heads) {
  const auto q = call.In(0);
  if (!call.Need(heads.Sound(), kNoHeads)) return;
  const int64_t width = q.width / heads.heads;
  const Cache cache = CacheOf(call, 1, q.rows * heads.key_heads, width);
  if (!call.Need(q.width == heads.heads * width && cache.Fits(q.rows), "queries, slots and positions do not fit")) return;
  float* out = call.Out(0, {q.rows, q.width});
  float* logsum = call.Out(1, {q.rows, heads.heads});
  if (!call.Good()) return;
  call.Need(Attend(heads, cache, q.data, out, logsum), kNoMemory, kResourceExhausted);
}

void AttentionStep(Call& call, const StepOf& step) {
  const HeadsOf& heads = step.heads;
  const auto x = call.In(0);
  if (!call.Need(heads.Sound(), kNoHeads)) return;
  const int64_t all = heads.heads + 2 * heads.key_heads, width = x.width / all, rows = x.rows;
  const Cache cache = CacheOf(call, 1, rows * heads.key_heads, width);
  int next = 4;
  Call::Matrix norms[2], cosine, sine;
  bool fits = x.width == all * width && cache.Fits(rows);
  for (int i = 0; step.normed && i < 2; i++) {
    norms[i] = call.In(next++);
    fits = fits && norms[i].rows == 1 && norms[i].width == width;
  }
  if (step.turned) {
    cosine = call.In(next++);
    sine = call.In(next++);
    fits = fits && cosine.rows == rows && 2 * cosine.width <= width && sine.Like(cosine);
  }
  SharedKeys shared{};
  if (step.shared) {
    shared = SharedOf(call, next, heads.key_heads);
    fits = fits && AreShared(shared, heads, width);
  }
  if (!call.Need(fits, "queries, keys, values, slots, positions, rotation and shared keys do not fit")) return;
  const int64_t wide = heads.heads * width, narrow = heads.key_heads * width;
  float* out = call.Out(0, {rows, wide});
  if (!call.Good()) return;
  // Queries of all rows, then the keys of one, room for what a norm keeps, and for attention behind shared keys.
  const int64_t behind = step.shared ? rows * (wide + heads.heads) : 0;
  const Floats scratch = Allocate((rows + 1) * wide + narrow + heads.heads + behind);
  if (!call.Need(scratch != nullptr, kNoMemory, kResourceExhausted)) return;
  float *queries = scratch.get(), *spare = queries + rows * wide, *fresh = spare + wide, *kept = fresh + narrow;
  {
    const FlushTiny flush;
    for (int64_t row = 0; row < rows; row++) {
      const float *q = x.data + row * x.width, *k = q + wide, *v = k + narrow;
      if (step.normed) {
        TheMath().rms(q, norms[0].data, spare, kept, 0, heads.heads, width, step.eps, step.offset);
        TheMath().rms(k, norms[1].data, fresh, kept, 0, heads.key_heads, width, step.eps, step.offset);
        q = spare, k = fresh;
      }
      float* to = queries + row * wide;
      if (step.turned) {
        const float *c = cosine.data + row * cosine.width, *s = sine.data + row * cosine.width;
        TheMath().rope(q, c, s, to, 0, 1, heads.heads, width, cosine.width, 1.0f, 1.0f);
        TheMath().rope(k, c, s, fresh, 0, 1, heads.key_heads, width, cosine.width, 1.0f, 1.0f);
        q = to, k = fresh;
      }
      for (int64_t j = 0; j < wide; j++) to[j] = q[j] * step.scale;
      for (int64_t head = 0; head < heads.key_heads; head++) {
        const int64_t slot = ((row * heads.key_heads + head) * cache.slots + cache.positions.data[row]) * width;
        // The cache belongs to the caller, who asked for this.
        std::memcpy(const_cast<float*>(cache.keys.data) + slot, k + head * width, width * sizeof(float));
        std::memcpy(const_cast<float*>(cache.values.data) + slot, v + head * width, width * sizeof(float));
      }
    }
  }
  if (!step.shared) {
    call.Need(Attend(heads, cache, queries, out, nullptr), kNoMemory, kResourceExhausted);
    return;
  }
  float *own = kept + heads.heads, *sums = own + rows * wide;
  const SharedPass pass{heads, width, rows, queries, own, sums, out, cache.positions.data, shared.count};
  call.Need(Attend(heads, cache, queries, own, sums) && AttendShared(pass, shared), kNoMemory, kResourceExhausted);
}

}  // namespace tunebook
