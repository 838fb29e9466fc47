// Memory for what a kernel makes on its way.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace tunebook {

struct FreeFloats {
  void operator()(float* data) const { std::free(data); }
};

/** Null where there is no memory. */
typedef std::unique_ptr<float[], FreeFloats> Floats;

inline Floats Allocate(int64_t count) {
  constexpr size_t kLine = 64;
  const size_t bytes = static_cast<size_t>(count > 0 ? count : 1) * sizeof(float);
  return Floats(static_cast<float*>(std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine)));
}

}  // namespace tunebook
