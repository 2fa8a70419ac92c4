#include "stream/kafka_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "stream/error.h"
#include "stream/kafka_partition.h"
#include "stream/kafka_starts.h"

namespace freshet {
namespace {

using Partitions = std::vector<std::unique_ptr<PartitionReader>>;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWait{20};
constexpr milliseconds kFirstAttempt{200};
constexpr milliseconds kLongestAttempt{1000};
constexpr std::chrono::seconds kCommitEvery{5};
constexpr std::chrono::seconds kCountEvery{30};
constexpr milliseconds kAnswer{500};
constexpr milliseconds kAskOften{50};
constexpr milliseconds kAskSeldom{5000};

class KafkaSource final : public Source {
 public:
  KafkaSource(const KafkaInput& input, const Schema& schema,
              const std::vector<SourceProgress>& stored, KafkaReading reading)
      : input_(input),
        schema_(schema),
        reading_(std::move(reading)),
        starts_(input, stored, reading_.notice),
        begun_(Clock::now()) {
    if (std::holds_alternative<TimeEvery>(schema.time.form)) {
      throw Error(ErrorKind::invalid,
                  "partitions are merged by event time: expected event.time to name a field "
                  "(\"$timestamp\" with unit \"ms\" is the record's own), found {\"every\": …}");
    }
    // From which on Ingest tells times that jump, or what it refuses would be taken for reached.
    for (const SourceProgress& progress : stored) {
      newest_ = std::max(newest_, kafka_newest_time(progress));
    }
    open_client();
  }

  // The group is left while what it takes back is still there.
  ~KafkaSource() override {
    if (grouped()) hand_back();
    client_.reset();
  }

  PollStatus poll(std::size_t max_records, RecordSink& sink) override {
    if (failure_) std::rethrow_exception(failure_);
    std::size_t given = 0;
    try {
      return try_poll(max_records, sink, given);
    } catch (const Error&) {
      failure_ = std::current_exception();
      if (given == 0) throw;
      return PollStatus::ready;
    }
  }

  std::vector<SourceProgress> progress() const override {
    std::vector<SourceProgress> all;
    for (const auto& partition : partitions_) {
      if (partition->known()) all.push_back(partition->progress());
    }
    return all;
  }

  void stored() override {
    for (const auto& partition : partitions_) {
      if (partition->known()) partition->note_stored();
    }
  }

  SourceState state() const override {
    SourceState state;
    state.trouble = client_->trouble();
    state.errors = client_->errors();
    if (state.trouble.empty() && partitions_.empty()) {
      state.trouble = connected_ ? "the group gives its partitions to others" : "not connected yet";
    }
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      const PartitionReader& partition = *partitions_[i];
      if (state.trouble.empty()) state.trouble = partition.trouble();
      state.errors += partition.errors();
      const std::int64_t end = client_->known_end(i);
      if (!partition.known() || end < 0) continue;
      const SourceProgress progress = partition.progress();
      const std::uint64_t next = progress.offset;
      state.parts.push_back(
          {progress.name, next, std::max(next, static_cast<std::uint64_t>(end)), progress.records});
    }
    return state;
  }

 private:
  PollStatus try_poll(std::size_t max_records, RecordSink& sink, std::size_t& given) {
    stored();
    client_->serve();
    if (failure_) std::rethrow_exception(failure_);
    if (const std::string& why = client_->ended_by(); !why.empty()) {
      throw Error(ErrorKind::conflict, fmt::format("Kafka: {}: nothing more is read", why));
    }
    if (auto share = client_->take_given()) {
      hand_back();
      given_ = std::move(share);
    }
    if (!connected_ && !connect()) return PollStatus::idle;
    if (Clock::now() >= committed_ + kCommitEvery) commit(false);
    if (!reading_.until_end && !grouped() && partitions_grew()) return PollStatus::ready;
    look_again();
    ask_the_silent();
    bool waited = false;
    while (given < max_records) {
      if (PartitionReader* next = choose()) {
        if (!next->is_bad() && !jumps(*next)) {
          newest_ = std::max(newest_, next->time());
          next->note_time();
        }
        next->hand_over(sink, reached());
        ++given;
        continue;
      }
      if (given > 0) return PollStatus::ready;
      if (ended()) {
        sink.time_reached(reached());
        return PollStatus::ended;
      }
      if (waited) {
        if (!partitions_.empty()) sink.time_reached(reached());
        return PollStatus::idle;
      }
      client_->wait(kWait);
      look_again();
      waited = true;
    }
    return PollStatus::ready;
  }

