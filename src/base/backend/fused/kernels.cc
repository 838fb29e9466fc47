// Fused float32 kernels for TensorFlow on a CPU, registered through TensorFlow's C interface, which is stable across its
// versions. Each makes one pass over memory where TensorFlow's own ops make five to ten, and is one call instead of as many.
// The few functions and types of that interface that are used are declared here, as its headers are not installed.
#include <node_api.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

extern "C" {
struct TF_Status;
struct TF_Tensor;
struct TF_OpDefinitionBuilder;
struct TF_KernelBuilder;
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;
TF_Status* TF_NewStatus();
void TF_DeleteStatus(TF_Status*);
void TF_SetStatus(TF_Status*, int code, const char* message);
int TF_GetCode(const TF_Status*);
const char* TF_Message(const TF_Status*);
TF_OpDefinitionBuilder* TF_NewOpDefinitionBuilder(const char* name);
void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder*, const char* spec);
void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder*, const char* spec);
void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder*, const char* spec);
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder*, TF_Status*);
TF_KernelBuilder* TF_NewKernelBuilder(const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),
                                      void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void TF_RegisterKernelBuilder(const char* name, TF_KernelBuilder*, TF_Status*);
void TF_OpKernelConstruction_GetAttrFloat(TF_OpKernelConstruction*, const char* name, float* value, TF_Status*);
void TF_OpKernelConstruction_GetAttrInt32(TF_OpKernelConstruction*, const char* name, int32_t* value, TF_Status*);
void TF_OpKernelContext_Failure(TF_OpKernelContext*, TF_Status*);
void TF_GetInput(TF_OpKernelContext*, int index, TF_Tensor**, TF_Status*);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext*, int index, int type, const int64_t* shape, int rank, size_t bytes, TF_Status*);
void* TF_TensorData(const TF_Tensor*);
int TF_NumDims(const TF_Tensor*);
int64_t TF_Dim(const TF_Tensor*, int index);
int64_t TF_TensorElementCount(const TF_Tensor*);
void TF_DeleteTensor(TF_Tensor*);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// One build for every machine: the loader picks the widest form the processor has.
#define EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_CPU
#endif

namespace {

constexpr int kFloat = 1;
constexpr int kInvalidArgument = 3;

// ---- Threads: parts of a job are taken by the caller and by sleeping helpers.

class Pool {
 public:
  Pool() {
    cpu_set_t set;
    const int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    for (int i = 1; i < std::min(cpus, 16); i++) std::thread([this] { Help(); }).detach();
    size_ = std::max(1, std::min(cpus, 16));
  }

  int size() const { return size_; }

  /** work(part) for every part, some of them on other threads. */
  template <typename Work>
  void Run(int parts, const Work& work) {
    if (parts <= 1 || size_ == 1) {
      for (int part = 0; part < parts; part++) work(part);
      return;
    }
    Job job{[](const void* work, int part) { (*static_cast<const Work*>(work))(part); }, &work, parts};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
    }
    wake_.notify_all();
    Take(job);
    // No helper may still hold the job when it goes out of scope.
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = nullptr;
    }
    while (job.done.load(std::memory_order_acquire) < parts || job.holders.load(std::memory_order_acquire) > 0)
      std::this_thread::yield();
  }

 private:
  struct Job {
    void (*call)(const void*, int);
    const void* work;
    int parts;
    std::atomic<int> next{0}, done{0}, holders{0};
    Job(void (*c)(const void*, int), const void* w, int p) : call(c), work(w), parts(p) {}
  };

  static void Take(Job& job) {
    for (int part; (part = job.next.fetch_add(1)) < job.parts;) {
      job.call(job.work, part);
      job.done.fetch_add(1, std::memory_order_release);
    }
  }

  void Help() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return job_ && job_->next.load() < job_->parts; });
      Job* job = job_;
      job->holders.fetch_add(1);
      lock.unlock();
      Take(*job);
      job->holders.fetch_sub(1, std::memory_order_release);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  Job* job_ = nullptr;
  int size_ = 1;
};

Pool& ThePool() {
  // Never freed: helpers sleep in it until the process ends.
  static Pool* pool = new Pool;
  return *pool;
}

