#include "stream/read_ahead.h"

#include <utility>

namespace freshet {

ReadAhead::ReadAhead(const EventLog& log)
    : log_(log), thread_([this](const std::stop_token& stop) { read_loop(stop); }) {}

ReadAhead::~ReadAhead() { thread_.request_stop(); }

std::shared_ptr<const RecordBatch> ReadAhead::batch(std::uint64_t position, std::uint64_t head) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !wanted_; });
  if (ahead_ == nullptr || !ahead_->holds(position)) {
    error_ = nullptr;  // of a batch that nobody asked for
    wanted_ = position;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !wanted_; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  std::shared_ptr<const RecordBatch> batch = std::exchange(ahead_, nullptr);
  if (batch->end() < head) {
    wanted_ = batch->end();
    changed_.notify_all();
  }
  return batch;
}

void ReadAhead::forget() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !wanted_; });
  ahead_ = nullptr;
  log_.forget_read();
}

void ReadAhead::read_loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return wanted_.has_value(); })) {
    const std::uint64_t position = *wanted_;
    lock.unlock();
    std::shared_ptr<const RecordBatch> batch;
    std::exception_ptr error;
    try {
      batch = log_.batch(position);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    ahead_ = std::move(batch);
    error_ = error;
    wanted_.reset();
    changed_.notify_all();
  }
}

}  // namespace freshet
