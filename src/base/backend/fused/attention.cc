// How attention is divided among threads; a block of queries is worked off in math.cc.
#include "attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "floats.h"
#include "math.h"
#include "pool.h"

namespace tunebook {

const Math& TheMath();

namespace {

/** Scratch memory for every thread that may take a part. */
class Scratch {
 public:
  explicit Scratch(int64_t width) : each_((TheMath().scratch(width) + 15) / 16 * 16), data_(Allocate(each_ * Pool::The().size())) {}
  explicit operator bool() const { return data_ != nullptr; }
  float* Of(int slot) const { return data_.get() + slot * each_; }

 private:
  int64_t each_;
  Floats data_;
};

/** A row of the batch: its first token, and its length. */
struct Row {
  int64_t start, length;
};

/** The rows, the longest first. */
std::vector<Row> Rows(const Call::Whole& starts) {
  std::vector<Row> rows;
  for (int64_t i = 1; i < starts.count; i++)
    if (starts.data[i] > starts.data[i - 1]) rows.push_back({starts.data[i - 1], starts.data[i] - starts.data[i - 1]});
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.length > b.length; });
  return rows;
}

/** Where heads stand in a token, and blocks of queries. */
struct Pass : AttentionPass {
  explicit Pass(const AttentionPass& pass) : AttentionPass(pass) {}

  int64_t Stride() const { return heads.heads * width; }
  int64_t KeyStride() const { return heads.key_heads * width; }
  int64_t KeyHead(int64_t head) const { return head / (heads.heads / heads.key_heads); }

  /** Queries of a row from the i-th on, of one head. */
  Block At(const Row& row, int64_t i, int64_t head) const {
    const int64_t query = (row.start + i) * Stride() + head * width, key = row.start * KeyStride() + KeyHead(head) * width;
    const int64_t count = std::min(kQueries, row.length - i);
    return {q + query, out + query, logsum + (row.start + i) * heads.heads + head, Stride(), heads.heads, count,
            width,     k + key,     v + key, KeyStride(),                            i,        1,           heads.window};
  }
};

bool Fits(const HeadsOf& heads, const Call::Matrix& q, const Call::Matrix& k, const Call::Matrix& v) {
  const int64_t width = q.width / heads.heads;
  return q.width == heads.heads * width && k.width == heads.key_heads * width && v.Like(k) && k.rows == q.rows;
}

/** Keys whose gradients are a part of their own. */
constexpr int64_t kChunk = 64;

/** A block of queries, of any head. */
struct Part {
  Row row;
  int64_t first;
};

/** The blocks of all rows, the most expensive first. */
std::vector<Part> Parts(const std::vector<Row>& rows, int64_t step) {
  std::vector<Part> parts;
  for (const Row& row : rows)
    for (int64_t i = 0; i < row.length; i += step) parts.push_back({row, i});
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.first > b.first; });
  return parts;
}

}  // namespace

bool AreRows(const Call::Whole& starts, int64_t tokens) {
  if (starts.count < 1 || starts.data[0] != 0 || starts.data[starts.count - 1] != tokens) return false;
  for (int64_t i = 1; i < starts.count; i++)
    if (starts.data[i] < starts.data[i - 1]) return false;
  return true;
}

bool Attend(const AttentionPass& given, const Call::Whole& starts) {
  const Pass pass(given);
  const Scratch scratch(pass.width);
  if (!scratch) return false;
  const auto parts = Parts(Rows(starts), kQueries);
  const int64_t heads = pass.heads.heads;
  Pool::The().Run(static_cast<int64_t>(parts.size()) * heads, [&](int64_t i, int slot) {
    const Part& part = parts[i / heads];
    TheMath().attend(pass.At(part.row, part.first, i % heads), scratch.Of(slot));
  });
  return true;
}