/** work(first, last) over ranges of rows, as many as are worth a thread. */
template <typename Work>
void ByRows(int64_t rows, int64_t width, const Work& work) {
  constexpr int64_t kWorthAThread = 1 << 15;
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>({ThePool().size(), rows, rows * width / kWorthAThread}));
  ThePool().Run(static_cast<int>(parts), [&](int part) { work(rows * part / parts, rows * (part + 1) / parts); });
}

// ---- A kernel's view of its call.

class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    for (TF_Tensor* tensor : held_) TF_DeleteTensor(tensor);
    if (TF_GetCode(status_) != 0) TF_OpKernelContext_Failure(context_, status_);
    TF_DeleteStatus(status_);
  }

  struct Matrix {
    const float* data = nullptr;
    int64_t rows = 0, width = 0;
  };

  /** An input as a matrix of its last axis; a vector is one row. */
  Matrix In(int index) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    if (TF_GetCode(status_) != 0) return {};
    held_.push_back(tensor);
    const int rank = TF_NumDims(tensor);
    const int64_t width = rank > 0 ? TF_Dim(tensor, rank - 1) : 1;
    const int64_t count = TF_TensorElementCount(tensor);
    return {static_cast<const float*>(TF_TensorData(tensor)), width > 0 ? count / width : 0, width};
  }

  struct Whole {
    const int32_t* data = nullptr;
    int64_t count = 0;
  };

  Whole Integers(int index) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    if (TF_GetCode(status_) != 0) return {};
    held_.push_back(tensor);
    return {static_cast<const int32_t*>(TF_TensorData(tensor)), TF_TensorElementCount(tensor)};
  }

  float* Out(int index, std::initializer_list<int64_t> shape) {
    int64_t count = 1;
    for (int64_t n : shape) count *= n;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, kFloat, shape.begin(), static_cast<int>(shape.size()),
                                          static_cast<size_t>(count) * sizeof(float), status_);
    if (TF_GetCode(status_) != 0) return nullptr;
    held_.push_back(tensor);
    return static_cast<float*>(TF_TensorData(tensor));
  }

  bool Need(bool good, const char* what) {
    if (TF_GetCode(status_) != 0) return false;
    if (!good) TF_SetStatus(status_, kInvalidArgument, what);
    return good;
  }

 private:
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> held_;
};

/** Attributes of a kernel: floats and small integers by name, in the order in which they were declared. */
struct Settings {
  float real[2] = {0, 0};
  int32_t whole[3] = {0, 0, 0};
};

void Release(void* settings) { delete static_cast<Settings*>(settings); }

// ---- Norms. y = (offset + w) * x * r, r = (mean(x^2) + eps)^-1/2.

EVERY_CPU void RmsRows(const float* x, const float* w, float* y, float* r, int64_t first, int64_t last, int64_t n, float eps,
                       float offset) {
  for (int64_t i = first; i < last; i++) {
    const float* xi = x + i * n;
    float* yi = y + i * n;
    float sum = 0;
    for (int64_t j = 0; j < n; j++) sum += xi[j] * xi[j];
    const float ri = 1.0f / std::sqrt(sum / n + eps);
    r[i] = ri;
    for (int64_t j = 0; j < n; j++) yi[j] = xi[j] * ri * (w[j] + offset);
  }
}

// dx = r * (g - x * r^2 * mean(g * x)), g = dy * (offset + w); dw = sum over rows of dy * x * r.
EVERY_CPU void RmsGradRows(const float* dy, const float* x, const float* w, const float* r, float* dx, float* dw, int64_t first,
                           int64_t last, int64_t n, float offset) {
  for (int64_t i = first; i < last; i++) {
    const float *di = dy + i * n, *xi = x + i * n;
    float* oi = dx + i * n;
    const float ri = r[i];
    float along = 0;
    for (int64_t j = 0; j < n; j++) along += di[j] * (w[j] + offset) * xi[j];
    const float pull = along / n * ri * ri;
    for (int64_t j = 0; j < n; j++) oi[j] = ri * (di[j] * (w[j] + offset) - xi[j] * pull);
    if (dw)
      for (int64_t j = 0; j < n; j++) dw[j] += di[j] * xi[j] * ri;
  }
}

