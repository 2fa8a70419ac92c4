#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "stream/codec.h"
#include "stream/event.h"
#include "stream/event_time.h"

namespace freshet {

/// How far event time has come: that to which all parts of the source have come -
/// out_of_orderness; of a source in one part the max event time seen. It never moves back.
class Watermark {
 public:
  static constexpr Millis kNone = std::numeric_limits<Millis>::min();

  explicit Watermark(Millis out_of_orderness) : out_of_orderness_(out_of_orderness) {}

  /// A record at `time`; `reached` where not all parts have come to the newest time.
  void observe(Millis time, const std::optional<TimeReached>& reached = std::nullopt) {
    max_time_ = std::max(max_time_, time);
    if (reached) max_time_ = std::max(max_time_, reached->newest);
    reach(reached ? reached->all : max_time_);
  }
  /// All parts have come to `all`.
  void reach(Millis all) { reached_ = std::max(reached_, std::min(all, max_time_)); }

  /// kNone before the first event, or while a part has not come to any.
  Millis value() const { return reached_ == kNone ? kNone : reached_ - out_of_orderness_; }
  Millis max_time() const { return max_time_; }
  Millis reached() const { return reached_; }
  /// As a record's `reached`: none if all parts have come to the newest time.
  std::optional<TimeReached> held() const {
    if (reached_ == max_time_) return std::nullopt;
    return TimeReached{reached_, max_time_};
  }

  void save(Encoder& to) const {
    to.put(max_time_);
    if (held()) to.put(reached_);
  }
  /// `held`: as it was when it was saved.
  void load(Decoder& from, bool held) {
    max_time_ = from.get<Millis>();
    reached_ = held ? from.get<Millis>() : max_time_;
  }

 private:
  Millis out_of_orderness_;
  Millis max_time_ = kNone;
  Millis reached_ = kNone;
};

}  // namespace freshet