void Attention(Call& call, HeadsOf heads) {
  const auto q = call.In(0), k = call.In(1), v = call.In(2);
  const auto starts = call.Integers(3);
  if (!call.Need(heads.Sound(), kNoHeads)) return;
  if (!call.Need(Fits(heads, q, k, v) && AreRows(starts, q.rows), "queries, keys, values and rows do not fit")) return;
  float* out = call.Out(0, {q.rows, q.width});
  float* logsum = call.Out(1, {q.rows, heads.heads});
  if (!call.Good()) return;
  call.Need(Attend({heads, q.width / heads.heads, q.rows, q.data, k.data, v.data, out, logsum}, starts), kNoMemory, kResourceExhausted);
}

bool AttendGrad(const AttentionPass& given, const Call::Whole& starts, const float* dy, float* dq, float* dk, float* dv) {
  const Pass pass(given);
  const HeadsOf& heads = pass.heads;
  const Scratch scratch(pass.width);
  if (!scratch) return false;
  const auto rows = Rows(starts);
  std::fill_n(dk, pass.tokens * pass.KeyStride(), 0.0f);
  std::fill_n(dv, pass.tokens * pass.KeyStride(), 0.0f);
  const int64_t group = heads.heads / heads.key_heads;
  /** The blocks of a row that see the keys [first, last), all heads of a key head: the order is the same however work is divided. */
  const auto sweep = [&](const Row& row, int64_t key_head, int64_t first, int64_t last, bool queries, int slot) {
    const int64_t key = row.start * pass.KeyStride() + key_head * pass.width;
    for (int64_t head = key_head * group; head < (key_head + 1) * group; head++)
      for (int64_t i = first / kQueries * kQueries; i < row.length; i += kQueries) {
        if (heads.window > 0 && i - heads.window + 1 >= last) break;
        const int64_t query = (row.start + i) * pass.Stride() + head * pass.width;
        TheMath().attend_grad({pass.At(row, i, head), dy + query, queries ? dq + query : nullptr, dk + key, dv + key, first, last},
                              scratch.Of(slot));
      }
  };
  double all = 0;
  for (const Row& row : rows) all += static_cast<double>(row.length) * row.length * heads.key_heads;
  const double longest = rows.empty() ? 0 : static_cast<double>(rows[0].length) * rows[0].length;
  // Alone, gradients of queries and of keys compute the scores twice: 7 products instead of 5. That pays where one row with one
  // key head would be worked on longer than all others by all threads together.
  if (longest <= 1.4 * all / Pool::The().size()) {
    Pool::The().Run(static_cast<int64_t>(rows.size()) * heads.key_heads, [&](int64_t i, int slot) {
      const Row& row = rows[i / heads.key_heads];
      sweep(row, i % heads.key_heads, 0, row.length, true, slot);
    });
    return true;
  }
  const auto blocks = Parts(rows, kQueries);
  Pool::The().Run(static_cast<int64_t>(blocks.size()) * heads.heads, [&](int64_t i, int slot) {
    const Part& part = blocks[i / heads.heads];
    const int64_t head = i % heads.heads, query = (part.row.start + part.first) * pass.Stride() + head * pass.width;
    TheMath().attend_grad({pass.At(part.row, part.first, head), dy + query, dq + query, nullptr, nullptr, 0, part.row.length},
                          scratch.Of(slot));
  });
  const auto chunks = Parts(rows, kChunk);
  Pool::The().Run(static_cast<int64_t>(chunks.size()) * heads.key_heads, [&](int64_t i, int slot) {
    // The first keys are seen by most queries.
    const Part& part = chunks[chunks.size() - 1 - i / heads.key_heads];
    sweep(part.row, i % heads.key_heads, part.first, std::min(part.row.length, part.first + kChunk), false, slot);
  });
  return true;
}

void AttentionGrad(Call& call, HeadsOf heads) {
  const auto dy = call.In(0), q = call.In(1), k = call.In(2), v = call.In(3), out = call.In(4), logsum = call.In(5);
  const auto starts = call.Integers(6);
  if (!call.Need(heads.Sound(), kNoHeads)) return;
  const bool fits = Fits(heads, q, k, v) && AreRows(starts, q.rows) && dy.Like(q) && out.Like(q) && logsum.rows == q.rows &&
                    logsum.width == heads.heads;
  if (!call.Need(fits, "queries, keys, values, gradient and rows do not fit")) return;
  float* dq = call.Out(0, {q.rows, q.width});
  float* dk = call.Out(1, {k.rows, k.width});
  float* dv = call.Out(2, {v.rows, v.width});
  if (!call.Good()) return;
  const AttentionPass pass{heads,  q.width / heads.heads,         q.rows, q.data, k.data, v.data, const_cast<float*>(out.data),
                           const_cast<float*>(logsum.data)};
  call.Need(AttendGrad(pass, starts, dy.data, dq, dk, dv), kNoMemory, kResourceExhausted);
}