void RmsNorm(void* settings, TF_OpKernelContext* context) {
  const auto& s = *static_cast<Settings*>(settings);
  Call call(context);
  const auto x = call.In(0), w = call.In(1);
  if (!call.Need(w.width == x.width && w.rows == 1, "the weight of the norm has another width")) return;
  float* y = call.Out(0, {x.rows, x.width});
  float* r = call.Out(1, {x.rows});
  if (!y || !r) return;
  ByRows(x.rows, x.width, [&](int64_t a, int64_t b) { RmsRows(x.data, w.data, y, r, a, b, x.width, s.real[0], s.real[1]); });
}

/** Adds up what threads summed by themselves. */
EVERY_CPU void AddRows(float* out, const float* parts, int64_t count, int64_t n) {
  std::fill(out, out + n, 0.0f);
  for (int64_t p = 0; p < count; p++)
    for (int64_t j = 0; j < n; j++) out[j] += parts[p * n + j];
}

void RmsNormGrad(void* settings, TF_OpKernelContext* context) {
  const auto& s = *static_cast<Settings*>(settings);
  const bool frozen = s.whole[0] != 0;
  Call call(context);
  const auto dy = call.In(0), x = call.In(1), w = call.In(2), r = call.In(3);
  const int64_t n = x.width;
  if (!call.Need(dy.rows == x.rows && dy.width == n && w.width == n && r.width == x.rows, "shapes of the norm differ")) return;
  float* dx = call.Out(0, {x.rows, n});
  float* dw = call.Out(1, {frozen ? 0 : n});
  if (!dx || (!dw && !frozen)) return;
  // A fixed number of parts, so that the sum does not depend on the number of threads.
  constexpr int64_t kParts = 16;
  std::vector<float> sums(frozen ? 0 : kParts * n, 0.0f);
  const auto part = [&](int p) {
    RmsGradRows(dy.data, x.data, w.data, r.data, dx, frozen ? nullptr : sums.data() + p * n, x.rows * p / kParts,
                x.rows * (p + 1) / kParts, n, s.real[0]);
  };
  if (x.rows * n < (1 << 16))
    for (int p = 0; p < kParts; p++) part(p);
  else
    ThePool().Run(kParts, part);
  if (!frozen) AddRows(dw, sums.data(), kParts, n);
}

// ---- Rotary positions. Tables are [tokens, turned/2]; the rest of a head is multiplied with `pass` alone.

EVERY_CPU void RopeRows(const float* x, const float* cosine, const float* sine, float* y, int64_t first, int64_t last,
                        int64_t heads, int64_t width, int64_t half, float sign, float pass) {
  for (int64_t t = first; t < last; t++) {
    const float *c = cosine + t * half, *s = sine + t * half;
    for (int64_t h = 0; h < heads; h++) {
      const float* xi = x + (t * heads + h) * width;
      float* yi = y + (t * heads + h) * width;
      for (int64_t j = 0; j < half; j++) {
        const float a = xi[j], b = xi[j + half], turn = sign * s[j];
        yi[j] = a * c[j] - b * turn;
        yi[j + half] = b * c[j] + a * turn;
      }
      for (int64_t j = 2 * half; j < width; j++) yi[j] = xi[j] * pass;
    }
  }
}

void Rope(void* settings, TF_OpKernelContext* context) {
  const auto& s = *static_cast<Settings*>(settings);
  Call call(context);
  const auto x = call.In(0), cosine = call.In(1), sine = call.In(2);
  const int64_t heads = s.whole[0], half = cosine.width;
  const bool fits = heads > 0 && x.width % heads == 0 && 2 * half <= x.width / heads && cosine.rows == x.rows &&
                    sine.rows == x.rows && sine.width == half;
  if (!call.Need(fits, "the table of the rotation does not fit")) return;
  float* y = call.Out(0, {x.rows, x.width});
  if (!y) return;
  const float sign = s.whole[1] ? -1.0f : 1.0f;
  ByRows(x.rows, x.width, [&](int64_t a, int64_t b) {
    RopeRows(x.data, cosine.data, sine.data, y, a, b, heads, x.width / heads, half, sign, s.real[0]);
  });
}

