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

// Parts of names, those of Java's clients and misspelt ones too: what is taken for no secret is
// recorded before librdkafka refuses it.
constexpr std::array<std::string_view, 9> kSecrets = {
    "pass",   "pasw", "pwd", "secret", "jaas", "token", "credential", "oauthbearer.config",
    "key.pem"};
constexpr std::string_view kNoSecret = "sasl.oauthbearer.token.endpoint.url";

// A value from elsewhere may be no secret ("true"), and would be hidden in every word.
constexpr std::size_t kLeastHidden = 4;

// A position is the log's, never the broker's; what is missing is a person's decision; what is
// published is acknowledged in order.
constexpr std::array<std::string_view, 23> kOwn = {"bootstrap.servers",
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
                                                   "enable.gapless.guarantee",
                                                   "transactional.id",
                                                   "acks",
                                                   "request.required.acks",
                                                   "retries",
                                                   "message.send.max.retries",
                                                   "message.timeout.ms",
                                                   "delivery.timeout.ms",
                                                   "delivery.report.only.error",
                                                   "max.in.flight",
                                                   "max.in.flight.requests.per.connection",
                                                   "queuing.strategy"};

void no_log(const rd_kafka_t* /*client*/, int /*level*/, const char* /*where*/,
            const char* /*text*/) {}

}  // namespace

bool is_secret_setting(const std::string& name) {
  std::string plain = name;
  for (char& c : plain) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return plain != kNoSecret &&
         std::any_of(kSecrets.begin(), kSecrets.end(),
                     [&](std::string_view part) { return plain.find(part) != std::string::npos; });
}

bool is_fixed_setting(const std::string& name) {
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

std::string kafka_setting_refusal(const KafkaSetting& setting) {
  // To set it is to load it.
  if (setting.name == "plugin.library.paths") return "loads code into Freshet: leave it out";
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(
      rd_kafka_conf_new(), rd_kafka_conf_destroy);
  const bool stated = setting.from == KafkaSetting::From::config;
  std::array<char, 512> why{};
  const auto result =
      rd_kafka_conf_set(conf.get(), setting.name.c_str(), stated ? setting.value.c_str() : nullptr,
                        why.data(), why.size());
  const bool fine = result == RD_KAFKA_CONF_OK || (!stated && result == RD_KAFKA_CONF_INVALID);
  return fine ? "" : why.data();
}

void KafkaSecrets::add(const std::string& value) {
  if (!value.empty()) values_.push_back(value);
}

// Texts quote the rest of a value from where it could not be read, or are cut off within one.
std::string KafkaSecrets::hide(std::string_view text) const {
  constexpr std::size_t kTelling = 6;
  const auto is_within = [&](std::size_t at) { return (text[at] & '\xC0') == '\x80'; };
  std::vector<bool> hidden(text.size());
  for (const std::string& secret : values_) {
    const std::size_t size = std::min(secret.size(), kTelling);
    for (std::size_t at = 0; at + size <= text.size(); ++at) {
      if (secret.find(text.substr(at, size)) == std::string::npos) continue;
      std::size_t i = at;
      while (i > 0 && is_within(i)) --i;  // no half of a character is left
      for (; i < text.size() && (i < at + size || is_within(i)); ++i) {
        hidden[i] = true;
      }
    }
  }
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!hidden[i]) {
      shown += text[i];
    } else if (i == 0 || !hidden[i - 1]) {
      shown += "…";
    }
  }
  return shown;
}

// https://github.com/confluentinc/librdkafka/pull/4895
std::string kafka_reason(const KafkaSecrets& secrets, std::string_view said) {
  constexpr int kLogsIn = 0x020601ff;
  std::string shown = secrets.hide(said);
  if (rd_kafka_version() < kLogsIn && said.find("mechanism SCRAM") != std::string_view::npos) {
    shown += fmt::format(
        "; or the broker is an Apache Kafka 4, where librdkafka logs in by SCRAM from 2.6.1 on: "
        "this one is {}",
        rd_kafka_version_str());
  }
  return shown;
}

std::string kafka_end_reason(const KafkaSecrets& secrets, rd_kafka_s* client) {
  std::array<char, 512> why{};
  rd_kafka_fatal_error(client, why.data(), why.size());
  return kafka_reason(secrets, why.data());
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
    const std::string value = value_of(setting);
    const bool secret = is_secret_setting(setting.name);
    const bool hidden = secret || setting.from != KafkaSetting::From::config;
    if (secret || (hidden && value.size() >= kLeastHidden)) secrets_.add(value);
    set(setting.name, value, hidden);
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

std::string KafkaConf::value_of(const KafkaSetting& setting) const {
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

rd_kafka_s* KafkaConf::make_consumer() {
  std::array<char, 512> why{};
  return made(rd_kafka_new(RD_KAFKA_CONSUMER, conf_, why.data(), why.size()), why.data());
}

rd_kafka_s* KafkaConf::make_producer() {
  std::array<char, 512> why{};
  return made(rd_kafka_new(RD_KAFKA_PRODUCER, conf_, why.data(), why.size()), why.data());
}

rd_kafka_s* KafkaConf::made(rd_kafka_s* client, const char* why) {
  if (client == nullptr) {
    throw Error(ErrorKind::invalid, fmt::format("{}: {}", place_, secrets_.hide(why)));
  }
  conf_ = nullptr;
  return client;
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
