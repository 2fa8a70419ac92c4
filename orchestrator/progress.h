#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "orchestrator/pipeline.h"

namespace freshet {

/// One line on stderr: rewritten on a terminal, a new one now and then elsewhere. Used by one
/// thread.
class ProgressLine {
 public:
  explicit ProgressLine(bool terminal);

  /// Whether it is time to show something.
  bool due();
  double seconds() const;  ///< since it was made
  void show(const std::string& text);
  /// Wipes what a terminal shows.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  const bool terminal_;
  const Clock::time_point started_;
  Clock::time_point last_;
  bool line_open_ = false;
};

/// Progress of a run on stderr: a line, and decisions as lines of their own. Used by one thread.
class Progress {
 public:
  Progress(bool terminal, std::uint64_t rows_before);

  void update(const Pipeline& pipeline, std::uint64_t head);
  void decision(const Decision& decision);
  void finish();

 private:
  ProgressLine line_;
  const std::uint64_t rows_before_;
};

}  // namespace freshet