  bool ended() const {
    return reading_.until_end && std::all_of(partitions_.begin(), partitions_.end(),
                                             [](const auto& p) { return p->finished(); });
  }

  void look_again() {
    now_ = Clock::now();
    for (const auto& partition : partitions_) partition->look_again();
  }

  // Silence says that nothing was produced only where a broker that can be reached says so.
  void ask_the_silent() {
    if (now_ < next_ask_) return;
    const milliseconds every =
        std::clamp(milliseconds(input_.idle_after) / 4, kAskOften, kAskSeldom);
    std::vector<std::size_t> silent;
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      if (partitions_[i]->is_silent(now_, every)) silent.push_back(i);
    }
    if (!silent.empty()) {
      const std::vector<std::int64_t> ends = client_->ask_ends(silent, kAnswer);
      for (std::size_t i = 0; i < silent.size(); ++i) {
        partitions_[silent[i]]->ends_at(ends[i], now_, input_.idle_after);
      }
    }
    next_ask_ = Clock::now() + every;
  }

  /// The event time that all partitions have come to which count.
  Millis reached() const {
    Millis all = kLatestTime;
    for (const auto& partition : partitions_) {
      all = std::min(all, partition->reached(input_.idle_after).value_or(all));
    }
    return all;
  }

  bool jumps(const PartitionReader& partition) const {
    return newest_ != Watermark::kNone && partition.time() > newest_ + schema_.max_time_jump;
  }

