#pragma once

#include <string>
#include <vector>

#include "stream/kafka_input.h"

struct rd_kafka_conf_s;
struct rd_kafka_s;

namespace freshet {

/// Settings of a client of librdkafka, as they are gathered. `place`: where they stand in the
/// config, for messages.
///
/// Functions throw Error{invalid} naming the setting that is refused, or whose secret can't be
/// found; a secret is never shown.
class KafkaConf {
 public:
  KafkaConf(std::string place, const std::string& bootstrap);
  ~KafkaConf();
  KafkaConf(const KafkaConf&) = delete;
  KafkaConf& operator=(const KafkaConf&) = delete;

  void set(const std::string& name, const std::string& value);
  void set(const std::vector<KafkaSetting>& settings);
  rd_kafka_conf_s* get() const { return conf_; }
  /// The client that was made of it owns it now.
  void release() { conf_ = nullptr; }

 private:
  void set(const std::string& name, const std::string& value, bool secret);
  std::string secret_of(const KafkaSetting& setting) const;

  const std::string place_;
  rd_kafka_conf_s* conf_;
};

/// Ends a client; false where librdkafka does not come back from it (2.0 now and then doesn't):
/// after 5 s the client is left behind with its threads, and what it writes to must stay open.
bool end_client(rd_kafka_s* client, int flags);

}  // namespace freshet
