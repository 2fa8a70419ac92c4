#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "stream/error.h"
#include "stream/open_source.h"

namespace freshet {
namespace {

/// One input and its next record, read but not yet handed over.
class Head : public RecordSink {
 public:
  explicit Head(std::unique_ptr<Source> source)
      : source_(std::move(source)), progress_(source_->progress()) {}

  /// Reads the next record unless there is one.
  PollStatus fill() {
    while (!full_ && !ended_) {
      const PollStatus status = source_->poll(1, *this);
      if (status == PollStatus::idle) return status;
      ended_ = status == PollStatus::ended;
    }
    return full_ ? PollStatus::ready : PollStatus::ended;
  }

  bool full() const { return full_; }
  bool is_bad() const { return !reason_.empty(); }
  Millis time() const { return event_.time; }
  const std::vector<SourceProgress>& progress() const { return progress_; }

  void hand_over(RecordSink& sink) {
    full_ = false;
    progress_ = source_->progress();
    const Origin origin = {line_, raw_, input_};
    if (is_bad()) {
      sink.bad(origin, reason_);
    } else {
      sink.event(event_, origin);
    }
  }

  void event(const Event& event, const Origin& origin) override {
    keep(origin);
    reason_.clear();
    event_ = event;
    text_.clear();
    std::size_t size = event.id.size();
    for (const FieldValue& value : event.values) size += value.text.size();
    text_.reserve(size);  // the views below point into it
    event_.id = own(event.id);
    for (FieldValue& value : event_.values) value.text = own(value.text);
  }

  void bad(const Origin& origin, const std::string& reason) override {
    keep(origin);
    reason_ = reason;
  }

 private:
  void keep(const Origin& origin) {
    full_ = true;
    line_ = origin.line;
    raw_ = origin.raw;
    input_ = origin.input;
  }

  std::string_view own(std::string_view text) {
    const std::size_t start = text_.size();
    text_.append(text);
    return std::string_view(text_).substr(start);
  }

  std::unique_ptr<Source> source_;
  std::vector<SourceProgress> progress_;  ///< up to what was handed over
  bool full_ = false;
  bool ended_ = false;
  std::uint64_t line_ = 0;
  std::string raw_;
  std::string input_;
  std::string reason_;  ///< empty: it is an event
  Event event_;
  std::string text_;  ///< what `event_` views
};

class MergedSource : public Source {
 public:
  MergedSource(std::unique_ptr<Source> events, std::unique_ptr<Source> labels)
      : events_(std::move(events)), labels_(std::move(labels)) {}

  PollStatus poll(std::size_t max_records, RecordSink& sink) override {
    for (std::size_t given = 0; given < max_records; ++given) {
      Head* next = nullptr;
      try {
        const PollStatus status = choose(next);
        if (status != PollStatus::ready) return given > 0 ? PollStatus::ready : status;
      } catch (const Error&) {
        // The input that failed says so again when it is asked again.
        if (given == 0) throw;
        return PollStatus::ready;
      }
      next->hand_over(sink);
    }
    return PollStatus::ready;
  }

  std::vector<SourceProgress> progress() const override {
    std::vector<SourceProgress> both = events_.progress();
    both.insert(both.end(), labels_.progress().begin(), labels_.progress().end());
    return both;
  }

 private:
  // Nothing is given while either next record is unknown: the order must not depend on which
  // input is faster.
  PollStatus choose(Head*& next) {
    for (Head* head : {&events_, &labels_}) {
      if (head->fill() == PollStatus::idle) return PollStatus::idle;
      if (head->full() && head->is_bad()) {
        next = head;
        return PollStatus::ready;
      }
    }
    if (!events_.full() && !labels_.full()) return PollStatus::ended;
    const bool label_first = labels_.full() && (!events_.full() || labels_.time() < events_.time());
    next = label_first ? &labels_ : &events_;
    return PollStatus::ready;
  }

  Head events_;
  Head labels_;
};

}  // namespace

std::unique_ptr<Source> merge_sources(std::unique_ptr<Source> events,
                                      std::unique_ptr<Source> labels, const Schema& schema) {
  if (std::holds_alternative<TimeEvery>(schema.time.form)) {
    throw Error(ErrorKind::invalid,
                "labels of their own are merged by event time: expected event.time to name a "
                "field, found {\"every\": …}");
  }
  return std::make_unique<MergedSource>(std::move(events), std::move(labels));
}

}  // namespace freshet
