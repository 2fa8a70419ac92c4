#include "stream/ingest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <deque>
#include <unordered_set>
#include <utility>

#include "stream/watermark.h"

namespace freshet {

namespace {

constexpr std::uint64_t kBadWindow = 1000;
constexpr std::uint64_t kBadLeast = 100;
constexpr std::uint64_t kJumpsInARow = 100;

/// The first half of an id's sha256: two ids share it by no accident.
struct IdHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const IdHash&) const = default;
};

struct IdHashHash {
  std::size_t operator()(const IdHash& hash) const { return hash.low; }
};

IdHash hash_id(std::string_view id) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(id.data(), id.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  IdHash hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

/// The ids seen within the horizon of event time.
class SeenIds {
 public:
  explicit SeenIds(Millis horizon) : horizon_(horizon) {}

  /// False if the id is there already. `max_time`: the newest event time so far.
  bool add(std::string_view id, Millis time, Millis max_time) {
    while (!order_.empty() && order_.front().second < max_time - horizon_) {
      ids_.erase(order_.front().first);
      order_.pop_front();
    }
    const IdHash hash = hash_id(id);
    if (!ids_.insert(hash).second) return false;
    order_.emplace_back(hash, time);
    return true;
  }

  bool contains(std::string_view id) const { return ids_.contains(hash_id(id)); }

 private:
  const Millis horizon_;
  std::unordered_set<IdHash, IdHashHash> ids_;
  std::deque<std::pair<IdHash, Millis>> order_;
};

}  // namespace

class Ingest::Impl : public RecordSink {
 public:
  Impl(const Schema& schema, EventLog& log)
      : schema_(schema),
        log_(log),
        every_(std::get_if<TimeEvery>(&schema.time.form)),
        watermark_(schema.out_of_orderness),
        seen_(schema.dedup_within),
        ordinal_(log.ordinals()) {
    recover();
  }

  PollStatus pump(Source& source, std::size_t max_records) {
    source_name_ = source.progress().empty() ? std::string() : source.progress().front().name;
    batch_ = {};
    std::exception_ptr failure;
    PollStatus status = PollStatus::ended;
    try {
      status = source.poll(max_records, *this);
    } catch (...) {
      failure = std::current_exception();  // what came before it is kept
    }
    const bool moved = !batch_.records.empty() || !batch_.dead_letters.empty() ||
                       !batch_.late.empty() || batch_.duplicates > 0;
    if (moved) {
      batch_.progress = source.progress();
      log_.append(batch_);
    }
    if (failure) std::rethrow_exception(failure);
    if (stop_reason_) throw Error(ErrorKind::invalid, *std::exchange(stop_reason_, std::nullopt));
    return status;
  }

  void close() {
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
    if (closed_) return refuse(origin, "the stream was closed by an earlier run with --final");
    event_ = read;
    const std::string ordinal_text = std::to_string(ordinal_);
    if (event_.kind == RecordKind::event) {
      if (every_ != nullptr) {
        event_.time = every_->from + static_cast<Millis>(ordinal_) * every_->every;
      }
      if (schema_.id_field.empty()) event_.id = ordinal_text;
      if (!schema_.id_field.empty() && seen_.contains(event_.id)) {
        ++ordinal_;
        ++batch_.duplicates;
        note(false);
        return;
      }
    }
    if (jumps(origin) || late(origin)) return;
    ++ordinal_;
    jumps_in_a_row_ = 0;
    watermark_.observe(event_.time);
    if (event_.kind == RecordKind::event && !schema_.id_field.empty()) {
      seen_.add(event_.id, event_.time, watermark_.max_time());
    }
    encode(event_, schema_, batch_.records.emplace_back());
    note(false);
  }

  void bad(const Origin& origin, const std::string& reason) override { refuse(origin, reason); }

