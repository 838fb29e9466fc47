// TensorFlow's C interface, which is stable across its versions: the few functions and types of it that are used are declared
// here (tensorflow/c/kernels.h, ops.h, tf_tensor.h, tf_status.h), as its headers are not installed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction*, TF_Status*);
void TF_OpKernelContext_Failure(TF_OpKernelContext*, TF_Status*);
void TF_GetInput(TF_OpKernelContext*, int index, TF_Tensor**, TF_Status*);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext*, int index, int type, const int64_t* shape, int rank, size_t bytes, TF_Status*);
void* TF_TensorData(const TF_Tensor*);
int TF_NumDims(const TF_Tensor*);
int64_t TF_Dim(const TF_Tensor*, int index);
int64_t TF_TensorElementCount(const TF_Tensor*);
void TF_DeleteTensor(TF_Tensor*);
}

namespace tunebook {

constexpr int kFloat = 1;
constexpr int kInvalidArgument = 3;
constexpr int kResourceExhausted = 8;

/** A kernel's view of one call of it. */
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) { held_.reserve(12); }
  ~Call() {
    for (TF_Tensor* tensor : held_) TF_DeleteTensor(tensor);
    if (!Good()) TF_OpKernelContext_Failure(context_, status_);
    TF_DeleteStatus(status_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  struct Matrix {
    const float* data = nullptr;
    int64_t rows = 0, width = 0;
    bool Like(const Matrix& other) const { return rows == other.rows && width == other.width; }
  };

  /** An input as a matrix of its last axis; a vector is one row. */
  Matrix In(int index) {
    TF_Tensor* tensor = Input(index);
    if (!tensor) return {};
    const int rank = TF_NumDims(tensor);
    const int64_t width = rank > 0 ? TF_Dim(tensor, rank - 1) : 1;
    int64_t rows = 1;
    for (int i = 0; i + 1 < rank; i++) rows *= TF_Dim(tensor, i);
    return {static_cast<const float*>(TF_TensorData(tensor)), rows, width};
  }

  struct Whole {
    const int32_t* data = nullptr;
    int64_t count = 0;
  };

  Whole Integers(int index) {
    TF_Tensor* tensor = Input(index);
    if (!tensor) return {};
    return {static_cast<const int32_t*>(TF_TensorData(tensor)), TF_TensorElementCount(tensor)};
  }

  /** Memory of an output; nothing where it has no elements. Ask Good() when all are made. */
  float* Out(int index, std::initializer_list<int64_t> shape) {
    if (!Good()) return nullptr;
    int64_t count = 1;
    for (int64_t n : shape) count *= n;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, kFloat, shape.begin(), static_cast<int>(shape.size()),
                                          static_cast<size_t>(count) * sizeof(float), status_);
    if (!Good()) return nullptr;
    held_.push_back(tensor);
    return static_cast<float*>(TF_TensorData(tensor));
  }

  bool Good() const { return TF_GetCode(status_) == 0; }

  /** Fail with these words unless it is so. */
  bool Need(bool so, const char* what, int code = kInvalidArgument) {
    if (Good() && !so) TF_SetStatus(status_, code, what);
    return Good();
  }

 private:
  TF_Tensor* Input(int index) {
    if (!Good()) return nullptr;
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    if (!Good()) return nullptr;
    held_.push_back(tensor);
    return tensor;
  }

  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> held_;
};

}  // namespace tunebook
