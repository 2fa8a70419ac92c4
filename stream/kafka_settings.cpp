#include "stream/kafka_settings.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "stream/error.h"

namespace freshet {
namespace {

constexpr std::array<std::string_view, 6> kSecrets = {
    "sasl.password",         "ssl.key.password",        "ssl.key.pem",
    "ssl.keystore.password", "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret"};

// A position is the log's, never the broker's; what is missing is a person's decision; what is
// published is acknowledged in order.
constexpr std::array<std::string_view, 13> kOwn = {"bootstrap.servers",
                                                   "metadata.broker.list",
                                                   "enable.auto.commit",
                                                   "enable.auto.offset.store",
                                                   "auto.offset.reset",
                                                   "isolation.level",
                                                   "check.crcs",
                                                   "enable.partition.eof",
                                                   "allow.auto.create.topics",
                                                   "partition.assignment.strategy",
                                                   "enable.idempotence",
                                                   "transactional.id",
                                                   "message.timeout.ms"};

void no_log(const rd_kafka_t* /*client*/, int /*level*/, const char* /*where*/,
            const char* /*text*/) {}

}  // namespace

bool is_secret_setting(const std::string& name) {
  return std::find(kSecrets.begin(), kSecrets.end(), name) != kSecrets.end();
}

bool is_fixed_setting(const std::string& name) {
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

KafkaConf::KafkaConf(std::string place, const std::string& bootstrap)
    : place_(std::move(place)), conf_(rd_kafka_conf_new()) {
  rd_kafka_conf_set_log_cb(conf_, no_log);
  set("bootstrap.servers", bootstrap);
}

KafkaConf::~KafkaConf() {
  if (conf_ != nullptr) rd_kafka_conf_destroy(conf_);
}

void KafkaConf::set(const std::string& name, const std::string& value) { set(name, value, false); }

void KafkaConf::set(const std::vector<KafkaSetting>& settings) {
  for (const KafkaSetting& setting : settings) {
    set(setting.name, secret_of(setting), setting.from != KafkaSetting::From::config);
  }
}

void KafkaConf::set(const std::string& name, const std::string& value, bool secret) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), why.data(), why.size()) ==
      RD_KAFKA_CONF_OK) {
    return;
  }
  throw Error(ErrorKind::invalid,
              fmt::format("{}.{}: {}", place_, name, secret ? "its value is refused" : why.data()));
}

std::string KafkaConf::secret_of(const KafkaSetting& setting) const {
  if (setting.from == KafkaSetting::From::config) return setting.value;
  if (setting.from == KafkaSetting::From::environment) {
    const char* value = std::getenv(setting.value.c_str());
    if (value == nullptr) {
      throw Error(ErrorKind::invalid, fmt::format("{}.{}: the environment has no variable {}",
                                                  place_, setting.name, setting.value));
    }
    return value;
  }
  std::ifstream in(setting.value, std::ios::binary);
  std::string value{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || value.empty()) {
    throw Error(ErrorKind::invalid, fmt::format("{}.{}: {}: cannot be read, or is empty", place_,
                                                setting.name, setting.value));
  }
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  return value;
}

bool end_client(rd_kafka_s* client, int flags) {
  constexpr std::chrono::seconds kPatience{5};
  const auto ended = std::make_shared<std::promise<void>>();
  const std::future<void> end = ended->get_future();
  std::thread([client, flags, ended] {
    rd_kafka_destroy_flags(client, flags);
    ended->set_value();
  }).detach();
  return end.wait_for(kPatience) == std::future_status::ready;
}

}  // namespace freshet
