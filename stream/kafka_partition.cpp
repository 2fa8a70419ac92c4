#include "stream/kafka_partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "stream/error.h"
#include "stream/kafka_source.h"
#include "stream/utf8.h"

namespace freshet {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr milliseconds kQuery{5000};
constexpr std::string_view kHeader = "$headers.";

}  // namespace

PartitionReader::PartitionReader(KafkaPartition at, bool labels, const Schema& schema,
                                 const SourceProgress& progress, bool known)
    : at_(std::move(at)),
      decoder_(schema, labels),
      fields_(decoder_.envelope_fields()),
      values_(fields_.size()),
      progress_(progress),
      known_(known),
      heard_(Clock::now()) {
  tombstones_ = kafka_tombstones(progress);
  newest_ = kafka_newest_time(progress);
}

SourceProgress PartitionReader::progress() const {
  SourceProgress now = progress_;
  now.header = std::to_string(tombstones_);
  if (newest_ != Watermark::kNone) now.header += fmt::format(" {}", newest_);
  return now;
}

bool PartitionReader::holds(Clock::time_point now, Millis idle_after) const {
  if (full() || finished_ || at_end_) return false;
  return now - heard_ < milliseconds(idle_after);
}

// A record that is waiting is the earliest it has.
std::optional<Millis> PartitionReader::reached(Millis idle_after) const {
  if (full() && !is_bad()) return std::max(newest_, time());
  if (finished_) return std::nullopt;
  if (at_end_since_ && at_end_until_ - *at_end_since_ >= milliseconds(idle_after)) {
    return std::nullopt;
  }
  return newest_;
}

bool PartitionReader::is_silent(Clock::time_point now, Clock::duration time) const {
  return !full() && !finished_ && now - heard_ >= time;
}

// What was not seen for `idle_after` may have been an outage: the silence begins anew.
void PartitionReader::ends_at(std::int64_t end, Clock::time_point asked, Millis idle_after) {
  away_ = end < 0;
  const bool stands = !away_ && known_ && static_cast<std::uint64_t>(end) <= progress_.offset;
  if (!stands) return at_end_since_.reset();
  error_.clear();
  if (!at_end_since_ || asked - at_end_until_ >= milliseconds(idle_after)) at_end_since_ = asked;
  at_end_until_ = asked;
}

std::string PartitionReader::place() const {
  return fmt::format("topic {}, partition {}", at_.topic, at_.partition);
}

std::string PartitionReader::trouble() const {
  if (!error_.empty()) return error_;
  return away_ ? place() + ": the broker that leads it does not answer" : std::string();
}

void PartitionReader::fill(KafkaClient& client, std::size_t index, bool until_end) {
  while (!head_ && !finished_ && !dry_) {
    if (next_ == waiting_.size()) {
      waiting_.clear();
      next_ = 0;
      dry_ = client.read(index, waiting_) == 0;
      if (dry_) return;
      if (until_end && !end_) end_ = client.known_end(index);
    }
    take(std::move(waiting_[next_++]), client, until_end);
  }
}

void PartitionReader::go_on_at(std::int64_t offset) {
  progress_.offset = std::max(progress_.offset, static_cast<std::uint64_t>(offset));
  known_ = true;
  finished_ = finished_ || (end_ && *end_ >= 0 && offset >= *end_);
}

void PartitionReader::hand_over(RecordSink& sink, Millis reached) {
  const KafkaMessage message = *std::exchange(head_, std::nullopt);
  Origin origin;
  origin.line = static_cast<std::uint64_t>(message.offset());
  origin.raw = message.value();
  origin.input = progress_.name;
  origin.unit = "offset";
  go_on_at(message.offset() + 1);
  ++progress_.records;
  if (is_bad()) return sink.bad(origin, reason_);
  event_.reached = TimeReached{reached, event_.time};
  sink.event(event_, origin);
}

