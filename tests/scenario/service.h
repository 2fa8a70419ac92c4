#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "scenario/program.h"

namespace freshet {

struct Reply {
  int status = 0;                              ///< 0: no answer came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

using Headers = std::map<std::string, std::string>;

/// `freshet serve` at work beside the test, on a free port of 127.0.0.1. Killed if it still runs
/// when this goes. Requests may come from several threads.
class ServedProgram {
 public:
  /// `arguments` after "serve --listen 127.0.0.1:0"; returns once it listens.
  /// `prefix` as RunningProgram's.
  explicit ServedProgram(const std::string& arguments, const std::string& prefix = "");

  int port() const { return port_; }
  const std::string& token() const { return token_; }
  const std::string& link() const { return link_; }

  /// One request with the operator's token; `headers` may replace it, "" leaves one out.
  Reply request(const std::string& method, const std::string& path, const std::string& body = "",
                const Headers& headers = {}) const;
  Reply get(const std::string& path) const { return request("GET", path); }
  Reply post(const std::string& path, const std::string& body, const Headers& headers = {}) const {
    return request("POST", path, body, headers);
  }

  /// Stops it as Ctrl-C does.
  Outcome stop();
  void kill();
  int process() const { return program_.process(); }

 private:
  RunningProgram program_;
  int port_ = 0;
  std::string link_;
  std::string token_;
};

/// The turning stream as a service takes it: events with ids and times of their own; `i` numbers
/// them from 0.
std::string served_config();
std::vector<std::string> served_events(std::size_t events);
/// Where the API has its pipeline.
inline const std::string kPipeline = "/api/v1/pipelines/turning";
/// Waits until it takes events; a failure after 10 s.
void wait_until_ready(const ServedProgram& served);
/// How it stands once it has gone through the log records below `position`; a failure after 10 s.
nlohmann::json settled(const ServedProgram& served, std::size_t position);

}  // namespace freshet
