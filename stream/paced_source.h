#pragma once

#include <chrono>
#include <memory>

#include "stream/source.h"

namespace freshet {

/// Another source at a pace that a person can watch: at most so many records a second, by the
/// clock. When records come changes nothing about what becomes of them. Used by one thread.
class PacedSource : public Source {
 public:
  /// `per_second` > 0.
  PacedSource(std::unique_ptr<Source> source, double per_second);

  PollStatus poll(std::size_t max_records, RecordSink& sink) override;
  std::vector<SourceProgress> progress() const override { return source_->progress(); }
  void stored() override { source_->stored(); }
  SourceState state() const override { return source_->state(); }

 private:
  std::unique_ptr<Source> source_;
  const double per_second_;
  std::chrono::steady_clock::time_point last_;
  double due_ = 0;  ///< records that may be given
};

}  // namespace freshet
