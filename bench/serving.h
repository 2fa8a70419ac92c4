#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace freshet {

/// A pipeline that is served, for benchmarks: two learners, eight fields, labels with the events.
/// `dedup_within`: how long ids are remembered; events are 10 ms apart.
std::string served_config(const std::string& dedup_within);

/// The i-th event of that pipeline, a JSON line without its end.
std::string event_line(std::uint64_t i, bool with_label);
std::string event_lines(std::uint64_t begin, std::uint64_t end);

/// `freshet serve` in a process of its own, over a workspace that stays; ended by pid when this
/// goes. Throws Error{unavailable} where it does not come up or does not answer.
class Serving {
 public:
  Serving(const std::string& folder, const std::string& config);
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  /// As if the machine had ended it.
  void kill();

  int connect() const;
  /// Sends a request; gives the socket to read the answer from.
  int send(const std::string& method, const std::string& path, const std::string& body) const;
  /// The body of the answer; throws unless its status is 200.
  std::string ask(const std::string& method, const std::string& path,
                  const std::string& body = "") const;

  nlohmann::json state() const { return nlohmann::json::parse(ask("GET", kPath)); }
  void append(const std::string& lines) const { ask("POST", kPath + "/events", lines); }

  /// Seconds of processor time so far.
  double cpu_seconds() const;

  inline static const std::string kPath = "/api/v1/pipelines/bench";

 private:
  std::string folder_;
  pid_t pid_ = 0;
  int port_ = 0;
  std::string token_;
};

}  // namespace freshet
