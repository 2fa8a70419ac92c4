#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stream/kafka_input.h"
#include "stream/kafka_message.h"
#include "stream/kafka_settings.h"

struct rd_kafka_queue_s;
struct rd_kafka_s;
struct rd_kafka_topic_partition_list_s;

namespace freshet {

struct KafkaPartition {
  static constexpr std::int64_t kEarliest = -2;  ///< as an offset
  static constexpr std::int64_t kLatest = -1;

  std::string topic;
  std::uint32_t partition = 0;
  std::int64_t offset = kEarliest;
};

/// A consumer of librdkafka with partitions assigned to it by hand, or given by a group.
/// It reconnects for ever, by itself. Messages must go before the client. Used by one thread.
class KafkaClient {
 public:
  using Notice = std::function<void(const std::string& text)>;

  /// `group`: under which offsets are committed for those who watch lag, unless the settings name
  /// one. `notice` hears, once each time, that no broker can be reached, and why.
  /// Throws Error{invalid} for settings that are refused, or secrets that can't be found.
  KafkaClient(const KafkaInput& input, const std::string& group, Notice notice);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  using Wait = std::chrono::milliseconds;

  /// How many partitions a topic has; nullopt: no broker says so now. Throws Error{not_found} for
  /// a topic that is not there, Error{invalid} if reading it isn't allowed, or if whoever
  /// answers refuses the credentials or isn't trusted.
  std::optional<std::uint32_t> partition_count(const std::string& topic, Wait wait);
  /// The cluster's id; empty if it isn't known.
  std::string cluster(Wait wait);
  /// Of each partition the first offset at `time` or later, kLatest if there is none; where they
  /// begin at kEarliest, where they end at kLatest. False: not all brokers say so now.
  bool find_offsets(Millis time, std::vector<KafkaPartition>& partitions, Wait wait);

  /// Joins the group of the settings; `serve` then hears what is given to this member, and calls
  /// `revoked` before partitions go: what was read of them is to be committed and forgotten.
  using Revoked = std::function<void()>;
  void subscribe(const std::vector<std::string>& topics, Revoked revoked);
  /// What the group has given since it was last asked; to be assigned, with offsets.
  std::optional<std::vector<KafkaPartition>> take_given();
  /// Of each partition the offset that its group has committed, below 0 if none; false: no broker
  /// says so now.
  bool find_committed(std::vector<KafkaPartition>& partitions, Wait wait);
  /// From then on partitions are known by their index here.
  void assign(const std::vector<KafkaPartition>& partitions);
  /// Takes what has come of a partition, 100 messages at most, without waiting.
  std::size_t read(std::size_t index, std::vector<KafkaMessage>& to);
  /// Where each of these partitions ends, as the broker that leads it says; -1: it does not answer.
  /// As long as one of them does not, what others send does not end the trouble.
  std::vector<std::int64_t> ask_ends(const std::vector<std::size_t>& indexes, Wait wait);
  /// Says to whoever hears of troubles.
  void say(const std::string& text) const;
  /// Waits until something has come.
  void wait(Wait wait);
  /// Serves what librdkafka has to say; to be called often.
  void serve();

  /// A partition's end as the last answer of its broker told it; -1: none yet.
  std::int64_t known_end(std::size_t index) const;
  /// A partition's first and next offset, asked of its broker.
  std::optional<std::pair<std::int64_t, std::int64_t>> query_range(const KafkaPartition& of,
                                                                   Wait wait);
  /// Tells the brokers how far it was read, if they care. `wait`: and waits for their answer, 3 s
  /// at most, and says if it is none.
  void commit(const std::vector<KafkaPartition>& partitions, bool wait = false);

  /// The last trouble with the brokers, if none but records and ends have come since; empty: none.
  const std::string& trouble() const { return trouble_; }
  /// What has ended it for good, in librdkafka's words: another member of the group under the same
  /// `group.instance.id`; empty: nothing.
  const std::string& ended_by() const { return ended_by_; }
  /// How often there was trouble.
  std::uint64_t errors() const { return errors_; }

 private:
  static void on_error(rd_kafka_s* client, int code, const char* reason, void* self);
  void rebalance(int code, const rd_kafka_topic_partition_list_s& partitions);
  void drop_queues();
  std::vector<int> leaders(const std::string& topic, Wait wait);
  void reached();
  void tell(const std::string& reason);

  Notice notice_;
  KafkaSecrets secrets_;
  int wake_ = -1;  ///< an eventfd that says: a partition has something
  rd_kafka_s* client_ = nullptr;
  std::vector<KafkaPartition> assigned_;
  std::vector<rd_kafka_queue_s*> queues_;
  Revoked revoked_;
  std::optional<std::vector<KafkaPartition>> given_;
  bool subscribed_ = false;
  bool left_ = true;  ///< the group has given nothing that it has not taken back
  std::string trouble_;
  std::uint64_t errors_ = 0;
  std::string ended_by_;
  bool was_reached_ = false;
  bool some_away_ = false;  ///< a broker that leads a partition did not answer when last asked
  std::optional<std::string> refusal_;  ///< of credentials or certificates
};

}  // namespace freshet
