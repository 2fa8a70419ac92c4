#include "stream/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <exception>
#include <optional>
#include <utility>

#include "stream/known_ids.h"
#include "stream/seen_ids.h"
#include "stream/watermark.h"

namespace freshet {

namespace {

constexpr std::size_t kBadWindow = 1000;
constexpr std::size_t kBadLeast = 100;
constexpr std::uint64_t kMostJumpsInARow = 100;
constexpr std::size_t kRawBytes = 4096;
constexpr std::uint64_t kSeenStretch = 4096;  // records whose ids are stored together
const std::string kSeenBefore = "an event with this id was accepted before";

/// Which of the newest records were dead letters.
class BadShare {
 public:
  void note(bool bad) {
    if (seen_ < kBadWindow) {
      ++seen_;
    } else if (window_[next_]) {
      --bad_;
    }
    window_[next_] = bad;
    bad_ += bad ? 1 : 0;
    next_ = (next_ + 1) % kBadWindow;
  }

  bool above(double share) const {
    return seen_ >= kBadLeast && static_cast<double>(bad_) > share * static_cast<double>(seen_);
  }

  std::size_t bad() const { return bad_; }
  std::size_t seen() const { return seen_; }

 private:
  std::bitset<kBadWindow> window_;
  std::size_t next_ = 0;
  std::size_t seen_ = 0;
  std::size_t bad_ = 0;
};

bool is_empty(const LogBatch& batch) {
  return batch.records.empty() && batch.dead_letters.empty() && batch.late.empty() &&
         batch.duplicates == 0 && batch.progress.empty();
}

}  // namespace

class Ingest::Impl : public RecordSink {
 public:
  Impl(const Schema& schema, EventLog& log)
      : schema_(schema),
        log_(log),
        every_(std::get_if<TimeEvery>(&schema_.time.form)),
        watermark_(schema.out_of_orderness),
        ordinal_(log.ordinals()) {
    recover();
  }

  PollStatus pump(Source& source, std::size_t max_records) {
    if (broken_) std::rethrow_exception(broken_);
    log_failed_ = false;
    store();  // what the log refused the last time
    const std::vector<SourceProgress> before = source.progress();
    source_name_ = before.empty() ? std::string() : before.front().name;
    judged_ = source.ends_on_bad_records();
    std::exception_ptr failure;
    PollStatus status = PollStatus::ended;
    try {
      status = source.poll(max_records, *this);
    } catch (...) {
      failure = std::current_exception();  // what came before it is kept
    }
    if (broken_) {
      batch_ = {};
      std::rethrow_exception(broken_);
    }
    std::vector<SourceProgress> after = source.progress();
    if (!is_empty(batch_) || after != before) batch_.progress = std::move(after);
    store();
    source.stored();
    if (failure) std::rethrow_exception(failure);
    return status;
  }

  void close() {
    store();
    if (closed_) return;
    Event event;
    event.kind = RecordKind::close;
    event.time = watermark_.max_time() == Watermark::kNone ? 0 : watermark_.max_time();
    LogBatch batch;
    encode(event, schema_, batch.records.emplace_back());
    log_.append(batch);
    closed_ = true;
  }

  void event(const Event& read, const Origin& origin) override {
    whole([&] { take(read, origin); });
  }

  void time_reached(Millis all) override {
    whole([&] {
      const Millis before = watermark_.reached();
      watermark_.reach(all);
      if (closed_ || watermark_.reached() == before) return;
      Event marker;
      marker.kind = RecordKind::time;
      marker.time = watermark_.reached();
      encode(marker, schema_, batch_.records.emplace_back());
    });
  }

  void bad(const Origin& origin, const std::string& reason) override {
    whole([&] { refuse(origin, reason); });
  }

  void on_outcome(OnOutcome each) { on_outcome_ = std::move(each); }

  bool log_failed() const { return log_failed_; }

 private:
  /// Has `work` done as a whole, or nothing more is.
  template <class Work>
  void whole(const Work& work) {
    try {
      work();
    } catch (...) {
      broken_ = std::current_exception();
      log_failed_ = true;
      throw;
    }
  }

