// The pipeline thread of a pipeline that is served.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "orchestrator/served_pipeline.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kViewEvery{150};  // while something moves
constexpr std::chrono::milliseconds kRestEvery{1000};
constexpr std::chrono::milliseconds kLookForRoomEvery{1000};
constexpr std::uintmax_t kRoom = 64ULL << 20U;  // bytes

}  // namespace

std::vector<Decision> ServedPipeline::on_pipeline_thread(Decide run) {
  std::future<std::vector<Decision>> done;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Error(ErrorKind::unavailable, *failure_);
    if (closed_) throw Error(ErrorKind::unavailable, "the service is stopping");
    jobs_.push_back({std::move(run), {}});
    done = jobs_.back().done.get_future();
  }
  woken_.notify_all();
  return done.get();
}

void ServedPipeline::run_jobs() {
  for (;;) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      std::vector<Decision> decisions = job.run();
      publish(true);  // whoever gave the command sees what it did
      job.done.set_value(std::move(decisions));
    } catch (const Error& error) {
      job.done.set_exception(std::current_exception());
      if (error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::corrupt) throw;
    } catch (const std::exception& error) {
      // Half a command may be done: nothing goes on from that but a new start.
      job.done.set_exception(std::make_exception_ptr(
          Error(ErrorKind::corrupt, fmt::format("the command broke off: {}", error.what()))));
      throw;
    }
  }
}

std::vector<Decision> ServedPipeline::news() {
  std::vector<Decision> decisions = open_->pipeline.take_news();
  for (const Decision& decision : decisions) viewer_->note(decision);
  return decisions;
}

void ServedPipeline::pipeline_loop(const std::stop_token& stop) {
  run(stop);
  while (wait_for_room(stop)) {
    if (open_again(stop)) run(stop);
  }
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  refuse_what_waits();
}

void ServedPipeline::run(const std::stop_token& stop) {
  try {
    go_through(stop);
    ingest_.join();  // it ends with what was pushed
    if (!failure()) {
      // The log is durable: what was not gone through yet is, by the next start.
      open_->pipeline.drain();
      open_->pipeline.checkpoint();
      open_->journal.settle();
      publish(true);
      return;
    }
  } catch (const std::exception& error) {
    fail(error);
    if (ingest_.joinable()) ingest_.join();
  }
  // What else failed: after an fsync that did, nothing may be written before the next start.
  try {
    open_->journal.settle();
    open_->store->sync();
  } catch (const std::exception& error) {
    fail(error);
  }
}

void ServedPipeline::refuse_what_waits() {
  const auto why = std::make_exception_ptr(
      Error(ErrorKind::unavailable, failure().value_or("the service is stopping")));
  pushed_.abandon(why);
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(jobs_);
  }
  for (Job& job : left) job.done.set_exception(why);
}

// False: it is to stop, or failed for something else.
bool ServedPipeline::wait_for_room(const std::stop_token& stop) {
  refuse_what_waits();
  std::unique_lock lock(mutex_);
  if (!failure_ || !only_room_) return false;
  for (;;) {
    woken_.wait_for(lock, stop, kLookForRoomEvery, [] { return false; });
    if (stop.stop_requested()) return false;
    std::error_code unknown;
    const auto space = std::filesystem::space(workspace_.folder(), unknown);
    if (!unknown && space.available >= kRoom) return true;
  }
}

bool ServedPipeline::open_again(const std::stop_token& stop) {
  try {
    open_.reset();
    open_ = std::make_unique<OpenPipeline>(workspace_, name_, std::nullopt, knobs());
    open_viewer();
    gone_through_ = open_->pipeline.position();
    ingests_ = false;
    last_change_.clear();
    {
      const std::lock_guard lock(mutex_);
      failure_.reset();
      feed_failure_.reset();
    }
    publish(true);
    pushed_.open();
    if (stop.stop_requested()) pushed_.close();
    start_ingest();
  } catch (const std::exception& error) {
    fail(error);
    return false;
  }
  notice_("there is room again: it goes on");
  return true;
}

void ServedPipeline::go_through(const std::stop_token& stop) {
  while (!stop.stop_requested() && !failure()) {
    if (ingests_) run_jobs();
    const std::uint64_t head = open_->log->head();
    const bool more = open_->pipeline.advance(head, kMostSegments);
    gone_through_ = open_->pipeline.position();
    publish(false);
    if (!more) wait_for_more(stop, head);
  }
}

void ServedPipeline::wait_for_more(const std::stop_token& stop, std::uint64_t head) {
  std::unique_lock lock(mutex_);
  woken_.wait_until(lock, stop, view_due(), [&] {
    return (ingests_ && !jobs_.empty()) || failure_ || open_->log->head() > head;
  });
}

// A stream that rests is looked at now and then, for its rate; one that moves at once.
Clock::time_point ServedPipeline::view_due() const {
  const bool moved =
      open_->pipeline.position() != seen_position_ || open_->log->head() != seen_head_;
  return published_ + (moved ? kViewEvery : kRestEvery);
}

}  // namespace freshet
