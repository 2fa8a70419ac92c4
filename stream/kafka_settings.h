#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stream/kafka_input.h"

struct rd_kafka_conf_s;
struct rd_kafka_s;

namespace freshet {

/// What librdkafka has against a setting that a config states, in its words; empty: nothing. A
/// value of the environment's or a file's is not looked up.
std::string kafka_setting_refusal(const KafkaSetting& setting);

/// Values that nobody is to see, in texts that may quote them.
class KafkaSecrets {
 public:
  void add(const std::string& value);
  /// `text` with "…" in place of each secret, and of each part of one that can be told.
  std::string hide(std::string_view text) const;

 private:
  std::vector<std::string> values_;
};

/// What librdkafka says of a broker, as it is shown: without secrets, and with what an old one does
/// not know of itself.
std::string kafka_reason(const KafkaSecrets& secrets, std::string_view said);

/// Why a client of librdkafka has ended for good, as it is shown.
std::string kafka_end_reason(const KafkaSecrets& secrets, rd_kafka_s* client);

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
  /// Makes the client, which owns the settings from then on.
  rd_kafka_s* make_consumer();
  rd_kafka_s* make_producer();
  const KafkaSecrets& secrets() const { return secrets_; }

 private:
  void set(const std::string& name, const std::string& value, bool secret);
  std::string value_of(const KafkaSetting& setting) const;
  rd_kafka_s* made(rd_kafka_s* client, const char* why);

  const std::string place_;
  rd_kafka_conf_s* conf_;
  KafkaSecrets secrets_;
};

/// Ends a client; false where librdkafka does not come back from it (2.0 now and then doesn't):
/// after 5 s the client is left behind with its threads, and what it writes to must stay open.
bool end_client(rd_kafka_s* client, int flags);

}  // namespace freshet
