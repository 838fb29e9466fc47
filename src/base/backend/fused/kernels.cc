// Fused float32 kernels for TensorFlow on a CPU, registered through its C interface. Each makes one pass over memory where
// TensorFlow's own ops make five to ten, and is one call instead of as many. Their arithmetic is in math.cc.
#include <node_api.h>

#include <string>

#include "attention.h"
#include "loss.h"
#include "math.h"
#include "multiply.h"
#include "optimizer.h"
#include "pool.h"
#include "step.h"
#include "sublayers.h"
#include "sums.h"
#include "tensorflow.h"

namespace tunebook {

/** The widest form of the arithmetic that this processor has. */
const Math& TheMath() {
  static const Math& best = []() -> const Math& {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
      return math_avx512;
    if (avx2) return math_avx2;
#endif
    return math_base;
  }();
  return best;
}

namespace {

/** Attributes of a kernel: floats and small integers, in the order in which they were declared. */
struct Settings {
  float real[4] = {};
  int32_t whole[8] = {};
};

const Settings& Of(void* settings) { return *static_cast<Settings*>(settings); }

void Release(void* settings) { delete static_cast<Settings*>(settings); }

// ---- Norms.

constexpr char kNoSums[] = "there is no memory for the sums of a norm";

void RmsNorm(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  const auto x = call.In(0), w = call.In(1);
  if (!call.Need(w.width == x.width && w.rows == 1, "the weight of the norm has another width")) return;
  float* y = call.Out(0, {x.rows, x.width});
  float* r = call.Out(1, {x.rows});
  if (!call.Good()) return;
  ByRows(x.rows, x.width, [&](int64_t a, int64_t b) { TheMath().rms(x.data, w.data, y, r, a, b, x.width, s.real[0], s.real[1]); });
}

void RmsNormGrad(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  const bool frozen = s.whole[0] != 0;
  Call call(context);
  const auto dy = call.In(0), x = call.In(1), w = call.In(2), r = call.In(3);
  const int64_t n = x.width;
  if (!call.Need(dy.Like(x) && w.width == n && w.rows == 1 && r.rows * r.width == x.rows, "shapes of the norm differ")) return;
  float* dx = call.Out(0, {x.rows, n});
  float* dw = call.Out(1, {frozen ? 0 : n});
  if (!call.Good()) return;
  float* const sums[1] = {frozen ? nullptr : dw};
  const bool room = SumByRows(x.rows, n, sums, [&](int64_t a, int64_t b, float** own) {
    TheMath().rms_grad(dy.data, x.data, w.data, r.data, dx, own ? own[0] : nullptr, a, b, n, s.real[0]);
  });
  call.Need(room, kNoSums, kResourceExhausted);
}

void LayerNorm(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  const auto x = call.In(0), w = call.In(1), b = call.In(2);
  if (!call.Need(w.width == x.width && w.rows == 1 && b.Like(w), "weight or bias of the norm has another width")) return;
  float* y = call.Out(0, {x.rows, x.width});
  float* mean = call.Out(1, {x.rows});
  float* r = call.Out(2, {x.rows});
  if (!call.Good()) return;
  ByRows(x.rows, x.width,
         [&](int64_t from, int64_t to) { TheMath().layer(x.data, w.data, b.data, y, mean, r, from, to, x.width, s.real[0]); });
}

void LayerNormGrad(void* settings, TF_OpKernelContext* context) {
  const bool frozen = Of(settings).whole[0] != 0;
  Call call(context);
  const auto dy = call.In(0), x = call.In(1), w = call.In(2), mean = call.In(3), r = call.In(4);
  const int64_t n = x.width;
  const bool fits = dy.Like(x) && w.width == n && w.rows == 1 && mean.rows * mean.width == x.rows && r.Like(mean);
  if (!call.Need(fits, "shapes of the norm differ")) return;
  float* dx = call.Out(0, {x.rows, n});
  float* dw = call.Out(1, {frozen ? 0 : n});
  float* db = call.Out(2, {frozen ? 0 : n});
  if (!call.Good()) return;
  float* const sums[2] = {frozen ? nullptr : dw, db};
  const bool room = SumByRows(x.rows, n, sums, [&](int64_t a, int64_t b, float** own) {
    TheMath().layer_grad(dy.data, x.data, w.data, mean.data, r.data, dx, own ? own[0] : nullptr, own ? own[1] : nullptr, a, b, n);
  });
  call.Need(room, kNoSums, kResourceExhausted);
}

// ---- Rotary positions.

void Rope(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  const auto x = call.In(0), cosine = call.In(1), sine = call.In(2);
  const int64_t heads = s.whole[0], half = cosine.width;
  const bool fits = heads > 0 && x.width % heads == 0 && 2 * half <= x.width / heads && cosine.rows == x.rows && sine.Like(cosine);
  if (!call.Need(fits, "the table of the rotation does not fit")) return;
  float* y = call.Out(0, {x.rows, x.width});
  if (!call.Good()) return;
  const float sign = s.whole[1] ? -1.0f : 1.0f;
  ByRows(x.rows, x.width, [&](int64_t a, int64_t b) {
    TheMath().rope(x.data, cosine.data, sine.data, y, a, b, heads, x.width / heads, half, sign, s.real[0]);
  });
}

// ---- Units, gated and plain.

/** What a unit costs beside a sum over its elements. */
constexpr int64_t kUnitCost = 4;

void Unit(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  const auto x = call.In(0);
  float* y = call.Out(0, {x.rows, x.width});
  if (!call.Good()) return;
  ByRows(x.rows, x.width * kUnitCost,
         [&](int64_t a, int64_t b) { TheMath().unit(Of(settings).whole[0], x.data, nullptr, y, a * x.width, b * x.width); });
}

void UnitGrad(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  const auto dy = call.In(0), x = call.In(1);
  if (!call.Need(dy.Like(x), "unit and gradient differ in shape")) return;
  float* dx = call.Out(0, {x.rows, x.width});
  if (!call.Good()) return;
  ByRows(x.rows, x.width * kUnitCost, [&](int64_t a, int64_t b) {
    TheMath().unit_grad(Of(settings).whole[0], dy.data, x.data, nullptr, dx, nullptr, a * x.width, b * x.width);
  });
}

void GatedUnit(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  const auto g = call.In(0), u = call.In(1);
  if (!call.Need(g.Like(u), "gate and up differ in shape")) return;
  float* y = call.Out(0, {g.rows, g.width});
  if (!call.Good()) return;
  ByRows(g.rows, g.width * kUnitCost,
         [&](int64_t a, int64_t b) { TheMath().unit(Of(settings).whole[0], g.data, u.data, y, a * g.width, b * g.width); });
}

void GatedUnitGrad(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  const auto dy = call.In(0), g = call.In(1), u = call.In(2);
  if (!call.Need(dy.Like(g) && g.Like(u), "gate, up and gradient differ in shape")) return;
  float* dg = call.Out(0, {g.rows, g.width});
  float* du = call.Out(1, {g.rows, g.width});
  if (!call.Good()) return;
  ByRows(g.rows, g.width * kUnitCost, [&](int64_t a, int64_t b) {
    TheMath().unit_grad(Of(settings).whole[0], dy.data, g.data, u.data, dg, du, a * g.width, b * g.width);
  });
}

// ---- Attention.

void AttentionOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  Attention(call, {s.whole[0], s.whole[1], s.whole[2]});
}

void AttentionGradOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  AttentionGrad(call, {s.whole[0], s.whole[1], s.whole[2]});
}

void CachedAttentionOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  CachedAttention(call, {s.whole[0], s.whole[1], s.whole[2]});
}

void SharedAttentionOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  SharedAttention(call, {s.whole[0], s.whole[1], s.whole[2]});
}

// ---- The loss.

void CrossEntropyOp(void*, TF_OpKernelContext* context) {
  Call call(context);
  CrossEntropy(call);
}

// ---- All weights at once.

void SumsOfSquaresOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  SumsOfSquares(call, Of(settings).whole[0]);
}

void AdamWOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  AdamW(call, Of(settings).whole[0]);
}

void PlaceOp(void*, TF_OpKernelContext* context) {
  Call call(context);
  Place(call);
}

// ---- Products.

void MatMulOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  Call call(context);
  MatMul(call, s.whole[0] != 0, s.whole[1] != 0);
}

// ---- Sub-layers.

SelfAttentionOf SelfAttentionSettings(const Settings& s) {
  return {{s.whole[0], s.whole[1], s.whole[2]}, {s.real[0], s.real[1]}, s.real[2], s.real[3], s.whole[3]};
}

void SelfAttentionOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  SelfAttention(call, SelfAttentionSettings(Of(settings)));
}

void SelfAttentionGradOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  SelfAttentionGrad(call, SelfAttentionSettings(Of(settings)));
}

