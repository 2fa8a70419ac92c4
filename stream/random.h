#pragma once

#include <cstdint>

namespace freshet {

/// One step of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014): a bijection whose outputs pass as independent uniform bits.
constexpr std::uint64_t split_mix(std::uint64_t state) {
  std::uint64_t z = state + 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// A generator that is fully described by its key: the same key gives the same draws on every
/// machine, so a learner's draws are keyed by (seed, learner, step) and need no saved state.
class KeyedGenerator {
 public:
  explicit constexpr KeyedGenerator(std::uint64_t seed, std::uint64_t a = 0, std::uint64_t b = 0)
      : state_(split_mix(split_mix(split_mix(seed) ^ a) ^ b)) {}

  /// 64 uniform bits.
  constexpr std::uint64_t next() { return split_mix(state_ += 0x9E3779B97F4A7C15ULL); }

  /// Uniform in [0, 1), with 53 bits.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform in [0, bound), bound > 0 (Lemire's multiply-shift; bias below 2^-64 * bound).
  constexpr std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

 private:
  std::uint64_t state_;
};

}  // namespace freshet
