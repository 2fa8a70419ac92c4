#include "stream/kafka_starts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "stream/error.h"
#include "stream/kafka_source.h"

namespace freshet {

KafkaStarts::KafkaStarts(const KafkaInput& input, const std::vector<SourceProgress>& stored,
                         KafkaClient::Notice notice)
    : input_(input), notice_(std::move(notice)) {
  keep(stored);
}

void KafkaStarts::keep(const std::vector<SourceProgress>& progress) {
  for (const SourceProgress& at : progress) stored_[at.name] = at;
}

std::vector<std::string> KafkaStarts::topics() const {
  std::vector<std::string> all = {input_.topic};
  if (!input_.label_topic.empty()) all.push_back(input_.label_topic);
  return all;
}

bool KafkaStarts::find(KafkaClient& client, const Given& given, KafkaClient::Wait wait,
                       std::vector<Start>& to) {
  std::vector<Start> found;
  for (const std::string& topic : topics()) {
    if (!find_topic(client, given, topic, wait, found)) return false;
  }
  to = std::move(found);
  return true;
}

bool KafkaStarts::find_topic(KafkaClient& client, const Given& given, const std::string& topic,
                             KafkaClient::Wait wait, std::vector<Start>& to) {
  const auto count = client.partition_count(topic, wait);
  if (!count) return false;
  counts_[topic] = *count;
  const std::string cluster = client.cluster(wait);
  std::vector<KafkaPartition> all;
  for (const std::uint32_t number : numbers(topic, given, *count)) {
    all.push_back({topic, number, first_offset(topic, number)});
  }
  check_named(topic, *count);
  if (all.empty()) return true;
  std::vector<SourceProgress> progresses;
  for (std::size_t i = 0; i < all.size(); ++i) {
    SourceProgress& progress = progresses.emplace_back();
    progress.name = kafka_progress_name(topic, all[i].partition);
    progress.identity = cluster;
    const auto stored = stored_.find(progress.name);
    if (stored != stored_.end()) {
      check_cluster(stored->second, cluster);
      progress = stored->second;
      all[i].offset = static_cast<std::int64_t>(progress.offset);
    }
  }
  // All of them, before anything is read and stored: a place in time is another one later.
  if (input_.start.at == KafkaStart::At::time &&
      !find_where(input_.start.time, client, wait, all)) {
    return false;
  }
  if (given && !pass_what_others_read(client, all, wait)) return false;
  if (!find_where(KafkaPartition::kLatest, client, wait, all)) return false;
  for (const KafkaPartition& one : all) {
    if (begins_as_named(one) && !check_range(client, one, wait)) return false;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].offset >= 0) progresses[i].offset = static_cast<std::uint64_t>(all[i].offset);
    to.push_back({all[i], topic != input_.topic, progresses[i]});
  }
  return true;
}

std::vector<std::uint32_t> KafkaStarts::numbers(const std::string& topic, const Given& given,
                                                std::uint32_t count) const {
  std::vector<std::uint32_t> all;
  if (given) {
    for (const KafkaPartition& one : *given) {
      if (one.topic == topic) all.push_back(one.partition);
    }
    return all;
  }
  if (topic == input_.topic && !input_.partitions.empty()) {
    all = input_.partitions;
    const std::uint32_t highest = *std::max_element(all.begin(), all.end());
    if (highest >= count) {
      throw Error(ErrorKind::invalid,
                  fmt::format("Kafka topic {}: it has partitions 0 to {}, stream.source names {}",
                              topic, count - 1, highest));
    }
    return all;
  }
  for (std::uint32_t i = 0; i < count; ++i) all.push_back(i);
  // Partitions are never taken away: the topic was made anew.
  const auto known = stored_of(topic);
  if (!known.empty() && known.back() >= count) {
    throw Error(ErrorKind::conflict,
                fmt::format("Kafka topic {}: it has {} partitions, partition {} was read before: "
                            "was it made anew?",
                            topic, count, known.back()));
  }
  return all;
}

