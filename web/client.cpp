#include "web/client.h"

#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "orchestrator/registry_json.h"
#include "orchestrator/run.h"
#include "orchestrator/terminal.h"
#include "orchestrator/workspace.h"
#include "stream/error.h"
#include "web/token_store.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::chrono::seconds kToConnect{10};
constexpr std::chrono::minutes kToAnswer{10};  // a command waits for the segment under way
constexpr std::chrono::seconds kToSayWhat{5};
constexpr int kMostTries = 60;  // a second apart

std::string token_of(const std::string& workspace) {
  if (const char* token = std::getenv("FRESHET_TOKEN")) return token;
  return TokenStore(workspace).first(false).value_or("");
}

ErrorKind kind_of(int status) {
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 422:
      return ErrorKind::invalid;
    case 404:
      return ErrorKind::not_found;
    case 409:
    case 412:
    case 428:
      return ErrorKind::conflict;
    default:
      return ErrorKind::unavailable;
  }
}

/// While one answer is waited for: after a few seconds says for what.
class Waiting {
 public:
  explicit Waiting(const std::string& url) {
    answer_awaited = true;
    thread_ = std::jthread([this, url](const std::stop_token& stop) {
      std::unique_lock lock(mutex_);
      if (told_.wait_for(lock, stop, kToSayWhat, [] { return false; }) || stop.stop_requested()) {
        return;
      }
      say("waiting for {}, which runs this workspace (Ctrl-C leaves it to do what was asked)\n",
          url);
    });
  }
  ~Waiting() {
    answer_awaited = false;
    ::alarm(0);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any told_;
  std::jthread thread_;  // last: stops before what it uses goes
};

class HttpOwner : public Owner {
 public:
  HttpOwner(std::string url, const std::string& token, const std::string& certificate)
      : url_(std::move(url)), http_(url_), headers_{{"Authorization", "Bearer " + token}} {
    http_.set_connection_timeout(kToConnect);
    http_.set_read_timeout(kToAnswer);
    http_.set_write_timeout(kToAnswer);
    if (certificate.empty()) return;
    if (!std::filesystem::exists(certificate)) {
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: there is no such certificate (--ca, FRESHET_CA)", certificate));
    }
    http_.set_ca_cert_path(certificate);
  }

  std::vector<Decision> command(const std::string& pipeline, const CommandRecord& record) override {
    const std::string path = "/api/v1/pipelines/" + pipeline;
    const json arguments = json::parse(record.arguments);
    json body{{"reason", record.reason}};
    httplib::Headers headers = headers_;
    if (record.kind == "promote" || record.kind == "approve" || record.kind == "rollback") {
      const auto version = arguments.at("version").get<std::uint64_t>();
      if (record.kind != "rollback") {
        body["version"] = version;
      } else if (arguments.contains("row")) {
        body["to"] = fmt::format("{}@{}", version, arguments.at("row").get<std::uint64_t>());
      } else if (version != 0) {
        body["to"] = version;
      }
      headers.emplace("If-Match", get(path).second);
    }
    return decisions_of(post(path + "/" + record.kind, body.dump(), "application/json", headers));
  }

  std::vector<Decision> apply(const std::string& pipeline, const std::string& config,
                              const std::string& reason) override {
    const std::string path = "/api/v1/pipelines/" + pipeline + "/policy";
    httplib::Headers headers = headers_;
    headers.emplace("If-Match", get(path).second);
    const std::string body = json{{"text", config}, {"reason", reason}}.dump();
    return decisions_of(json::parse(
        answered([&] { return http_.Put(path, headers, body, "application/json"); })->body));
  }

  Erased erase(const std::string& pipeline, const EraseRequest& request) override {
    json body{{"key", request.key}, {"dry_run", request.dry_run}};
    if (!request.reason.empty()) body["reason"] = request.reason;
    return erased_of(post("/api/v1/pipelines/" + pipeline + "/erase", body.dump(),
                          "application/json", headers_));
  }

  void append(const std::string& pipeline, const std::string& lines) override {
    post("/api/v1/pipelines/" + pipeline + "/events", lines, "application/x-ndjson", headers_);
  }

  std::vector<json> predict(const std::string& pipeline, const std::vector<std::string>& events,
                            bool record, bool durable) override {
    std::string body = "{\"events\":[";
    for (const std::string& event : events) body += (body.back() == '[' ? "" : ",") + event;
    body += fmt::format("],\"record\":{},\"durable\":{}}}", record, durable);
    const json answer =
        post("/api/v1/pipelines/" + pipeline + "/predict", body, "application/json", headers_);
    return answer.at("predictions").get<std::vector<json>>();
  }

 private:
  static std::vector<Decision> decisions_of(const json& answer) {
    std::vector<Decision> decisions;
    for (const json& one : answer.value("decisions", json::array())) {
      decisions.push_back(decision_of(one));
    }
    return decisions;
  }

  /// The answer and its ETag.
  std::pair<json, std::string> get(const std::string& path) {
    const httplib::Result result = answered([&] { return http_.Get(path, headers_); });
    return {json::parse(result->body), result->get_header_value("ETag")};
  }

  json post(const std::string& path, const std::string& body, const char* type,
            const httplib::Headers& headers) {
    return json::parse(answered([&] { return http_.Post(path, headers, body, type); })->body);
  }

  /// Asks until there is room for it (429); what is no success is thrown.
  template <class Ask>
  httplib::Result answered(const Ask& ask) {
    for (int tries = 1;; ++tries) {
      httplib::Result result = [&] {
        const Waiting waiting(url_);
        return ask();
      }();
      if (!result) throw unreachable(result.error());
      if (result->status / 100 == 2) return result;
      if (result->status != 429 || tries == kMostTries || stop_requested) {
        throw refused(result->status, result->body);
      }
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  Error refused(int status, const std::string& body) const {
    const json problem = json::parse(body, nullptr, false);
    const bool told = problem.is_object() && problem.contains("detail");
    std::string detail = told ? problem.at("detail").get<std::string>()
                              : fmt::format("{} answered with status {}", url_, status);
    if (status == 401 || status == 403) {
      detail += fmt::format(
          " ({} was asked with the token of FRESHET_TOKEN, or else of the workspace)", url_);
    }
    return {kind_of(status), detail};
  }

  Error unreachable(httplib::Error error) const {
    // Newer versions have an error of its own for the name, which older headers do not know.
    if (error == httplib::Error::SSLServerVerification ||
        error == httplib::Error::SSLLoadingCerts ||
        httplib::to_string(error) == "SSL server hostname verification failed") {
      return {ErrorKind::unavailable,
              fmt::format("{}: the server's certificate is not trusted, or names another address; "
                          "--ca FILE or FRESHET_CA says which one to trust",
                          url_)};
    }
    return {ErrorKind::unavailable,
            fmt::format("{}, which runs this workspace, can't be reached: {}", url_,
                        httplib::to_string(error))};
  }

  const std::string url_;
  httplib::Client http_;
  const httplib::Headers headers_;
};

}  // namespace

std::unique_ptr<Owner> find_http_owner(const OwnerAddress& address) {
  const auto url = Workspace::owner_url(address.workspace);
  if (!url) return nullptr;
  return std::make_unique<HttpOwner>(*url, token_of(address.workspace), address.certificate);
}

}  // namespace freshet
