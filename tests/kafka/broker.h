#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

struct rd_kafka_s;

namespace freshet {

/// An Apache Kafka of the tests' own, in a folder that goes with it, on ports that were free.
class Broker {
 public:
  /// Fetches its jars if need be and starts it. Throws std::runtime_error where that can't be had.
  explicit Broker(const std::string& version);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  const std::string& version() const { return version_; }
  std::string address() const;
  /// Listeners for user "freshet" with password "right" (PLAIN, SCRAM-SHA-256), for TLS by
  /// `certificate()`, and for clients that show a certificate too: the same one.
  std::string sasl_address() const;
  std::string tls_address() const;
  std::string mutual_address() const;
  std::string certificate() const { return folder_ + "/certificate.pem"; }
  std::string key() const { return folder_ + "/key.pem"; }
  void stop();   ///< SIGTERM, and waits
  void start();  ///< and waits until it answers
  void pause();  ///< it keeps its connections and does not answer
  void resume();
  void create_topic(const std::string& name, int partitions,
                    const std::vector<std::pair<std::string, std::string>>& settings = {});
  void delete_topic(const std::string& name);
  void add_partitions(const std::string& topic, int partitions);
  /// Deletes the records of a partition below `offset`, as retention does.
  void delete_records(const std::string& topic, int partition, std::int64_t offset);

 private:
  void launch();

  const std::string version_;
  std::string folder_;
  std::string jars_;
  int port_ = 0;
  int controller_port_ = 0;
  int sasl_port_ = 0;
  int tls_port_ = 0;
  int mutual_port_ = 0;
  int process_ = 0;
  rd_kafka_s* admin_ = nullptr;
};

/// One record as a producer gives it.
struct Produced {
  int partition = 0;
  std::string value;
  bool tombstone = false;
  std::string key{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// Produces and waits until all are acknowledged; for transactions with `transactional_id`.
class Producer {
 public:
  explicit Producer(const std::string& address, const std::string& transactional_id = "");
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void send(const std::string& topic, const std::vector<Produced>& records);
  void begin();
  void commit();
  void abort();
  /// One transaction, committed or aborted; begun anew where the broker went away within it.
  void transact(const std::string& topic, const std::vector<Produced>& records, bool committed);

 private:
  void give(const std::string& topic, const Produced& record);

  int failures_ = 0;
  rd_kafka_s* client_;
};

/// Produces lines to one partition with kcat, a program that no one here wrote; 0 if that went
/// well.
int produce_by_kcat(const std::string& address, const std::string& topic, int partition,
                    const std::string& lines);

}  // namespace freshet
