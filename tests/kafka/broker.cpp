#include "kafka/broker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>

#include "web/certificate.h"

namespace freshet {

namespace fs = std::filesystem;

namespace {

constexpr int kPatience = 60'000;
constexpr const char* kClusterId = "MkU3OEVBNTcwNTJENDM2Qg";

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

/// Counts what was not delivered: a flush doesn't tell.
void on_delivery(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* failures) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && failures != nullptr) {
    ++*static_cast<int*>(failures);
  }
}

rd_kafka_t* new_client(const std::string& address, const std::string& transactional_id,
                       int* failures = nullptr, bool idempotent = false) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const std::string& value) {
    rd_kafka_conf_set(conf, name, value.c_str(), nullptr, 0);
  };
  set("bootstrap.servers", address);
  set("log_level", "0");
  set("reconnect.backoff.max.ms", "200");
  set("linger.ms", "5");
  set("message.max.bytes", "4000000");
  if (idempotent) set("enable.idempotence", "true");  // or retries change the order
  if (!transactional_id.empty()) set("transactional.id", transactional_id);
  rd_kafka_conf_set_opaque(conf, failures);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  std::array<char, 256> why{};
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (client == nullptr) fail(why.data());
  return client;
}

/// Waits for an admin request's result; throws what went wrong.
void await(rd_kafka_queue_t* queue, const std::string& what) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kPatience);
  const std::string error = event == nullptr              ? "no answer"
                            : rd_kafka_event_error(event) ? rd_kafka_event_error_string(event)
                                                          : "";
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  if (!error.empty()) fail(what + ": " + error);
}

void check(rd_kafka_error_t* error) {
  if (error == nullptr) return;
  const std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  fail(text);
}

/// Again, as long as that may help: a broker that was restarted takes its time for transactions.
template <class Call>
rd_kafka_error_t* insist(const Call& call) {
  rd_kafka_error_t* error = call();
  for (int again = 0; error != nullptr && rd_kafka_error_is_retriable(error) && again < 5;
       ++again) {
    rd_kafka_error_destroy(error);
    error = call();
  }
  return error;
}

std::string one_line(const std::string& file) {
  std::ifstream in(file);
  std::string text;
  for (std::string line; std::getline(in, line);) text += line + " \\\n";
  return text;
}

std::string server_properties(int port, int controller_port, int sasl_port, int tls_port,
                              int mutual_port, const std::string& folder) {
  return fmt::format(R"(process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{1}
listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1},\
  SASL://127.0.0.1:{3},TLS://127.0.0.1:{4},MUTUAL://127.0.0.1:{7}
advertised.listeners=PLAINTEXT://127.0.0.1:{0},SASL://127.0.0.1:{3},TLS://127.0.0.1:{4},\
  MUTUAL://127.0.0.1:{7}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,\
  TLS:SSL,MUTUAL:SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl.plain.sasl.jaas.config=\
  org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_freshet="right";
listener.name.sasl.scram-sha-256.sasl.jaas.config=\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.certificate.chain={5}
ssl.keystore.key={6}
listener.name.mutual.ssl.client.auth=required
ssl.truststore.type=PEM
ssl.truststore.certificates={5}
log.dirs={2}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=1048577
log.cleaner.backoff.ms=200
auto.create.topics.enable=false
message.max.bytes=4000000
)",
                     port, controller_port, folder, sasl_port, tls_port,
                     one_line(folder + "/certificate.pem"), one_line(folder + "/key.pem"),
                     mutual_port);
}

}  // namespace