/// The partitions of a topic that were read before, in order.
std::vector<std::uint32_t> KafkaStarts::stored_of(const std::string& topic) const {
  std::string start = kafka_progress_name(topic, 0);
  start.pop_back();
  std::vector<std::uint32_t> numbers;
  for (const auto& [name, progress] : stored_) {
    if (!name.starts_with(start)) continue;
    numbers.push_back(static_cast<std::uint32_t>(std::stoul(name.substr(start.size()))));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

const std::vector<KafkaOffset>& KafkaStarts::offsets_of(const std::string& topic) const {
  return topic == input_.topic ? input_.start.offsets : input_.start.label_offsets;
}

// A partition that came to a topic already read is read from its beginning, unless it is named.
std::int64_t KafkaStarts::first_offset(const std::string& topic, std::uint32_t number) const {
  for (const KafkaOffset& offset : offsets_of(topic)) {
    if (offset.name == std::to_string(number)) return static_cast<std::int64_t>(offset.offset);
  }
  const KafkaStart::At at = input_.start.at;
  const bool by_time = at == KafkaStart::At::latest || at == KafkaStart::At::time;
  return by_time && !is_known(topic) ? KafkaPartition::kLatest : KafkaPartition::kEarliest;
}

bool KafkaStarts::begins_as_named(const KafkaPartition& at) const {
  return at.offset >= 0 && at.offset == first_offset(at.topic, at.partition) &&
         !stored_.contains(kafka_progress_name(at.topic, at.partition));
}

void KafkaStarts::check_named(const std::string& topic, std::uint32_t count) const {
  const bool labels = topic != input_.topic;
  std::vector<std::uint32_t> read = labels ? std::vector<std::uint32_t>() : input_.partitions;
  if (read.empty()) {
    read.resize(count);
    std::iota(read.begin(), read.end(), 0U);
  }
  for (const KafkaOffset& offset : offsets_of(topic)) {
    if (std::any_of(read.begin(), read.end(),
                    [&](std::uint32_t number) { return offset.name == std::to_string(number); })) {
      continue;
    }
    throw Error(ErrorKind::invalid,
                fmt::format("stream.source.start: {} names partition {}, of Kafka topic {} "
                            "partitions {} are read: expected offsets of those only",
                            labels ? "label_offsets" : "offsets", offset.name, topic,
                            fmt::join(read, ", ")));
  }
}

// Before there is progress: once an offset is stored, a mended config changes it no more.
bool KafkaStarts::check_range(KafkaClient& client, const KafkaPartition& at,
                              KafkaClient::Wait wait) const {
  const auto range = client.query_range(at, wait);
  if (!range) return false;
  if (at.offset >= range->first && at.offset <= range->second) return true;
  throw Error(ErrorKind::invalid,
              fmt::format("Kafka topic {}, partition {}: stream.source.start names offset {}, "
                          "expected one from {}, where it begins, to {}, where it ends",
                          at.topic, at.partition, at.offset, range->first, range->second));
}

/// Puts what begins at this time in the place of kLatest; false: not all brokers say so now.
bool KafkaStarts::find_where(Millis time, KafkaClient& client, KafkaClient::Wait wait,
                             std::vector<KafkaPartition>& all) {
  std::vector<KafkaPartition> open;
  for (const KafkaPartition& one : all) {
    if (one.offset == KafkaPartition::kLatest) open.push_back(one);
  }
  if (open.empty()) return true;
  if (!client.find_offsets(time, open, wait)) return false;
  auto found = open.begin();
  bool all_found = true;
  for (KafkaPartition& one : all) {
    if (one.offset == KafkaPartition::kLatest) one.offset = (found++)->offset;
    all_found = all_found && one.offset != KafkaPartition::kLatest;
  }
  return all_found || time != KafkaPartition::kLatest;
}

void KafkaStarts::check_cluster(const SourceProgress& stored, const std::string& cluster) const {
  if (stored.identity.empty() || cluster.empty() || stored.identity == cluster) return;
  throw Error(ErrorKind::conflict,
              fmt::format("{}: {} is cluster {}, it was read from cluster {} before: its offsets "
                          "mean nothing there; use another workspace",
                          stored.name, input_.bootstrap, cluster, stored.identity));
}

bool KafkaStarts::pass_what_others_read(KafkaClient& client, std::vector<KafkaPartition>& all,
                                        KafkaClient::Wait wait) const {
  std::vector<KafkaPartition> committed = all;
  if (!client.find_committed(committed, wait)) return false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int64_t offset = committed[i].offset;
    if (offset < 0 || offset <= all[i].offset) continue;
    if (all[i].offset >= 0 && notice_) {
      notice_(fmt::format(
          "Kafka: {}/{}: offsets {} to {} were read by another member of group {}, or before a "
          "backup was restored",
          all[i].topic, all[i].partition, all[i].offset, offset - 1, input_.group));
    }
    all[i].offset = offset;
  }
  return true;
}

}  // namespace freshet
