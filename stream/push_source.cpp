#include "stream/push_source.h"

#include <algorithm>
#include <utility>

#include "stream/blanks.h"
#include "stream/error.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostRecordBytes = std::size_t{1} << 20;

// What it costs while it waits.
std::size_t bytes_of(const PushSource::Submission& submission) {
  std::size_t bytes = 256 + submission.lines.size();
  for (const PushSource::Served& served : submission.served) {
    bytes += sizeof served + (served.vector.size() + served.answer.size()) * sizeof(float);
  }
  return bytes;
}

}  // namespace

PushSource::PushSource(const Schema& schema, std::string name, Limits limits)
    : name_(std::move(name)), limits_(limits), events_(schema, false), labels_(schema, true) {}

PushSource::~PushSource() = default;

std::optional<std::future<std::vector<LineResult>>> PushSource::push(Submission submission) {
  Entry entry{std::move(submission), Clock::now(), {}, {}};
  auto result = entry.done.get_future();
  const std::size_t bytes = bytes_of(entry.submission);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error(ErrorKind::unavailable, name_ + ": is stopping and takes no more");
    if (queued_bytes_ > 0 && queued_bytes_ + bytes > limits_.bytes) return std::nullopt;
    queued_bytes_ += bytes;
    urgent_ = urgent_ || entry.submission.urgent;
    queue_.push_back(std::move(entry));
  }
  changed_.notify_one();
  return result;
}

void PushSource::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void PushSource::abandon(const std::exception_ptr& why) {
  std::deque<Entry> left;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    urgent_ = false;
    left.swap(queue_);
    queued_bytes_ = 0;
  }
  for (Entry& entry : handed_) entry.done.set_exception(why);
  handed_.clear();
  handed_bytes_ = 0;
  for (Entry& entry : left) entry.done.set_exception(why);
}

void PushSource::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

std::size_t PushSource::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::size_t PushSource::waiting_bytes() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_;
}

PollStatus PushSource::pump(Ingest& ingest, std::size_t max_records) {
  ingest.on_outcome([this](Outcome outcome, const std::string& reason) {
    if (results_ != nullptr) results_->push_back({line_, outcome, reason});
  });
  try {
    const PollStatus status = ingest.pump(*this, max_records);
    ingest.on_outcome({});
    settle(nullptr);
    return status;
  } catch (...) {
    ingest.on_outcome({});
    results_ = nullptr;
    settle(std::current_exception());
    throw;
  }
}

bool PushSource::due() const {
  if (closed_ || urgent_) return true;
  return !queue_.empty() && Clock::now() >= queue_.front().since + limits_.gather;
}

PollStatus PushSource::poll(std::size_t max_records, RecordSink& sink) {
  std::unique_lock lock(mutex_);
  const auto deadline = Clock::now() + wait_;
  while (!due() && Clock::now() < deadline) {
    const auto until =
        queue_.empty() ? deadline : std::min(deadline, queue_.front().since + limits_.gather);
    changed_.wait_until(lock, until);
  }
  if (!due()) return PollStatus::idle;
  if (queue_.empty()) return closed_ ? PollStatus::ended : PollStatus::idle;
  std::size_t taken = 0;
  while (!queue_.empty() && taken < max_records) {
    handed_.push_back(std::move(queue_.front()));
    queue_.pop_front();
    handed_bytes_ += bytes_of(handed_.back().submission);
    lock.unlock();
    taken += std::max<std::size_t>(1, hand_over(handed_.back(), sink));
    lock.lock();
  }
  urgent_ = std::any_of(queue_.begin(), queue_.end(),
                        [](const Entry& entry) { return entry.submission.urgent; });
  return PollStatus::ready;
}

std::size_t PushSource::hand_over(Entry& entry, RecordSink& sink) {
  const Submission& submission = entry.submission;
  JsonlDecoder& decoder = submission.labels_only ? labels_ : events_;
  results_ = &entry.results;
  line_ = 0;
  std::string_view rest = submission.lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++line_;
    if (is_blank(line)) continue;
    const Origin origin = {line_, line.substr(0, kMostRecordBytes), name_};
    if (line.size() > kMostRecordBytes) {
      sink.bad(origin, "the record is longer than 1 MiB");
    } else if (const auto reason = decoder.decode(line, event_)) {
      sink.bad(origin, *reason);
    } else {
      if (line_ <= submission.served.size()) {
        const Served& served = submission.served[line_ - 1];
        event_.served = ServedAnswer{served.position,
                                     served.version,
                                     served.row,
                                     float_bytes(served.vector),
                                     float_bytes(served.answer),
                                     served.features};
      }
      sink.event(event_, origin);
      event_.served.reset();
    }
  }
  results_ = nullptr;
  return entry.results.size();
}

void PushSource::settle(const std::exception_ptr& failure) {
  for (Entry& entry : handed_) {
    if (failure) {
      entry.done.set_exception(failure);
    } else {
      entry.done.set_value(std::move(entry.results));
    }
  }
  handed_.clear();
  const std::lock_guard lock(mutex_);
  queued_bytes_ -= std::exchange(handed_bytes_, 0);
}

}  // namespace freshet