Broker::Broker(const std::string& version)
    : version_(version),
      jars_(fmt::format("{}/jars-{}", FRESHET_KAFKA_FOLDER, version)),
      port_(free_port()),
      controller_port_(free_port()),
      sasl_port_(free_port()),
      tls_port_(free_port()),
      mutual_port_(free_port()) {
  if (std::system("command -v java >/dev/null") != 0) fail("there is no java");
  if (std::system(fmt::format("{}/jars.sh {} {}", FRESHET_KAFKA_SOURCE, version, jars_).c_str())) {
    fail("its jars can't be had");
  }
  std::string pattern = (fs::temp_directory_path() / "freshet-kafka-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  write_certificate(certificate(), key(), "IP:127.0.0.1");
  std::ofstream(folder_ + "/server.properties")
      << server_properties(port_, controller_port_, sasl_port_, tls_port_, mutual_port_, folder_);
  const std::string format = fmt::format(
      "java -cp '{}/*' kafka.tools.StorageTool format -t {} -c {}/server.properties "
      "--add-scram 'SCRAM-SHA-256=[name=freshet,password=right]' >{}/format.log 2>&1",
      jars_, kClusterId, folder_, folder_);
  if (std::system(format.c_str()) != 0) fail("its storage can't be formatted");
  admin_ = new_client(address(), "");
  start();
}

Broker::~Broker() {
  if (process_ != 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  if (admin_ != nullptr) rd_kafka_destroy(admin_);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string Broker::address() const { return fmt::format("127.0.0.1:{}", port_); }

std::string Broker::sasl_address() const { return fmt::format("127.0.0.1:{}", sasl_port_); }
std::string Broker::tls_address() const { return fmt::format("127.0.0.1:{}", tls_port_); }
std::string Broker::mutual_address() const { return fmt::format("127.0.0.1:{}", mutual_port_); }

void Broker::pause() { ::kill(process_, SIGSTOP); }
void Broker::resume() { ::kill(process_, SIGCONT); }

void Broker::launch() {
  const std::string jars = jars_ + "/*";
  const std::string properties = folder_ + "/server.properties";
  const std::string log = folder_ + "/broker.log";
  process_ = ::fork();
  if (process_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no broker behind
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execlp("java", "java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", jars.c_str(),
           "kafka.Kafka", properties.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

void Broker::start() {
  launch();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(2 * kPatience);
  while (std::chrono::steady_clock::now() < limit) {
    const rd_kafka_metadata_t* found = nullptr;
    if (rd_kafka_metadata(admin_, 1, nullptr, &found, 500) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const int brokers = found->broker_cnt;
      rd_kafka_metadata_destroy(found);
      if (brokers > 0) return;
    }
    if (::waitpid(process_, nullptr, WNOHANG) == process_) {
      process_ = 0;
      fail("the broker ended: see its log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  fail("the broker does not answer");
}

void Broker::stop() {
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
}

void Broker::create_topic(const std::string& name, int partitions,
                          const std::vector<std::pair<std::string, std::string>>& settings) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin_);
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, nullptr, 0);
  for (const auto& [setting, value] : settings) {
    rd_kafka_NewTopic_set_config(topic, setting.c_str(), value.c_str());
  }
  rd_kafka_CreateTopics(admin_, &topic, 1, nullptr, queue);
  rd_kafka_NewTopic_destroy(topic);
  await(queue, "create topic");
}

void Broker::delete_topic(const std::string& name) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin_);
  rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(name.c_str());
  rd_kafka_DeleteTopics(admin_, &topic, 1, nullptr, queue);
  rd_kafka_DeleteTopic_destroy(topic);
  await(queue, "delete topic");
}

void Broker::add_partitions(const std::string& topic, int partitions) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin_);
  std::array<char, 256> why{};
  rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(
      topic.c_str(), static_cast<std::size_t>(partitions), why.data(), why.size());
  rd_kafka_CreatePartitions(admin_, &more, 1, nullptr, queue);
  rd_kafka_NewPartitions_destroy(more);
  await(queue, "add partitions");
}

void Broker::delete_records(const std::string& topic, int partition, std::int64_t offset) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin_);
  rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(before, topic.c_str(), partition)->offset = offset;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(before);
  rd_kafka_topic_partition_list_destroy(before);
  rd_kafka_DeleteRecords(admin_, &request, 1, nullptr, queue);
  rd_kafka_DeleteRecords_destroy(request);
  await(queue, "delete records");
}

Producer::Producer(const std::string& address, const std::string& transactional_id)
    : client_(new_client(address, transactional_id, &failures_, true)) {
  if (!transactional_id.empty()) check(rd_kafka_init_transactions(client_, kPatience));
}

Producer::~Producer() { rd_kafka_destroy(client_); }

void Producer::give(const std::string& topic, const Produced& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.c_str(), -1, value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  void* value = record.tombstone ? nullptr : const_cast<char*>(record.value.data());
  const auto error = rd_kafka_producev(
      client_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
      RD_KAFKA_V_VALUE(value, record.tombstone ? 0 : record.value.size()),
      RD_KAFKA_V_KEY(record.key.empty() ? nullptr : record.key.data(), record.key.size()),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  rd_kafka_headers_destroy(headers);
  fail(rd_kafka_err2str(error));
}

void Producer::send(const std::string& topic, const std::vector<Produced>& records) {
  for (const Produced& record : records) give(topic, record);
  if (rd_kafka_flush(client_, kPatience) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("not acknowledged");
  if (failures_ > 0) fail(fmt::format("{} records were not delivered", failures_));
}

void Producer::transact(const std::string& topic, const std::vector<Produced>& records,
                        bool committed) {
  for (;;) {
    begin();
    for (const Produced& record : records) give(topic, record);
    if (!committed) rd_kafka_flush(client_, kPatience);  // so that there is something to abort
    rd_kafka_error_t* error = nullptr;
    if (committed) {
      error = insist([this] { return rd_kafka_commit_transaction(client_, kPatience); });
    }
    if (error != nullptr && !rd_kafka_error_txn_requires_abort(error)) check(error);
    if (committed && error == nullptr) return;
    if (error != nullptr) rd_kafka_error_destroy(error);
    abort();
    if (!committed) return;
  }
}

void Producer::begin() { check(rd_kafka_begin_transaction(client_)); }
void Producer::commit() { check(rd_kafka_commit_transaction(client_, kPatience)); }
void Producer::abort() {
  check(insist([this] { return rd_kafka_abort_transaction(client_, kPatience); }));
}

int produce_by_kcat(const std::string& address, const std::string& topic, int partition,
                    const std::string& lines) {
  std::string pattern = (fs::temp_directory_path() / "freshet-lines-XXXXXX").string();
  ::close(::mkstemp(pattern.data()));
  std::ofstream(pattern) << lines;
  const int status =
      std::system(fmt::format("kcat -q -E -b {} -X enable.idempotence=true -t {} -p {} -P -l {}",
                              address, topic, partition, pattern)
                      .c_str());
  fs::remove(pattern);
  return status;
}

}  // namespace freshet
