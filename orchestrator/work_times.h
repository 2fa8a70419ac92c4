#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace freshet {

/// How long something took, each time it was done: counts between fixed bounds. For people to look
/// at; nothing may decide by it. Thread-safe.
class Durations {
 public:
  /// Seconds; what took longer than the last is counted beyond it.
  static constexpr std::array<double, 17> kBounds = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
                                                     1e-3, 2.5e-3, 5e-3, 0.01, 0.05,   0.1,
                                                     0.5,  1,      5,    30,   300};
  struct Seen {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};  ///< up to each bound, then beyond
    double seconds = 0;                                      ///< in all
  };

  void add(std::chrono::steady_clock::duration taken);
  Seen seen() const;

 private:
  mutable std::mutex mutex_;
  Seen seen_;
};

/// What one pipeline spent its time on since it was opened.
struct WorkTimes {
  Durations predict;  ///< the champion's answers to one call
  Durations score;    ///< a learner's answers to a segment's questions
  Durations learn;    ///< a learner's learning of a segment's rows
  Durations train;    ///< a candidate, over stored rows
};

}  // namespace freshet