void PartitionReader::take(KafkaMessage message, KafkaClient& client, bool until_end) {
  switch (message.kind()) {
    case KafkaMessage::Kind::record:
      return take_record(std::move(message));
    case KafkaMessage::Kind::end:
      note_heard();
      at_end_ = true;
      at_end_since_ = heard_;
      at_end_until_ = heard_;
      go_on_at(message.offset());
      finished_ = finished_ || until_end;
      return;
    case KafkaMessage::Kind::gone:
      refuse_gap(client);
    case KafkaMessage::Kind::error:
      return take_error(message, client);
  }
}

void PartitionReader::note_heard() {
  heard_ = Clock::now();
  away_ = false;
  error_.clear();
  told_.clear();
  at_end_ = false;
  at_end_since_.reset();
}

void PartitionReader::take_error(const KafkaMessage& message, const KafkaClient& client) {
  const std::string at =
      known_ ? fmt::format("at offset {}", progress_.offset) : "at its beginning";
  error_ = fmt::format("{}, {}: {}", place(), at, message.text());
  ++errors_;
  if (message.is_final()) throw Error(ErrorKind::conflict, "Kafka " + error_);
  if (error_ == told_) return;
  told_ = error_;
  client.say(error_ + "; trying again");
}

void PartitionReader::take_record(KafkaMessage message) {
  note_heard();
  if (known_ && message.offset() < static_cast<std::int64_t>(progress_.offset)) return;
  if (end_ && *end_ >= 0 && message.offset() >= *end_) {
    finished_ = true;
    return;
  }
  if (!message.has_value()) {
    ++tombstones_;
    go_on_at(message.offset() + 1);
    return;
  }
  head_ = std::move(message);
  reason_ = decode();
}

std::string PartitionReader::decode() {
  const std::string_view value = head_->value();
  if (value.size() > kMostBytes) {
    return fmt::format("the record is {} bytes long, more than 1 MiB", value.size());
  }
  if (value.empty()) return "the value is empty, expected a JSON object";
  own_.clear();
  own_.reserve(fields_.size());
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    values_[i] = envelope(fields_[i]);
    if (const auto defect = utf8_defect(values_[i])) {
      return fmt::format("field `{}`: {}", fields_[i], *defect);
    }
  }
  return decoder_.decode(value, values_, event_).value_or("");
}

std::string_view PartitionReader::envelope(const std::string& field) {
  if (field == "$key") return head_->key();
  if (field.starts_with(kHeader)) {
    return head_->header(field.substr(kHeader.size())).value_or(std::string_view());
  }
  if (field == "$offset") return own_.emplace_back(std::to_string(head_->offset()));
  if (field == "$partition") return own_.emplace_back(std::to_string(at_.partition));
  const Millis time = head_->timestamp();
  if (field == "$timestamp" && time >= 0) return own_.emplace_back(std::to_string(time));
  return {};
}

void PartitionReader::refuse_gap(KafkaClient& client) const {
  const auto next = known_ ? static_cast<std::int64_t>(progress_.offset) : at_.offset;
  const auto range = client.query_range(at_, kQuery);
  if (range && next < range->first) {
    throw Error(
        ErrorKind::conflict,
        fmt::format(
            "Kafka {}: offsets {} to {} are gone (retention): {} is to be read next, the first "
            "there is {}. Nothing was passed over. To go on without them: freshet events "
            "accept-loss {}/{} --to {} --reason … --workspace …",
            place(), next, range->first - 1, next, range->first, at_.topic, at_.partition,
            range->first));
  }
  if (range && next > range->second) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("Kafka {}: offset {} is to be read next, but it ends at {}: was the topic made "
                    "anew? To read it from there: freshet events accept-loss {}/{} --to {} "
                    "--reason … --workspace …",
                    place(), next, range->second, at_.topic, at_.partition, range->first));
  }
  throw Error(
      ErrorKind::conflict,
      fmt::format("Kafka {}: offset {} is not there; start again to look anew", place(), next));
}

}  // namespace freshet
