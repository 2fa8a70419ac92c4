#pragma once

#include <algorithm>
#include <limits>

#include "stream/codec.h"
#include "stream/event_time.h"

namespace freshet {

/// How far event time has come: max event time seen - out_of_orderness; never moves back.
class Watermark {
 public:
  static constexpr Millis kNone = std::numeric_limits<Millis>::min();

  explicit Watermark(Millis out_of_orderness) : out_of_orderness_(out_of_orderness) {}

  void observe(Millis time) { max_time_ = std::max(max_time_, time); }

  /// kNone before the first event.
  Millis value() const { return max_time_ == kNone ? kNone : max_time_ - out_of_orderness_; }
  Millis max_time() const { return max_time_; }

  void save(Encoder& to) const { to.put(max_time_); }
  void load(Decoder& from) { max_time_ = from.get<Millis>(); }

 private:
  Millis out_of_orderness_;
  Millis max_time_ = kNone;
};

}  // namespace freshet