  void take(const Event& read, const Origin& origin) {
    if (closed_) return refuse(origin, "the stream was closed by an earlier run with --final");
    event_ = read;
    if (!set_time(origin)) return;
    const bool has_id = event_.kind == RecordKind::event && !schema_.id_field.empty();
    IdHash id;
    if (has_id) {
      id = hash_id_(event_.id);
      if (known_->known(id, dedup_horizon())) {
        ++batch_.duplicates;
        return count(Outcome::duplicate, kSeenBefore);
      }
    } else if (event_.kind == RecordKind::event) {
      ordinal_text_ = std::to_string(ordinal_);
      event_.id = ordinal_text_;
    }
    if (jumps(origin) || late(origin)) return;
    jumps_in_a_row_ = 0;
    watermark_.observe(event_.time, event_.reached);
    event_.reached = watermark_.held();
    if (has_id) remember(id, event_.time);
    encode(event_, schema_, batch_.records.emplace_back());
    count(Outcome::accepted, {});
  }

  /// An id whose newest event is older than this is forgotten.
  Millis dedup_horizon() const {
    const Millis reached = watermark_.reached();
    return reached == Watermark::kNone ? reached : reached - schema_.dedup_within;
  }

  // From the stored stretches, and the records after the last of them.
  void recover() {
    if (const auto newest = log_.seen_before(EventLog::kNewest)) {
      stretch_end_ = newest->end;
      watermark_.observe(newest->max_time, TimeReached{Watermark::kNone, newest->max_time});
    }
    known_.emplace(log_, dedup_horizon());
    // The record before them tells how far event time had come.
    Event event;
    const std::uint64_t before = stretch_end_ - std::min<std::uint64_t>(stretch_end_, 1);
    log_.read(std::max(before, log_.begin()), log_.head(),
              [&](std::uint64_t position, std::string_view record) {
                decode(record, schema_, event);
                note_time(event);
                if (position < stretch_end_) return true;
                closed_ = closed_ || event.kind == RecordKind::close;
                if (event.kind == RecordKind::event && !schema_.id_field.empty()) {
                  remember(hash_id_(event.id), event.time);
                }
                return true;
              });
    if (watermark_.reached() == Watermark::kNone && log_.begin() == log_.head()) {
      watermark_.reach(watermark_.max_time());  // nothing is left that says otherwise
    }
  }

  void remember(const IdHash& id, Millis time) {
    known_->remember(id, time, dedup_horizon());
    stretch_ids_.push_back({id, time});
  }

  /// Stores the ids of the records since the last stretch with the batch, once they are many.
  void add_stretch() {
    const std::uint64_t end = log_.head() + batch_.records.size();
    // A closed log must show its closing record to the next start.
    if (closed_ || end - stretch_end_ < kSeenStretch || batch_.seen) return;
    batch_.seen = {end, watermark_.max_time(), std::exchange(stretch_ids_, {})};
    batch_.forget_before = dedup_horizon();
    stretch_end_ = end;
  }

  void note_time(const Event& record) {
    if (record.kind == RecordKind::time) return watermark_.reach(record.time);
    watermark_.observe(record.time, record.reached);
  }

  /// Appends what was gathered. If that fails it stays, and the next call tries again.
  void store() {
    if (!is_empty(batch_)) {
      add_stretch();
      log_failed_ = true;
      log_.append(batch_);
      log_failed_ = false;
      batch_ = {};
    }
    if (stop_reason_) throw Error(ErrorKind::invalid, *std::exchange(stop_reason_, std::nullopt));
  }

  /// False: the record has no time that can be, and is refused.
  bool set_time(const Origin& origin) {
    bool possible = event_.time >= kEarliestTime && event_.time <= kLatestTime;
    if (every_ != nullptr) {
      Millis since = 0;
      possible = !__builtin_mul_overflow(static_cast<Millis>(ordinal_), every_->every, &since) &&
                 !__builtin_add_overflow(every_->from, since, &event_.time) &&
                 event_.time >= kEarliestTime && event_.time <= kLatestTime;
    }
    if (!possible) refuse(origin, "the event time is outside of the years 1000 to 9999");
    return possible;
  }