FeedForwardOf FeedForwardSettings(const Settings& s) { return {{s.real[0], s.real[1]}, s.whole[0], s.whole[1]}; }

void FeedForwardOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  FeedForward(call, FeedForwardSettings(Of(settings)));
}

void FeedForwardGradOp(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  FeedForwardGrad(call, FeedForwardSettings(Of(settings)));
}

// ---- A step of generation.

void ProductsOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  const auto& w = s.whole;
  Call call(context);
  Products(call, {w[1], w[2], w[3] != 0, w[4] != 0, w[5] != 0, w[6], w[7] != 0, s.real[0], s.real[1]});
}

void AttentionStepOp(void* settings, TF_OpKernelContext* context) {
  const auto& s = Of(settings);
  const auto& w = s.whole;
  Call call(context);
  AttentionStep(call, {{w[1], w[2], w[3]}, s.real[0], w[4] != 0, s.real[1], s.real[2], w[5] != 0, w[6] != 0});
}

// ---- Registration.

/** Inputs are floats; integers where the name begins with "!", lists of N floats where it begins with "*". */
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
  for (size_t i = 0; i < definition.reals.size() && TF_GetCode(status) == 0; i++)
    TF_OpKernelConstruction_GetAttrFloat(construction, definition.reals[i], &settings->real[i], status);
  for (size_t i = 0; i < definition.wholes.size() && TF_GetCode(status) == 0; i++)
    TF_OpKernelConstruction_GetAttrInt32(construction, definition.wholes[i], &settings->whole[i], status);
  if (TF_GetCode(status) != 0) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return settings;
}