  // Null: none is known to be the next. A time that can't be goes at once, or its partition would
  // wait for the others to come as far.
  PartitionReader* choose() {
    PartitionReader* first = nullptr;
    bool unknown = false;
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      PartitionReader& partition = *partitions_[i];
      if (!partition.full()) partition.fill(*client_, i, reading_.until_end);
      if (!partition.full()) {
        unknown = unknown || partition.holds(now_, input_.idle_after);
      } else if (partition.is_bad() || jumps(partition)) {
        return &partition;
      } else if (first == nullptr || partition.time() < first->time()) {
        first = &partition;
      }
    }
    return unknown ? nullptr : first;
  }

  void open_client() {
    client_ = std::make_unique<KafkaClient>(input_, reading_.group, reading_.notice);
    attempt_ = kFirstAttempt;
  }

  bool connect() {
    if (Clock::now() < next_attempt_) {
      client_->wait(kWait);
      return false;
    }
    if (grouped() && !given_) return join();
    std::vector<KafkaStarts::Start> found;
    const auto given = given_;  // the group may take it back meanwhile
    if (starts_.find(*client_, given, attempt_, found) && given.has_value() == given_.has_value()) {
      std::vector<KafkaPartition> all;
      for (const KafkaStarts::Start& start : found) {
        all.push_back(start.at);
        partitions_.push_back(std::make_unique<PartitionReader>(
            start.at, start.labels, schema_, start.progress, start.at.offset >= 0));
      }
      client_->assign(all);
      counted_ = Clock::now();
      committed_ = counted_;
      was_connected_ = true;
      connected_ = true;
      return true;
    }
    return try_later();
  }

  bool try_later() {
    attempt_ = std::min(2 * attempt_, kLongestAttempt);
    next_attempt_ = Clock::now() + attempt_;
    const milliseconds limit = reading_.give_up_after;
    if (!was_connected_ && limit.count() > 0 && Clock::now() - begun_ > limit) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("Kafka: none of {} has answered for {} s: {}", input_.bootstrap,
                              limit.count() / 1000,
                              client_->trouble().empty() ? "no answer" : client_->trouble()));
    }
    return false;
  }

  bool grouped() const { return !input_.group.empty(); }

  // What it gives is heard of later.
  bool join() {
    if (joined_) {
      client_->wait(kWait);
      return false;
    }
    const std::vector<std::string> topics = starts_.topics();
    for (const std::string& topic : topics) {
      if (!client_->partition_count(topic, attempt_)) return try_later();
    }
    client_->subscribe(topics, [this] { hand_back(); });
    joined_ = true;
    return false;
  }

  // Amid a poll all that was handed over is in the log: the group is heard of before anything else.
  // Called from within librdkafka, which no exception may pass through.
  void hand_back() {
    try {
      if (connected_) commit(true);
    } catch (const Error&) {
      failure_ = std::current_exception();
    }
    starts_.keep(progress());
    partitions_.clear();
    given_.reset();
    connected_ = false;
  }

  // Nothing that the log may have refused, or lose: the next start would take it as read by another
  // member.
  void commit(bool wait) {
    committed_ = Clock::now();
    if (grouped() && reading_.sync) reading_.sync();
    std::vector<KafkaPartition> offsets;
    for (const auto& partition : partitions_) {
      if (const auto next = partition->stored()) {
        offsets.push_back(
            {partition->at().topic, partition->at().partition, static_cast<std::int64_t>(*next)});
      }
    }
    if (!offsets.empty()) client_->commit(offsets, wait);
  }

  bool partitions_grew() {
    if (Clock::now() < counted_ + kCountEvery) return false;
    counted_ = Clock::now();
    bool grew = false;
    for (const auto& [topic, count] : starts_.counts()) {
      if (topic == input_.topic && !input_.partitions.empty()) continue;
      const auto now = client_->partition_count(topic, kFirstAttempt);
      grew = grew || (now && *now > count);
    }
    if (!grew) return false;
    // Anew from where it is: nothing of what was not handed over counts.
    starts_.keep(progress());
    partitions_.clear();
    connected_ = false;
    open_client();
    return true;
  }

  const KafkaInput input_;
  const Schema schema_;
  const KafkaReading reading_;
  KafkaStarts starts_;
  std::unique_ptr<KafkaClient> client_;
  Partitions partitions_;             ///< the topic's, then the label topic's
  Millis newest_ = Watermark::kNone;  ///< event time handed over
  const Clock::time_point begun_;
  Clock::time_point now_;  ///< as of the last look
  Clock::time_point next_attempt_;
  Clock::time_point committed_;
  Clock::time_point counted_;
  Clock::time_point next_ask_;
  milliseconds attempt_{0};
  bool was_connected_ = false;
  bool connected_ = false;
  bool joined_ = false;
  std::optional<std::vector<KafkaPartition>> given_;  ///< by the group
  std::exception_ptr failure_;
};

}  // namespace

std::unique_ptr<Source> kafka_source(const KafkaInput& input, const Schema& schema,
                                     const std::vector<SourceProgress>& stored,
                                     KafkaReading reading) {
  return std::make_unique<KafkaSource>(input, schema, stored, std::move(reading));
}

std::string kafka_group(const std::string& pipeline) { return "freshet-" + pipeline; }

std::string kafka_progress_name(const std::string& topic, std::uint32_t partition) {
  return fmt::format("kafka:{}/{}", topic, partition);
}

std::uint64_t kafka_tombstones(const SourceProgress& progress) {
  return progress.header.empty() ? 0 : std::stoull(progress.header);
}

Millis kafka_newest_time(const SourceProgress& progress) {
  const auto space = progress.header.find(' ');
  const bool is_kafka = progress.name.starts_with("kafka:");
  return !is_kafka || space == std::string::npos ? Watermark::kNone
                                                 : std::stoll(progress.header.substr(space));
}

}  // namespace freshet