SharedKeys SharedOf(Call& call, int first, int64_t key_heads) {
  const auto keys = call.In(first), values = call.In(first + 1);
  return {keys, values, key_heads > 0 ? keys.rows / key_heads : 0};
}

bool AreShared(const SharedKeys& shared, const HeadsOf& heads, int64_t width) {
  const auto& [keys, values, count] = shared;
  return count > 0 && keys.width == width && keys.rows == count * heads.key_heads && values.Like(keys);
}

bool AttendShared(const SharedPass& pass, const SharedKeys& shared) {
  const HeadsOf& heads = pass.heads;
  const int64_t width = pass.width, stride = heads.heads * width, group = heads.heads / heads.key_heads;
  const Scratch scratch(width);
  if (!scratch) return false;
  /** Queries [first, last) of a head, all of which see the keys from the one on. */
  const auto join = [&](int64_t first, int64_t last, int64_t head, int64_t from, int slot) {
    const int64_t query = first * stride + head * width, key = (head / group * shared.count + from) * width;
    float logsum[kQueries];
    TheMath().attend({pass.q + query, pass.out + query, logsum, stride, 1, last - first, width, shared.keys.data + key,
                      shared.values.data + key, width, shared.count - from - 1, 0, 0},
                     scratch.Of(slot));
    for (int64_t i = first; i < last; i++) {
      const float* own = pass.before + i * stride + head * width;
      float* y = pass.out + i * stride + head * width;
      const float share = 1.0f / (1.0f + std::exp(pass.logsum[i * heads.heads + head] - logsum[i - first]));
      for (int64_t d = 0; d < width; d++) y[d] = own[d] + share * (y[d] - own[d]);
    }
  };
  const auto hidden = [&](int64_t token) {
    return heads.window > 0 ? std::max<int64_t>(0, pass.origin + pass.positions[token] - heads.window + 1) : 0;
  };
  const int64_t blocks = (pass.tokens + kQueries - 1) / kQueries;
  Pool::The().Run(blocks * heads.heads, [&](int64_t i, int slot) {
    const int64_t head = i % heads.heads, first = i / heads.heads * kQueries, last = std::min(pass.tokens, first + kQueries);
    // Neighbours that see the same keys are worked on together; under a window that hides some of them, one by one.
    for (int64_t a = first, b; a < last; a = b) {
      const int64_t from = hidden(a);
      for (b = a + 1; b < last && hidden(b) == from;) b++;
      if (from < shared.count)
        join(a, b, head, from, slot);
      else
        for (int64_t token = a; token < b; token++)
          std::copy_n(pass.before + token * stride + head * width, width, pass.out + token * stride + head * width);
    }
  });
  return true;
}

void SharedAttention(Call& call, HeadsOf heads) {
  const auto q = call.In(0), before = call.In(1), sums = call.In(2);
  const auto positions = call.Integers(5);
  if (!call.Need(heads.Sound(), kNoHeads)) return;
  const int64_t width = q.width / heads.heads;
  const SharedKeys shared = SharedOf(call, 3, heads.key_heads);
  const bool fits = q.width == heads.heads * width && before.Like(q) && sums.rows == q.rows && sums.width == heads.heads &&
                    AreShared(shared, heads, width) && positions.count == q.rows;
  if (!call.Need(fits, "queries, results so far, shared keys and positions do not fit")) return;
  float* out = call.Out(0, {q.rows, q.width});
  if (!call.Good()) return;
  const SharedPass pass{heads, width, q.rows, q.data, before.data, sums.data, out, positions.data, 0};
  call.Need(AttendShared(pass, shared), kNoMemory, kResourceExhausted);
}

}  // namespace tunebook
