#include "scenario/service.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "stream/event_time.h"
#include "tests/support/loopback.h"

namespace freshet {

namespace {

std::string send_and_receive(int port, const std::string& bytes) {
  const int socket = connect_to_loopback(port);
  if (socket < 0) return "";
  const timeval patience{60, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  send_all(socket, bytes);
  std::string answer;
  char chunk[65536];
  while (true) {
    const ssize_t got = ::recv(socket, chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;  // by the end of a child that another thread awaits
    if (got <= 0) break;
    answer.append(chunk, static_cast<std::size_t>(got));
  }
  ::close(socket);
  return answer;
}

Reply parse_reply(const std::string& answer) {
  Reply reply;
  const std::size_t end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 ") || end == std::string::npos) return reply;
  reply.status = std::stoi(answer.substr(9, 3));
  reply.body = answer.substr(end + 4);
  std::istringstream head(answer.substr(0, end));
  std::string line;
  std::getline(head, line);
  while (std::getline(head, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    std::string value = line.substr(colon + 2);
    while (!value.empty() && value.back() == '\r') value.pop_back();
    reply.headers[name] = value;
  }
  return reply;
}

}  // namespace

ServedProgram::ServedProgram(const std::string& arguments, const std::string& prefix)
    : program_("serve --listen 127.0.0.1:0 " + arguments, prefix) {
  for (int tries = 0; tries < 2000; ++tries) {
    const std::string out = program_.output();
    const std::size_t open = out.find("open ");
    if (open != std::string::npos && out.back() == '\n') {
      link_ = out.substr(open + 5, out.size() - open - 6);
      token_ = link_.substr(link_.find("token=") + 6);
      port_ = std::stoi(link_.substr(link_.find(':', 6) + 1));
      return;
    }
    if (program_.ends_within(10)) break;
  }
  throw std::runtime_error("freshet serve does not listen: " + program_.end().err);
}

Reply ServedProgram::request(const std::string& method, const std::string& path,
                             const std::string& body, const Headers& headers) const {
  Headers all{{"Host", fmt::format("127.0.0.1:{}", port_)},
              {"Authorization", "Bearer " + token_},
              {"Content-Type", "application/json"}};
  for (const auto& [name, value] : headers) all[name] = value;
  std::string bytes = method + " " + path + " HTTP/1.1\r\n";
  for (const auto& [name, value] : all) {
    if (!value.empty()) bytes += name + ": " + value + "\r\n";
  }
  if (!body.empty() || method != "GET") bytes += fmt::format("Content-Length: {}\r\n", body.size());
  return parse_reply(send_and_receive(port_, bytes + "Connection: close\r\n\r\n" + body));
}

Outcome ServedProgram::stop() {
  program_.signal(SIGINT);
  return program_.end();
}

void ServedProgram::kill() {
  program_.signal(SIGKILL);
  program_.end();
}

std::string served_config() {
  nlohmann::json config = nlohmann::json::parse(turning_config());
  config["stream"]["event"]["id"] = "id";
  config["stream"]["event"]["time"] = "at";
  config["stream"]["out_of_orderness"] = "1h";
  config["stream"]["allowed_lateness"] = "2d";
  config["stream"]["dedup_within"] = "30d";
  return config.dump(2);
}

std::vector<std::string> served_events(std::size_t events) {
  const Millis start = *parse_time("2024-01-01T00:00:00Z");
  std::vector<std::string> lines;
  for (const std::string& line : turning_jsonl(events)) {
    nlohmann::json event = nlohmann::json::parse(line);
    event["id"] = fmt::format("e{}", lines.size());
    event["at"] = format_time(start + static_cast<Millis>(lines.size()) * 30'000);
    lines.push_back(event.dump());
  }
  return lines;
}

void wait_until_ready(const ServedProgram& served) {
  int status = 0;
  for (int tries = 0; tries < 500 && status != 200; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    status = served.get("/readyz").status;
  }
  EXPECT_EQ(status, 200);
}

nlohmann::json settled(const ServedProgram& served, std::size_t position) {
  nlohmann::json state;
  for (int tries = 0; tries < 500; ++tries) {
    state = served.get(kPipeline).json();
    if (state.at("position") >= position) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GE(state.at("position"), position);
  return state;
}

}  // namespace freshet
