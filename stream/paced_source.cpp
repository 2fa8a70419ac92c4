#include "stream/paced_source.h"

#include <algorithm>
#include <utility>

namespace freshet {

PacedSource::PacedSource(std::unique_ptr<Source> source, double per_second)
    : source_(std::move(source)),
      per_second_(per_second),
      last_(std::chrono::steady_clock::now()) {}

PollStatus PacedSource::poll(std::size_t max_records, RecordSink& sink) {
  const auto now = std::chrono::steady_clock::now();
  due_ += std::chrono::duration<double>(now - last_).count() * per_second_;
  last_ = now;
  due_ = std::min(due_, std::max(1.0, per_second_));  // a pause is not made up for
  if (due_ < 1) return PollStatus::idle;
  const std::size_t most = std::min(max_records, static_cast<std::size_t>(due_));
  const PollStatus status = source_->poll(most, sink);
  if (status == PollStatus::ready) due_ -= static_cast<double>(most);
  return status;
}

}  // namespace freshet
