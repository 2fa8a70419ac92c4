#pragma once

#include <cstddef>

namespace freshet {

/// Outputs of a layer are padded to a multiple of this many floats.
inline constexpr std::size_t kScorerPadding = 16;

inline std::size_t padded(std::size_t outputs) {
  return (outputs + kScorerPadding - 1) / kScorerPadding * kScorerPadding;
}

/// One fully connected layer: y[r][j] = b[j] + sum over k of x[r][k] * w[k][j], k ascending, one
/// fused multiply-add each, then ReLU if asked. A row's bits depend neither on the other rows nor
/// on the machine's vector width (targets without FMA compute it in software). Thread-safe.
///
/// x: n rows of `x_stride` floats; w: inputs x padded outputs, b: padded outputs, both zero in the
/// padding and aligned to 64 bytes; y: n rows of padded(outputs) floats, aligned likewise.
void score_layer(const float* x, std::size_t x_stride, std::size_t n, std::size_t inputs,
                 const float* w, const float* b, std::size_t padded_outputs, bool relu, float* y);

/// The instruction set in use, e.g. "AVX2": a name for people, results are the same on all.
const char* scorer_target();

}  // namespace freshet
