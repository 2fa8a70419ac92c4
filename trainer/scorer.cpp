#include "trainer/scorer.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "trainer/scorer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace freshet {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// Targets without a fused multiply-add round twice: there the C library's fma stands in, slow and
// exact.
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || HWY_ARCH_ARM_A64
template <class V>
HWY_INLINE V multiply_add(V a, V b, V c) {
  return hn::MulAdd(a, b, c);
}
#else
template <class V>
HWY_INLINE V multiply_add(V a, V b, V c) {
  const Floats d;
  HWY_ALIGN float x[HWY_MAX_BYTES / sizeof(float)];
  HWY_ALIGN float y[HWY_MAX_BYTES / sizeof(float)];
  HWY_ALIGN float z[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  hn::Store(c, d, z);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) z[i] = std::fma(x[i], y[i], z[i]);
  return hn::Load(d, z);
}
#endif

/// R rows by J vectors of outputs.
template <int R, int J>
HWY_INLINE void tile(const float* HWY_RESTRICT x, std::size_t x_stride, std::size_t inputs,
                     const float* HWY_RESTRICT w, const float* HWY_RESTRICT b, std::size_t outputs,
                     bool relu, float* HWY_RESTRICT y) {
  const Floats d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<Floats> sum[R][J];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) sum[r][j] = hn::Load(d, b + static_cast<std::size_t>(j) * lanes);
  }
  for (std::size_t k = 0; k < inputs; ++k) {
    hn::Vec<Floats> weight[J];
    for (int j = 0; j < J; ++j) {
      weight[j] = hn::Load(d, w + k * outputs + static_cast<std::size_t>(j) * lanes);
    }
    for (int r = 0; r < R; ++r) {
      const auto value = hn::Set(d, x[static_cast<std::size_t>(r) * x_stride + k]);
      for (int j = 0; j < J; ++j) sum[r][j] = multiply_add(value, weight[j], sum[r][j]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) {
      const auto out = relu ? hn::Max(sum[r][j], hn::Zero(d)) : sum[r][j];
      hn::Store(out, d,
                y + static_cast<std::size_t>(r) * outputs + static_cast<std::size_t>(j) * lanes);
    }
  }
}

/// All rows by J vectors of outputs from column `j` on.
template <int J, int R>
HWY_INLINE void strip(const float* x, std::size_t x_stride, std::size_t n, std::size_t inputs,
                      const float* w, const float* b, std::size_t outputs, bool relu, float* y) {
  std::size_t row = 0;
  for (; row + R <= n; row += R) {
    tile<R, J>(x + row * x_stride, x_stride, inputs, w, b, outputs, relu, y + row * outputs);
  }
  for (; row < n; ++row) {
    tile<1, J>(x + row * x_stride, x_stride, inputs, w, b, outputs, relu, y + row * outputs);
  }
}

void Layer(const float* x, std::size_t x_stride, std::size_t n, std::size_t inputs, const float* w,
           const float* b, std::size_t outputs, bool relu, float* y) {
  const Floats d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t column = 0;
  // One row has no other row to hide the latency of a multiply-add behind: more columns do.
  while (n < 6 && column + 8 * lanes <= outputs) {
    strip<8, 1>(x, x_stride, n, inputs, w + column, b + column, outputs, relu, y + column);
    column += 8 * lanes;
  }
  while (n < 6 && column + 4 * lanes <= outputs) {
    strip<4, 1>(x, x_stride, n, inputs, w + column, b + column, outputs, relu, y + column);
    column += 4 * lanes;
  }
  while (column + 2 * lanes <= outputs) {
    strip<2, 6>(x, x_stride, n, inputs, w + column, b + column, outputs, relu, y + column);
    column += 2 * lanes;
  }
  while (column < outputs) {
    strip<1, 12>(x, x_stride, n, inputs, w + column, b + column, outputs, relu, y + column);
    column += lanes;
  }
}

const char* Target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace freshet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace freshet {

HWY_EXPORT(Layer);
HWY_EXPORT(Target);

void score_layer(const float* x, std::size_t x_stride, std::size_t n, std::size_t inputs,
                 const float* w, const float* b, std::size_t padded_outputs, bool relu, float* y) {
  HWY_DYNAMIC_DISPATCH(Layer)(x, x_stride, n, inputs, w, b, padded_outputs, relu, y);
}

const char* scorer_target() { return HWY_DYNAMIC_DISPATCH(Target)(); }

}  // namespace freshet
#endif