  bool jumps(const Origin& origin) {
    const Millis newest = watermark_.max_time();
    if (newest == Watermark::kNone || event_.time <= newest + schema_.max_time_jump) return false;
    if (judged_ && ++jumps_in_a_row_ > kMostJumpsInARow && !stop_reason_) {
      stop_reason_ = fmt::format(
          "{}: {} {}: {} records without one between are more than {} ahead of the newest event "
          "time so far, {} (this one is at {}). If the jump is real, start a new workspace with a "
          "longer stream.max_time_jump; if not, mend the times in the input",
          name_of(origin), origin.unit, origin.line, jumps_in_a_row_,
          format_duration(schema_.max_time_jump), format_time(newest), format_time(event_.time));
    }
    refuse(origin, fmt::format("event time {} is more than {} ahead of the newest so far, {}; if "
                               "that is real, set a longer stream.max_time_jump",
                               format_time(event_.time), format_duration(schema_.max_time_jump),
                               format_time(newest)));
    return true;
  }

  bool late(const Origin& origin) {
    const Millis watermark = watermark_.value();
    if (event_.kind != RecordKind::event || watermark == Watermark::kNone ||
        event_.time >= watermark - schema_.allowed_lateness) {
      return false;
    }
    const std::string reason =
        fmt::format("event time {} is {} behind the watermark {}; allowed_lateness is {}",
                    format_time(event_.time), format_duration(watermark - event_.time),
                    format_time(watermark), format_duration(schema_.allowed_lateness));
    batch_.late.push_back(letter(origin, reason));
    count(Outcome::late, reason);
    return true;
  }

  void refuse(const Origin& origin, const std::string& reason) {
    batch_.dead_letters.push_back(letter(origin, reason));
    last_refused_ = fmt::format("{}: {} {}: {}", name_of(origin), origin.unit, origin.line, reason);
    count(Outcome::dead_letter, reason);
  }

  /// Each record goes through here once.
  void count(Outcome outcome, const std::string& reason) {
    ++ordinal_;
    if (on_outcome_) on_outcome_(outcome, reason);
    if (!judged_) return;
    recent_.note(outcome == Outcome::dead_letter);
    if (stop_reason_ || !recent_.above(schema_.max_bad_share)) return;
    stop_reason_ = fmt::format(
        "{} of the last {} records were refused, more than stream.max_bad_share ({}) allows; the "
        "last one: {}. See freshet events dead-letters",
        recent_.bad(), recent_.seen(), schema_.max_bad_share, last_refused_);
  }

  std::string name_of(const Origin& origin) const {
    return origin.input.empty() ? source_name_ : std::string(origin.input);
  }

  DeadLetter letter(const Origin& origin, const std::string& reason) const {
    return {name_of(origin), origin.line, std::string(origin.raw.substr(0, kRawBytes)), reason, 0};
  }

  const Schema schema_;
  EventLog& log_;
  const TimeEvery* every_;  // null: the source says when
  Watermark watermark_;
  IdHasher hash_id_;
  std::optional<KnownIds> known_;    // once the log has told the horizon
  std::vector<SeenId> stretch_ids_;  // of the records since stretch_end_
  std::uint64_t stretch_end_ = 0;    // the ids of the records below it are stored
  std::uint64_t ordinal_;            // of the next record
  std::uint64_t jumps_in_a_row_ = 0;
  bool closed_ = false;
  bool judged_ = true;  // whether the source being polled ends on bad records
  BadShare recent_;     // of judged sources
  std::string last_refused_;
  std::optional<std::string> stop_reason_;  // what ends the input once all is stored
  std::exception_ptr broken_;               // what failed amid a record
  bool log_failed_ = false;
  std::string source_name_;
  LogBatch batch_;  // gathered, not yet in the log
  Event event_;
  std::string ordinal_text_;
  OnOutcome on_outcome_;
};

Ingest::Ingest(const Schema& schema, EventLog& log) : impl_(std::make_unique<Impl>(schema, log)) {}
Ingest::~Ingest() = default;

PollStatus Ingest::pump(Source& source, std::size_t max_records) {
  return impl_->pump(source, max_records);
}

void Ingest::on_outcome(OnOutcome each) { impl_->on_outcome(std::move(each)); }

bool Ingest::log_failed() const { return impl_->log_failed(); }

void Ingest::close() { impl_->close(); }

}  // namespace freshet
