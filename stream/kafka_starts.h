#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stream/kafka_client.h"
#include "stream/kafka_input.h"
#include "stream/source.h"

namespace freshet {

/// Where partitions are read from: where the log says, the first time where the config says. In a
/// group not before what its other members have read. Used by one thread.
class KafkaStarts {
 public:
  struct Start {
    KafkaPartition at;
    bool labels = false;
    SourceProgress progress;
  };

  KafkaStarts(const KafkaInput& input, const std::vector<SourceProgress>& stored,
              KafkaClient::Notice notice);

  /// Of the topics that the config names, in order, all partitions to be read: `given` by the
  /// group, or without one those of the config. False: no broker says so now. Throws Error as
  /// `kafka_source` says.
  bool find(KafkaClient& client, const std::optional<std::vector<KafkaPartition>>& given,
            KafkaClient::Wait wait, std::vector<Start>& to);
  /// From now on the log has this.
  void keep(const std::vector<SourceProgress>& progress);
  std::vector<std::string> topics() const;
  /// How many partitions each topic had when it was last asked.
  const std::map<std::string, std::uint32_t>& counts() const { return counts_; }

 private:
  using Given = std::optional<std::vector<KafkaPartition>>;

  bool find_topic(KafkaClient& client, const Given& given, const std::string& topic,
                  KafkaClient::Wait wait, std::vector<Start>& to);
  std::vector<std::uint32_t> numbers(const std::string& topic, const Given& given,
                                     std::uint32_t count) const;
  std::vector<std::uint32_t> stored_of(const std::string& topic) const;
  bool is_known(const std::string& topic) const { return !stored_of(topic).empty(); }
  const std::vector<KafkaOffset>& offsets_of(const std::string& topic) const;
  std::int64_t first_offset(const std::string& topic, std::uint32_t number) const;
  bool begins_as_named(const KafkaPartition& at) const;
  void check_named(const std::string& topic, std::uint32_t count) const;
  bool check_range(KafkaClient& client, const KafkaPartition& at, KafkaClient::Wait wait) const;
  static bool find_where(Millis time, KafkaClient& client, KafkaClient::Wait wait,
                         std::vector<KafkaPartition>& all);
  void check_cluster(const SourceProgress& stored, const std::string& cluster) const;
  bool pass_what_others_read(KafkaClient& client, std::vector<KafkaPartition>& all,
                             KafkaClient::Wait wait) const;

  const KafkaInput input_;
  std::map<std::string, SourceProgress> stored_;  ///< by name
  const KafkaClient::Notice notice_;
  std::map<std::string, std::uint32_t> counts_;
};

}  // namespace freshet
