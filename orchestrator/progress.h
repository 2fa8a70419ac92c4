#pragma once

#include <chrono>
#include <cstdint>

#include "orchestrator/pipeline.h"

namespace freshet {

/// Progress of a run on stderr: one line that is rewritten on a terminal, a line now and then
/// elsewhere; decisions as lines of their own. Used by one thread.
class Progress {
 public:
  Progress(bool terminal, std::uint64_t rows_before);

  void update(const Pipeline& pipeline, std::uint64_t head);
  void decision(const Decision& decision);
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  const bool terminal_;
  const std::uint64_t rows_before_;
  const Clock::time_point started_;
  Clock::time_point last_;
  bool line_open_ = false;
};

}  // namespace freshet
