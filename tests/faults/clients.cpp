#include "faults/clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

// A body of questions is one JSON document.
constexpr std::size_t kMostQuestions = 100;

/// The outcome of each line of an answer to an append, or to questions; none if the answer broke
/// off.
std::vector<std::string> outcomes(const Reply& reply) {
  std::vector<std::string> all;
  const nlohmann::json answer = nlohmann::json::parse(reply.body, nullptr, false);
  if (answer.is_discarded()) return all;
  if (answer.contains("lines")) {
    for (const auto& line : answer.at("lines")) all.push_back(line.at("outcome"));
  } else {
    for (const auto& each : answer.at("predictions")) {
      all.push_back(each.at("recorded").at("outcome"));
    }
  }
  return all;
}

}  // namespace

Clients::Clients(std::function<std::string(std::size_t)> event, std::size_t events,
                 std::size_t batch, std::size_t threads)
    : event_(std::move(event)), events_(events), batch_(batch), thread_count_(threads) {}

Clients::Clients(const std::vector<std::string>& lines, std::size_t batch)
    : Clients([&lines](std::size_t i) { return lines[i]; }, lines.size(), batch) {}

std::string Clients::lines(std::size_t begin, std::size_t end) const {
  std::string body;
  for (std::size_t i = begin; i < end; ++i) body += event_(i) + "\n";
  return body;
}

std::string Clients::question(std::size_t begin, std::size_t end) const {
  std::string body = R"({"durable": true, "events": [)";
  for (std::size_t i = begin; i < end; ++i) body += (i == begin ? "" : ",") + event_(i);
  return body + "]}";
}

void Clients::call(const ServedProgram& served) {
  over_ = false;
  for (std::size_t i = 0; i < thread_count_; ++i) {
    threads_.emplace_back([this, &served] { send_all(served); });
  }
}

void Clients::hang_up() {
  over_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Clients::done() const { return acknowledged_count_ >= events_; }

bool Clients::done_within(int milliseconds) const {
  const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
  while (!done() && Clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return done();
}

std::vector<std::string> Clients::acknowledged() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const std::size_t first : acknowledged_) {
    for (std::size_t i = first; i < std::min(first + batch_, events_); ++i) {
      if (!late_.contains(i)) ids.push_back(fmt::format("e{}", i));
    }
  }
  return ids;
}

std::size_t Clients::late() const {
  const std::lock_guard lock(mutex_);
  return late_.size();
}

void Clients::send_all(const ServedProgram& served) {
  while (!over_) {
    std::size_t first = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!again_.empty()) {
        first = again_.front();
        again_.pop_front();
      } else {
        first = next_;
        next_ = std::min(next_ + batch_, events_);
      }
      if (first >= events_) return;
    }
    if (send(served, first)) continue;
    const std::lock_guard lock(mutex_);
    again_.push_front(first);
  }
}

bool Clients::send(const ServedProgram& served, std::size_t first) {
  const std::size_t end = std::min(first + batch_, events_);
  const bool asks = batch_ <= kMostQuestions && first / batch_ % 3 == 0;
  Reply reply;
  if (asks) reply = served.post(kPipeline + "/predict", question(first, end));
  if (!asks || reply.status == 503) {  // no champion yet
    reply = served.post(kPipeline + "/events", lines(first, end));
  }
  if (reply.headers.contains("retry-after")) {
    ++sent_away_;
    std::this_thread::sleep_for(std::chrono::seconds(std::stoi(reply.headers["retry-after"])));
  }
  const std::vector<std::string> all =
      reply.status == 200 ? outcomes(reply) : std::vector<std::string>();
  if (all.size() != end - first) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return false;
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == "late") {
      late_.insert(first + i);
    } else if (all[i] != "accepted" && all[i] != "duplicate") {
      ++refused_;
    }
  }
  acknowledged_.push_back(first);
  acknowledged_count_ += end - first;
  return true;
}

}  // namespace freshet