 private:
  // The ids within the horizon come back from the log, read backwards by whole stretches.
  void recover() {
    constexpr std::uint64_t kStretch = 65536;
    const std::uint64_t head = log_.head();
    Event event;
    std::uint64_t begin = head;
    Millis newest = Watermark::kNone;
    while (begin > 0) {
      const std::uint64_t from = begin - std::min(begin, kStretch);
      Millis newest_here = Watermark::kNone;
      log_.read(from, begin, [&](std::uint64_t, std::string_view record) {
        decode(record, schema_, event);
        closed_ = closed_ || event.kind == RecordKind::close;
        newest_here = std::max(newest_here, event.time);
        return true;
      });
      newest = std::max(newest, newest_here);
      begin = from;
      // Event times in the log fall back by no more than this.
      const Millis slack = schema_.out_of_orderness + schema_.allowed_lateness;
      if (newest_here + slack < newest - schema_.dedup_within) break;
    }
    log_.read(begin, head, [&](std::uint64_t, std::string_view record) {
      decode(record, schema_, event);
      watermark_.observe(event.time);
      if (event.kind == RecordKind::event && !schema_.id_field.empty()) {
        seen_.add(event.id, event.time, watermark_.max_time());
      }
      return true;
    });
  }

  bool jumps(const Origin& origin) {
    const Millis newest = watermark_.max_time();
    if (newest == Watermark::kNone || event_.time <= newest + schema_.max_time_jump) return false;
    if (++jumps_in_a_row_ == kJumpsInARow) {
      stop_reason_ = fmt::format(
          "{}: line {}: {} records in a row are more than {} ahead of all before (the newest is "
          "{}, "
          "this one {}); if the jump is real, set stream.max_time_jump to a longer duration in a "
          "new workspace",
          name_of(origin), origin.line, kJumpsInARow, format_duration(schema_.max_time_jump),
          format_time(newest), format_time(event_.time));
    }
    refuse(origin, fmt::format("event time {} is more than {} ahead of the newest so far, {}",
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
    ++ordinal_;
    batch_.late.push_back(
        {name_of(origin), origin.line, std::string(origin.raw),
         fmt::format("event time {} is {} behind the watermark {}; allowed_lateness is {}",
                     format_time(event_.time), format_duration(watermark - event_.time),
                     format_time(watermark), format_duration(schema_.allowed_lateness))});
    note(false);
    return true;
  }

  void refuse(const Origin& origin, const std::string& reason) {
    ++ordinal_;
    batch_.dead_letters.push_back(
        {name_of(origin), origin.line, std::string(origin.raw.substr(0, 4096)), reason});
    note(true);
    const auto count = static_cast<std::uint64_t>(recent_.size());
    if (count < kBadLeast || stop_reason_) return;
    if (static_cast<double>(recent_bad_) <= schema_.max_bad_share * static_cast<double>(count)) {
      return;
    }
    stop_reason_ = fmt::format(
        "{}: line {}: {} of the last {} records were refused, more than stream.max_bad_share ({}) "
        "allows; the last reason: {}. See freshet events dead-letters",
        name_of(origin), origin.line, recent_bad_, count, schema_.max_bad_share, reason);
  }

  std::string name_of(const Origin& origin) const {
    return origin.input.empty() ? source_name_ : std::string(origin.input);
  }

  void note(bool bad) {
    recent_.push_back(bad);
    recent_bad_ += bad ? 1 : 0;
    if (recent_.size() <= kBadWindow) return;
    recent_bad_ -= recent_.front() ? 1 : 0;
    recent_.pop_front();
  }

  const Schema schema_;
  EventLog& log_;
  const TimeEvery* every_;
  Watermark watermark_;
  SeenIds seen_;
  std::uint64_t ordinal_;
  std::uint64_t jumps_in_a_row_ = 0;
  bool closed_ = false;
  std::deque<bool> recent_;  // bad or not, the newest records
  std::uint64_t recent_bad_ = 0;
  std::optional<std::string> stop_reason_;
  std::string source_name_;
  LogBatch batch_;
  Event event_;
};

Ingest::Ingest(const Schema& schema, EventLog& log) : impl_(std::make_unique<Impl>(schema, log)) {}
Ingest::~Ingest() = default;

PollStatus Ingest::pump(Source& source, std::size_t max_records) {
  return impl_->pump(source, max_records);
}

void Ingest::close() { impl_->close(); }

}  // namespace freshet