const std::vector<Definition>& Definitions() {
  static const std::vector<Definition> all = {
      {"TunebookRmsNorm", {"x", "weight"}, {"y", "r"}, {"eps", "offset"}, {}, Create<0>, RmsNorm},
      {"TunebookRmsNormGrad", {"dy", "x", "weight", "r"}, {"dx", "dw"}, {"offset"}, {"frozen"}, Create<1>, RmsNormGrad},
      {"TunebookLayerNorm", {"x", "weight", "bias"}, {"y", "mean", "r"}, {"eps"}, {}, Create<2>, LayerNorm},
      {"TunebookLayerNormGrad", {"dy", "x", "weight", "mean", "r"}, {"dx", "dw", "db"}, {}, {"frozen"}, Create<3>, LayerNormGrad},
      {"TunebookRope", {"x", "cosine", "sine"}, {"y"}, {"pass"}, {"heads", "back"}, Create<4>, Rope},
      {"TunebookUnit", {"x"}, {"y"}, {}, {"kind"}, Create<5>, Unit},
      {"TunebookUnitGrad", {"dy", "x"}, {"dx"}, {}, {"kind"}, Create<6>, UnitGrad},
      {"TunebookGatedUnit", {"gate", "up"}, {"y"}, {}, {"kind"}, Create<7>, GatedUnit},
      {"TunebookGatedUnitGrad", {"dy", "gate", "up"}, {"dgate", "dup"}, {}, {"kind"}, Create<8>, GatedUnitGrad},
      {"TunebookAttention", {"q", "k", "v", "!starts"}, {"y", "logsum"}, {}, {"heads", "key_heads", "window"}, Create<9>, AttentionOp},
      {"TunebookAttentionGrad",
       {"dy", "q", "k", "v", "y", "logsum", "!starts"},
       {"dq", "dk", "dv"},
       {},
       {"heads", "key_heads", "window"},
       Create<10>,
       AttentionGradOp},
      {"TunebookCachedAttention",
       {"q", "keys", "values", "!positions"},
       {"y", "logsum"},
       {},
       {"heads", "key_heads", "window"},
       Create<11>,
       CachedAttentionOp},
      {"TunebookCrossEntropy", {"logits", "!labels", "weights"}, {"losses", "dlogits"}, {}, {}, Create<12>, CrossEntropyOp},
      {"TunebookSumsOfSquares", {"*x"}, {"sums"}, {}, {"N"}, Create<13>, SumsOfSquaresOp},
      {"TunebookAdamW", {"settings", "rates", "*weights", "*means", "*squares", "*gradients"}, {}, {}, {"N"}, Create<14>, AdamWOp},
      {"TunebookProducts",
       {"x", "*parts"},
       {"y"},
       {"eps", "offset"},
       {"N", "matrices", "norm", "biased", "residual", "transposed", "unit", "gated"},
       Create<15>,
       ProductsOp},
      {"TunebookAttentionStep",
       {"x", "keys", "values", "!positions", "*parts"},
       {"y"},
       {"scale", "eps", "offset"},
       {"N", "heads", "key_heads", "window", "normed", "turned", "shared"},
       Create<16>,
       AttentionStepOp},
      {"TunebookMatMul", {"a", "b"}, {"y"}, {}, {"turn_a", "turn_b"}, Create<17>, MatMulOp},
      {"TunebookSelfAttention",
       {"x", "norm", "wq", "wk", "wv", "wo", "cos_q", "sin_q", "cos_k", "sin_k", "!starts", "!keep"},
       {"y", "r", "q", "k", "v", "out", "logsum"},
       {"eps", "offset", "pass_query", "pass_key"},
       {"heads", "key_heads", "window", "wanted"},
       Create<18>,
       SelfAttentionOp},
      {"TunebookSelfAttentionGrad",
       {"dy", "x", "norm", "wq", "wk", "wv", "wo", "cos_q", "sin_q", "cos_k", "sin_k", "!starts", "!keep", "r", "q", "k", "v", "out", "logsum"},
       {"dx", "dnorm", "dwq", "dwk", "dwv", "dwo"},
       {"eps", "offset", "pass_query", "pass_key"},
       {"heads", "key_heads", "window", "wanted"},
       Create<19>,
       SelfAttentionGradOp},
      {"TunebookFeedForward",
       {"x", "norm", "gate", "up", "down"},
       {"y", "r", "g", "u"},
       {"eps", "offset"},
       {"kind", "wanted"},
       Create<20>,
       FeedForwardOp},
      {"TunebookFeedForwardGrad",
       {"dy", "x", "norm", "gate", "up", "down", "r", "g", "u"},
       {"dx", "dnorm", "dgate", "dup", "ddown"},
       {"eps", "offset"},
       {"kind", "wanted"},
       Create<21>,
       FeedForwardGradOp},
      {"TunebookPlace", {"target", "values", "!at"}, {}, {}, {}, Create<22>, PlaceOp},
      {"TunebookSharedAttention",
       {"q", "before", "sums", "keys", "values", "!positions"},
       {"y"},
       {},
       {"heads", "key_heads", "window"},
       Create<23>,
       SharedAttentionOp},
  };
  return all;
}

std::string Register() {
  for (const Definition& definition : Definitions()) {
    TF_Status* status = TF_NewStatus();
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(definition.name);
    for (const char* name : definition.inputs) {
      const std::string plain = *name == '!' || *name == '*' ? name + 1 : name;
      TF_OpDefinitionBuilderAddInput(op, (plain + (*name == '!' ? ": int32" : *name == '*' ? ": N * float" : ": float")).c_str());
    }
    for (const char* name : definition.outputs) TF_OpDefinitionBuilderAddOutput(op, (std::string(name) + ": float").c_str());
    for (const char* name : definition.reals) TF_OpDefinitionBuilderAddAttr(op, (std::string(name) + ": float").c_str());
    for (const char* name : definition.wholes)
      TF_OpDefinitionBuilderAddAttr(op, (std::string(name) + (std::string(name) == "N" ? ": int >= 0" : ": int")).c_str());
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
}  // namespace tunebook

NAPI_MODULE(tunebook_kernels, tunebook::Init)