// ---- Gated units with silu. y = g * sigmoid(g) * u.

/** e^x to about one unit in the last place, in a form that compilers turn into vector code. */
inline float Exp(float x) {
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float k = std::floor(x * 1.44269504f + 0.5f);
  const float f = x - k * 0.693359375f + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

EVERY_CPU void SwigluRange(const float* g, const float* u, float* y, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i++) y[i] = g[i] / (1.0f + Exp(-g[i])) * u[i];
}

// du = dy * silu(g), dg = dy * u * (s + g * s * (1 - s)).
EVERY_CPU void SwigluGradRange(const float* dy, const float* g, const float* u, float* dg, float* du, int64_t first,
                               int64_t last) {
  for (int64_t i = first; i < last; i++) {
    const float s = 1.0f / (1.0f + Exp(-g[i]));
    du[i] = dy[i] * g[i] * s;
    dg[i] = dy[i] * u[i] * (s + g[i] * s * (1.0f - s));
  }
}

void Swiglu(void*, TF_OpKernelContext* context) {
  Call call(context);
  const auto g = call.In(0), u = call.In(1);
  if (!call.Need(g.rows == u.rows && g.width == u.width, "gate and up differ in shape")) return;
  float* y = call.Out(0, {g.rows, g.width});
  if (!y) return;
  ByRows(g.rows, g.width * 4,
         [&](int64_t a, int64_t b) { SwigluRange(g.data, u.data, y, a * g.width, b * g.width); });
}

void SwigluGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const auto dy = call.In(0), g = call.In(1), u = call.In(2);
  const bool fits = dy.rows == g.rows && dy.width == g.width && g.rows == u.rows && g.width == u.width;
  if (!call.Need(fits, "gate, up and gradient differ in shape")) return;
  float* dg = call.Out(0, {g.rows, g.width});
  float* du = call.Out(1, {g.rows, g.width});
  if (!dg || !du) return;
  ByRows(g.rows, g.width * 4,
         [&](int64_t a, int64_t b) { SwigluGradRange(dy.data, g.data, u.data, dg, du, a * g.width, b * g.width); });
}

// ---- Products of small matrices, for attention.

/** Eight floats, said outright because compilers do not find them in loops over a tile. */
typedef float Eight __attribute__((vector_size(32)));

