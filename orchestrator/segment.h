#pragma once

#include <cstdint>
#include <vector>

#include "stream/label_join.h"
#include "stream/watermark.h"

namespace freshet {

/// A stretch of the stream between two moments at which decisions can be made: the questions asked
/// and the rows whose labels became known in it, in log order. It depends on the log alone, never
/// on weights or decisions, so it can be built ahead of them.
struct Segment {
  struct KnownRow {
    double label = 0;
    std::uint64_t question = 0;
    std::uint32_t asked_before = 0;  ///< how many of the segment's questions were asked before it
  };

  /// The vectors of one feature set, row-major.
  struct Vectors {
    std::vector<float> questions;  ///< questions x width
    std::vector<float> rows;       ///< rows x width
  };

  std::uint64_t first_question = 0;
  std::uint32_t questions = 0;

  /// Questions that were answered before they stood in the log: which of the segment's, and the
  /// answers, one after another.
  std::vector<std::uint32_t> served;
  std::vector<float> served_answers;

  std::uint64_t first_row = 0;
  std::vector<KnownRow> rows;    ///< numbered from first_row on
  std::vector<Vectors> vectors;  ///< by feature set

  std::vector<SettledQuestion> settled;  ///< in asked order, those that settled in it

  std::uint64_t end_position = 0;  ///< records below it are in this segment or before
  std::uint64_t end_bytes = 0;     ///< of those records
  Millis watermark = Watermark::kNone;
  bool at_tick = false;  ///< the last row completes a tick

  std::uint64_t end_question() const { return first_question + questions; }
  std::uint64_t end_row() const { return first_row + rows.size(); }
};

}  // namespace freshet
