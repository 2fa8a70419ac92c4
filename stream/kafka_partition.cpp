#include "stream/kafka_partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "stream/error.h"
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
  std::istringstream header(progress_.header);
  std::uint64_t tombstones = 0;
  if (header >> tombstones) tombstones_ = tombstones;
  if (Millis newest = 0; header >> newest) newest_ = newest;
}

SourceProgress PartitionReader::progress() const {
  SourceProgress now = progress_;
  now.header = std::to_string(tombstones_);
  if (newest_ != Watermark::kNone) now.header += fmt::format(" {}", newest_);
  return now;
}

bool PartitionReader::holds(Clock::time_point now, Millis idle_after) const {
  if (full() || finished_ || at_end_) return false;
  // Where "latest" is must be known before anything is stored.
  if (!known_ && at_.offset == KafkaPartition::kLatest) return true;
  return now - heard_ < milliseconds(idle_after);
}

// A record that is waiting is the earliest it has.
std::optional<Millis> PartitionReader::reached(Clock::time_point now, Millis idle_after) const {
  if (full() && !is_bad()) return std::max(newest_, time());
  if (finished_) return std::nullopt;
  if (!full() && now - heard_ >= milliseconds(idle_after)) return std::nullopt;
  return newest_;
}

void PartitionReader::fill(KafkaClient& client, std::size_t index, bool until_end) {
  while (!head_ && !finished_ && !dry_) {
    if (next_ == waiting_.size()) {
      waiting_.clear();
      next_ = 0;
      dry_ = client.read(index, waiting_) == 0;
      if (dry_) return;
      heard_ = Clock::now();
      if (until_end && !end_) end_ = client.known_end(index);
    }
    take(std::move(waiting_[next_++]), client, index, until_end);
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

void PartitionReader::take(KafkaMessage message, KafkaClient& client, std::size_t index,
                           bool until_end) {
  switch (message.kind()) {
    case KafkaMessage::Kind::record:
      return take_record(std::move(message));
    case KafkaMessage::Kind::end:
      at_end_ = true;
      go_on_at(message.offset());
      finished_ = finished_ || until_end;
      return;
    case KafkaMessage::Kind::gone:
      refuse_gap(client, index);
    case KafkaMessage::Kind::error:
      if (message.is_final()) {
        throw Error(ErrorKind::conflict,
                    fmt::format("Kafka topic {}, partition {}, at offset {}: {}", at_.topic,
                                at_.partition, progress_.offset, message.text()));
      }
      return;
  }
}

void PartitionReader::take_record(KafkaMessage message) {
  at_end_ = false;
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

void PartitionReader::refuse_gap(KafkaClient& client, std::size_t index) const {
  const std::string place = fmt::format("Kafka topic {}, partition {}", at_.topic, at_.partition);
  const auto next = known_ ? static_cast<std::int64_t>(progress_.offset) : at_.offset;
  const auto range = client.query_range(index, kQuery);
  if (range && next < range->first) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("{}: offsets {} to {} are gone (retention): {} is to be read next, the first "
                    "there is {}. Nothing was passed over. To go on without them: freshet events "
                    "accept-loss {}/{} --to {} --reason … --workspace …",
                    place, next, range->first - 1, next, range->first, at_.topic, at_.partition,
                    range->first));
  }
  if (range && next > range->second) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("{}: offset {} is to be read next, but it ends at {}: was the topic made "
                    "anew? To read it from there: freshet events accept-loss {}/{} --to {} "
                    "--reason … --workspace …",
                    place, next, range->second, at_.topic, at_.partition, range->first));
  }
  throw Error(ErrorKind::conflict,
              fmt::format("{}: offset {} is not there; start again to look anew", place, next));
}

}  // namespace freshet