inline __attribute__((always_inline)) Eight Load(const float* from) {
  Eight v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/** C (+)= A * B for a tile of C; A[., k] may lie in any order, rows of B and C are contiguous. The tile stays in registers. */
template <int kRows, int kEights, bool kAdd>
inline __attribute__((always_inline)) void Tile(float* c, int64_t ldc, const float* a, int64_t row, int64_t column, const float* b,
                                                int64_t ldb, int64_t k) {
  Eight sum[kRows][kEights];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < kEights; j++) sum[i][j] = kAdd ? Load(c + i * ldc + 8 * j) : Eight{};
  for (int64_t t = 0; t < k; t++) {
    Eight bt[kEights];
#pragma GCC unroll 2
    for (int j = 0; j < kEights; j++) bt[j] = Load(b + t * ldb + 8 * j);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
      const float x = a[i * row + t * column];
#pragma GCC unroll 2
      for (int j = 0; j < kEights; j++) sum[i][j] += x * bt[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < kEights; j++) std::memcpy(c + i * ldc + 8 * j, &sum[i][j], sizeof(Eight));
}

template <int kEights, bool kAdd>
inline __attribute__((always_inline)) void Strip(float* c, int64_t ldc, const float* a, int64_t row, int64_t column, const float* b,
                                                 int64_t ldb, int64_t m, int64_t k) {
  int64_t i = 0;
  for (; i + 6 <= m; i += 6) Tile<6, kEights, kAdd>(c + i * ldc, ldc, a + i * row, row, column, b, ldb, k);
  for (; i < m; i++) Tile<1, kEights, kAdd>(c + i * ldc, ldc, a + i * row, row, column, b, ldb, k);
}

/** C[m, n] (+)= A[m, k] * B[k, n]. */
template <bool kAdd>
inline __attribute__((always_inline)) void Product(float* c, int64_t ldc, const float* a, int64_t row, int64_t column,
                                                   const float* b, int64_t ldb, int64_t m, int64_t n, int64_t k) {
  int64_t j = 0;
  for (; j + 16 <= n; j += 16) Strip<2, kAdd>(c + j, ldc, a, row, column, b + j, ldb, m, k);
  for (; j + 8 <= n; j += 8) Strip<1, kAdd>(c + j, ldc, a, row, column, b + j, ldb, m, k);
  for (; j < n; j++)
    for (int64_t i = 0; i < m; i++) {
      float sum = kAdd ? c[i * ldc + j] : 0.0f;
      for (int64_t t = 0; t < k; t++) sum += a[i * row + t * column] * b[t * ldb + j];
      c[i * ldc + j] = sum;
    }
}

// ---- Causal attention over rows that lie one after the other, [tokens, heads * width]; queries carry the scale.
// P = softmax(Q K^T) row by row, O = P V. Kept for the gradient is log(sum(exp)) of every query alone: P is computed again.

struct Heads {
  int64_t tokens, heads, key_heads, width, window;
  int64_t group() const { return heads / key_heads; }
};

constexpr int64_t kQueries = 48;

/** Rows of [count, width] (with `stride`) as columns: [width, padded]. */
EVERY_CPU void Transpose(const float* from, int64_t stride, int64_t count, int64_t width, float* to, int64_t padded) {
  for (int64_t t = 0; t < count; t++)
    for (int64_t d = 0; d < width; d++) to[d * padded + t] = from[t * stride + d];
}

/** The keys that queries [i0, i1) of a row look at: [first, last). */
inline void Seen(int64_t i0, int64_t i1, int64_t window, int64_t* first, int64_t* last) {
  *first = window > 0 ? std::max<int64_t>(0, i0 - window + 1) : 0;
  *last = i1;
}

/** Scores of a block of queries to the keys [first, last). */
EVERY_CPU void Scores(const float* q, const float* keys, int64_t padded, float* p, int64_t i0, int64_t i1, int64_t first, int64_t last,
                      const Heads& shape) {
  Product<false>(p, padded, q, shape.heads * shape.width, 1, keys + first, padded, i1 - i0, last - first, shape.width);
}

/** The largest of at least one number; a NaN is passed over. */
EVERY_CPU float Largest(const float* p, int64_t count) {
  float most = p[0];
  int64_t j = 0;
  if (count >= 8) {
    Eight high = Load(p);
    for (; j + 8 <= count; j += 8) {
      const Eight x = Load(p + j);
      high = x > high ? x : high;
    }
    for (int i = 0; i < 8; i++) most = std::max(most, high[i]);
  }
  for (; j < count; j++) most = std::max(most, p[j]);
  return most;
}

EVERY_CPU float SoftmaxRow(float* p, int64_t from, int64_t to, int64_t count) {
  const float most = Largest(p + from, to - from);
  float sum = 0;
  for (int64_t j = from; j < to; j++) {
    p[j] = Exp(p[j] - most);
    sum += p[j];
  }
  const float inverse = 1.0f / sum;
  for (int64_t j = from; j < to; j++) p[j] *= inverse;
  std::fill(p, p + from, 0.0f);
  std::fill(p + to, p + count, 0.0f);
  return most + std::log(sum);
}

EVERY_CPU void AgainRow(float* p, int64_t from, int64_t to, int64_t count, float shift) {
  for (int64_t j = from; j < to; j++) p[j] = Exp(p[j] - shift);
  std::fill(p, p + from, 0.0f);
  std::fill(p + to, p + count, 0.0f);
}

/** ds = p * (dp - paid). */
EVERY_CPU void ScoreGradRow(float* dp, const float* p, float paid, int64_t count) {
  for (int64_t j = 0; j < count; j++) dp[j] = p[j] * (dp[j] - paid);
}

EVERY_CPU float Dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

EVERY_CPU void AttendBlock(const float* p, int64_t padded, const float* v, float* out, int64_t queries, int64_t keys,
                           const Heads& shape) {
  Product<false>(out, shape.heads * shape.width, p, padded, 1, v, shape.key_heads * shape.width, queries, shape.width, keys);
}

int64_t Padded(int64_t n) { return (n + 15) / 16 * 16; }

/** One row of the batch, one key head: all queries of its group. */
void AttendRow(const float* q, const float* k, const float* v, float* out, float* logsum, int64_t start, int64_t n, int64_t key_head,
               const Heads& shape) {
  const int64_t padded = Padded(n), key_stride = shape.key_heads * shape.width, stride = shape.heads * shape.width;
  std::vector<float> keys(shape.width * padded), p(kQueries * padded);
  Transpose(k + start * key_stride + key_head * shape.width, key_stride, n, shape.width, keys.data(), padded);
  for (int64_t h = key_head * shape.group(); h < (key_head + 1) * shape.group(); h++)
    for (int64_t i0 = 0; i0 < n; i0 += kQueries) {
      const int64_t i1 = std::min(n, i0 + kQueries);
      int64_t first, last;
      Seen(i0, i1, shape.window, &first, &last);
      Scores(q + (start + i0) * stride + h * shape.width, keys.data(), padded, p.data(), i0, i1, first, last, shape);
      for (int64_t i = i0; i < i1; i++) {
        const int64_t from = shape.window > 0 ? std::max<int64_t>(0, i - shape.window + 1) - first : 0;
        logsum[(start + i) * shape.heads + h] = SoftmaxRow(p.data() + (i - i0) * padded, from, i + 1 - first, last - first);
      }
      AttendBlock(p.data(), padded, v + (start + first) * key_stride + key_head * shape.width, out + (start + i0) * stride + h * shape.width,
                  i1 - i0, last - first, shape);
    }
}

// The four products of a block's gradient; dp and p are [queries, padded] over the keys [first, last).
EVERY_CPU void GradProducts(const float* q, const float* dy, const float* k, const float* values, float* p, float* dp, float* dq, float* dk,
                            float* dv, const float* out, int64_t padded, int64_t queries, int64_t first, int64_t keys,
                            const Heads& shape) {
  const int64_t stride = shape.heads * shape.width, key_stride = shape.key_heads * shape.width, w = shape.width;
  Product<false>(dp, padded, dy, stride, 1, values + first, padded, queries, keys, w);
  Product<true>(dv, key_stride, p, 1, padded, dy, stride, keys, w, queries);
  for (int64_t i = 0; i < queries; i++)
    ScoreGradRow(dp + i * padded, p + i * padded, Dot(dy + i * stride, out + i * stride, w), keys);
  Product<false>(dq, stride, dp, padded, 1, k, key_stride, queries, w, keys);
  Product<true>(dk, key_stride, dp, 1, padded, q, stride, keys, w, queries);
}

void AttendRowGrad(const float* dy, const float* q, const float* k, const float* v, const float* out, const float* logsum, float* dq,
                   float* dk, float* dv, int64_t start, int64_t n, int64_t key_head, const Heads& shape) {
  const int64_t padded = Padded(n), key_stride = shape.key_heads * shape.width, stride = shape.heads * shape.width, w = shape.width;
  std::vector<float> keys(w * padded), values(w * padded), p(kQueries * padded), dp(kQueries * padded);
  const int64_t key_at = start * key_stride + key_head * w;
  Transpose(k + key_at, key_stride, n, w, keys.data(), padded);
  Transpose(v + key_at, key_stride, n, w, values.data(), padded);
  for (int64_t h = key_head * shape.group(); h < (key_head + 1) * shape.group(); h++)
    for (int64_t i0 = 0; i0 < n; i0 += kQueries) {
      const int64_t i1 = std::min(n, i0 + kQueries), at = (start + i0) * stride + h * w;
      int64_t first, last;
      Seen(i0, i1, shape.window, &first, &last);
      Scores(q + at, keys.data(), padded, p.data(), i0, i1, first, last, shape);
      for (int64_t i = i0; i < i1; i++) {
        const int64_t from = shape.window > 0 ? std::max<int64_t>(0, i - shape.window + 1) - first : 0;
        AgainRow(p.data() + (i - i0) * padded, from, i + 1 - first, last - first, logsum[(start + i) * shape.heads + h]);
      }
      const int64_t there = key_at + first * key_stride;
      GradProducts(q + at, dy + at, k + there, values.data(), p.data(), dp.data(), dq + at, dk + there, dv + there, out + at, padded,
                   i1 - i0, first, last - first, shape);
    }
}

/** Rows of the batch from where each begins; false where they do not lie one after the other within the tokens. */
bool Lengths(const Call::Whole& starts, int64_t tokens) {
  if (starts.count < 1 || starts.data[0] != 0 || starts.data[starts.count - 1] != tokens) return false;
  for (int64_t i = 1; i < starts.count; i++)
    if (starts.data[i] < starts.data[i - 1]) return false;
  return true;
}

/** work(start, length, key head) for every row and key head, the longest rows first. */
template <typename Work>
void ByRowAndHead(const Call::Whole& starts, const Heads& shape, const Work& work) {
  std::vector<int64_t> rows(starts.count - 1);
  for (size_t i = 0; i < rows.size(); i++) rows[i] = static_cast<int64_t>(i);
  const auto length = [&](int64_t row) { return static_cast<int64_t>(starts.data[row + 1]) - starts.data[row]; };
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  ThePool().Run(static_cast<int>(rows.size() * shape.key_heads), [&](int part) {
    const int64_t row = rows[part / shape.key_heads];
    if (length(row) > 0) work(starts.data[row], length(row), part % shape.key_heads);
  });
}

bool Fits(const Heads& shape, const Call::Matrix& q, const Call::Matrix& k, const Call::Matrix& v, const Call::Whole& starts) {
  return shape.heads > 0 && shape.key_heads > 0 && shape.heads % shape.key_heads == 0 && q.width == shape.heads * shape.width &&
         k.width == shape.key_heads * shape.width && v.width == k.width && k.rows == q.rows && v.rows == q.rows &&
         Lengths(starts, q.rows);
}

void Attention(void* settings, TF_OpKernelContext* context) {
  const auto& s = *static_cast<Settings*>(settings);
  Call call(context);
  const auto q = call.In(0), k = call.In(1), v = call.In(2);
  const auto starts = call.Integers(3);
  if (!call.Need(s.whole[0] > 0, "attention needs heads")) return;
  const Heads shape{q.rows, s.whole[0], s.whole[1], q.width / s.whole[0], s.whole[2]};
  if (!call.Need(Fits(shape, q, k, v, starts), "queries, keys, values and rows do not fit")) return;
  float* out = call.Out(0, {q.rows, q.width});
  float* logsum = call.Out(1, {q.rows, shape.heads});
  if (!out || !logsum) return;
  ByRowAndHead(starts, shape, [&](int64_t start, int64_t n, int64_t key_head) {
    AttendRow(q.data, k.data, v.data, out, logsum, start, n, key_head, shape);
  });
}

void AttentionGrad(void* settings, TF_OpKernelContext* context) {
  const auto& s = *static_cast<Settings*>(settings);
  Call call(context);
  const auto dy = call.In(0), q = call.In(1), k = call.In(2), v = call.In(3), out = call.In(4), logsum = call.In(5);
  const auto starts = call.Integers(6);
  if (!call.Need(s.whole[0] > 0, "attention needs heads")) return;
  const Heads shape{q.rows, s.whole[0], s.whole[1], q.width / s.whole[0], s.whole[2]};
  const bool fits = Fits(shape, q, k, v, starts) && dy.rows == q.rows && dy.width == q.width && out.rows == q.rows &&
                    out.width == q.width && logsum.rows == q.rows && logsum.width == shape.heads;
  if (!call.Need(fits, "queries, keys, values, gradient and rows do not fit")) return;
  float* dq = call.Out(0, {q.rows, q.width});
  float* dk = call.Out(1, {k.rows, k.width});
  float* dv = call.Out(2, {v.rows, v.width});
  if (!dq || !dk || !dv) return;
  std::fill(dk, dk + k.rows * k.width, 0.0f);
  std::fill(dv, dv + v.rows * v.width, 0.0f);
  ByRowAndHead(starts, shape, [&](int64_t start, int64_t n, int64_t key_head) {
    AttendRowGrad(dy.data, q.data, k.data, v.data, out.data, logsum.data, dq, dk, dv, start, n, key_head, shape);
  });
}

// ---- Registration.

/** Inputs are floats, or integers where the name begins with "!". */
struct Definition {
  const char* name;
  std::vector<const char*> inputs, outputs, reals, wholes;
  void* (*create)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
};

const std::vector<Definition>& Definitions();

template <int kIndex>
void* Create(TF_OpKernelConstruction* construction) {
  auto* settings = new Settings;
  TF_Status* status = TF_NewStatus();
  const Definition& definition = Definitions()[kIndex];
  for (size_t i = 0; i < definition.reals.size(); i++)
    TF_OpKernelConstruction_GetAttrFloat(construction, definition.reals[i], &settings->real[i], status);
  for (size_t i = 0; i < definition.wholes.size(); i++)
    TF_OpKernelConstruction_GetAttrInt32(construction, definition.wholes[i], &settings->whole[i], status);
  TF_DeleteStatus(status);
  return settings;
}

const std::vector<Definition>& Definitions() {
  static const std::vector<Definition> all = {
      {"TunebookRmsNorm", {"x", "weight"}, {"y", "r"}, {"eps", "offset"}, {}, Create<0>, RmsNorm},
      {"TunebookRmsNormGrad", {"dy", "x", "weight", "r"}, {"dx", "dw"}, {"offset"}, {"frozen"}, Create<1>, RmsNormGrad},
      {"TunebookRope", {"x", "cosine", "sine"}, {"y"}, {"pass"}, {"heads", "back"}, Create<2>, Rope},
      {"TunebookSwiglu", {"gate", "up"}, {"y"}, {}, {}, Create<3>, Swiglu},
      {"TunebookSwigluGrad", {"dy", "gate", "up"}, {"dgate", "dup"}, {}, {}, Create<4>, SwigluGrad},
      {"TunebookAttention", {"q", "k", "v", "!starts"}, {"y", "logsum"}, {}, {"heads", "key_heads", "window"}, Create<5>, Attention},
      {"TunebookAttentionGrad",
       {"dy", "q", "k", "v", "y", "logsum", "!starts"},
       {"dq", "dk", "dv"},
       {},
       {"heads", "key_heads", "window"},
       Create<6>,
       AttentionGrad},
  };
  return all;
}

std::string Register() {
  for (const Definition& definition : Definitions()) {
    TF_Status* status = TF_NewStatus();
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(definition.name);
    for (const char* name : definition.inputs)
      TF_OpDefinitionBuilderAddInput(op, (*name == '!' ? std::string(name + 1) + ": int32" : std::string(name) + ": float").c_str());
    for (const char* name : definition.outputs) TF_OpDefinitionBuilderAddOutput(op, (std::string(name) + ": float").c_str());
    for (const char* name : definition.reals) TF_OpDefinitionBuilderAddAttr(op, (std::string(name) + ": float").c_str());
    for (const char* name : definition.wholes) TF_OpDefinitionBuilderAddAttr(op, (std::string(name) + ": int").c_str());
    TF_RegisterOpDefinition(op, status);
    if (TF_GetCode(status) == 0)
      TF_RegisterKernelBuilder(definition.name,
                               TF_NewKernelBuilder(definition.name, "CPU", definition.create, definition.compute, Release), status);
    const std::string problem = TF_GetCode(status) == 0 ? "" : TF_Message(status);
    TF_DeleteStatus(status);
    if (!problem.empty()) return problem;
  }
  return "";
}

napi_value Init(napi_env env, napi_value exports) {
  // Once a process: another context of it that loads the addon finds the kernels there.
  static const std::string problem = Register();
  if (!problem.empty()) napi_throw_error(env, nullptr, problem.c_str());
  return exports;
}

}  // namespace

NAPI_MODULE(tunebook_kernels, Init)
