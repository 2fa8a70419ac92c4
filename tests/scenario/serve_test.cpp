// What programs see of a running service.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "scenario/service.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 9000;

class Serve : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = scratch_.write("config.json", served_config());
    workspace_ = scratch_.path("w");
    events_ = served_events(kEvents);
  }

  ServedProgram start() const { return ServedProgram(config_ + " -w " + workspace_); }

  Reply append(const ServedProgram& served, std::size_t begin, std::size_t end) const {
    return served.post(kPipeline + "/events", joined(events_, begin, end));
  }

  std::string replayed(const std::string& config) const {
    const std::string fresh = scratch_.path("replayed");
    const Outcome outcome =
        freshet_program("run " + config + " -w " + fresh + " --from-log " + workspace_);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return fresh;
  }

  std::set<std::string> logged_ids() const {
    std::set<std::string> ids;
    const Outcome tail = freshet_program("events tail --json -n 1000000 -w " + workspace_);
    std::istringstream in(tail.out);
    for (std::string line; std::getline(in, line);) {
      const bool is_new = ids.insert(json::parse(line).at("id")).second;
      EXPECT_TRUE(is_new) << "logged twice: " << line;
    }
    return ids;
  }

  ScratchFolder scratch_;
  std::string config_;
  std::string workspace_;
  std::vector<std::string> events_;
};

TEST_F(Serve, AppendsAreAnsweredLineByLineOnceTheyAreDurable) {
  ServedProgram served = start();
  const std::string lines = events_[0] + "\n\nno json\n" + events_[1] + "\n" + events_[0] + "\n" +
                            R"({"id":"far","at":"2031-01-01T00:00:00Z"})" + "\n";
  const json answer = served.post(kPipeline + "/events", lines).json();
  EXPECT_EQ(answer.at("accepted"), 2);
  EXPECT_EQ(answer.at("duplicates"), 1);
  EXPECT_EQ(answer.at("dead_letters"), 2);
  ASSERT_EQ(answer.at("lines").size(), 5U);
  EXPECT_EQ(answer["lines"][1].at("line"), 3);
  EXPECT_EQ(answer["lines"][1].at("outcome"), "dead_letter");
  EXPECT_THAT(answer["lines"][1].at("reason").get<std::string>(), HasSubstr("JSON"));
  EXPECT_EQ(answer["lines"][3].at("outcome"), "duplicate");
  served.kill();
  EXPECT_EQ(logged_ids(), (std::set<std::string>{"e0", "e1"}));
}

TEST_F(Serve, PredictionsAreRefusedBeforeTheFirstChampion) {
  const ServedProgram served = start();
  const Reply reply = served.post(kPipeline + "/predict", events_[0]);
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("2000 more labeled rows"));
}

TEST_F(Serve, PredictionsAreJoinedScoredAndReplayedAsTheyWereAnswered) {
  ServedProgram served = start();
  ASSERT_EQ(append(served, 0, 4000).status, 200);
  ASSERT_FALSE(settled(served, 4000).at("champion").is_null());
  for (std::size_t i = 4000; i < 4300; ++i) {
    const bool durable = i % 50 == 0;
    const Reply reply = served.post(
        kPipeline + "/predict",
        fmt::format(R"({{"event": {}, "durable": {}}})", events_[i], durable ? "true" : "false"));
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_THAT(reply.json().at("revision").get<std::string>(), HasSubstr("@"));
    EXPECT_GT(reply.json().at("answer"), 0.0);
    if (durable) {
      EXPECT_EQ(reply.json().at("recorded").at("outcome"), "accepted");
    }
  }
  ASSERT_EQ(append(served, 4300, kEvents).status, 200);
  const json state = settled(served, kEvents);
  EXPECT_EQ(state.at("position"), kEvents);
  EXPECT_GT(state.at("live").at("rows"), 4000);
  const Outcome end = served.stop();
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(logged_ids().size(), kEvents);
  EXPECT_EQ(fingerprint_of(replayed(config_)), fingerprint_of(workspace_));
}

TEST_F(Serve, ABatchIsAnsweredWithoutBeingRecordedWhereThatIsAsked) {
  const ServedProgram served = start();
  ASSERT_EQ(append(served, 0, 4000).status, 200);
  settled(served, 4000);
  const Reply reply =
      served.post(kPipeline + "/predict",
                  "{\"record\": false, \"events\": [" + events_[4000] + "," + events_[4001] + "]}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json().at("predictions").size(), 2U);
  EXPECT_EQ(append(served, 4000, 4002).json().at("accepted"), 2);
}

TEST_F(Serve, WhatWasAcknowledgedSurvivesAKillAndNothingIsThereTwice) {
  std::set<std::string> acknowledged;
  std::mutex mutex;
  {
    ServedProgram served = start();
    ASSERT_EQ(append(served, 0, 4000).status, 200);
    settled(served, 4000);
    std::atomic<std::size_t> next = 4000;
    std::atomic<bool> over = false;
    std::vector<std::thread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&, asks = client % 2 == 0] {
        while (!over) {
          const std::size_t begin = next.fetch_add(10);
          if (begin + 10 > kEvents) return;
          for (std::size_t i = begin; asks && i < begin + 10; ++i) {
            const Reply reply = served.post(kPipeline + "/predict",
                                            "{\"durable\": true, \"event\":" + events_[i] + "}");
            if (reply.status != 200) continue;
            const std::lock_guard lock(mutex);
            acknowledged.insert(fmt::format("e{}", i));
          }
          if (asks || append(served, begin, begin + 10).status != 200) continue;
          const std::lock_guard lock(mutex);
          for (std::size_t i = begin; i < begin + 10; ++i)
            acknowledged.insert(fmt::format("e{}", i));
        }
      });
    }
    const auto count = [&] {
      const std::lock_guard lock(mutex);
      return acknowledged.size();
    };
    for (int tries = 0; tries < 1000 && count() < 100; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    served.kill();
    over = true;
    for (std::thread& client : clients) client.join();
  }
  ASSERT_GT(acknowledged.size(), 20U);
  ServedProgram again = start();
  ASSERT_EQ(append(again, 0, kEvents).status, 200);
  settled(again, kEvents);
  EXPECT_EQ(again.stop().code, 0);
  const std::set<std::string> ids = logged_ids();
  for (const std::string& id : acknowledged) EXPECT_TRUE(ids.contains(id)) << id;
  EXPECT_EQ(fingerprint_of(replayed(config_)), fingerprint_of(workspace_));
}

TEST_F(Serve, RollbackAndPromoteNeedTheChampionThatWasSeen) {
  const ServedProgram served = start();
  ASSERT_EQ(append(served, 0, kEvents).status, 200);
  const json state = settled(served, kEvents);
  ASSERT_FALSE(state.at("previous").is_null()) << "the stream holds no promotion";
  const std::string etag = served.get(kPipeline).headers.at("etag");
  const std::string body = R"({"reason": "worse on Tuesdays"})";
  EXPECT_EQ(served.post(kPipeline + "/rollback", body).status, 428);
  EXPECT_EQ(served.post(kPipeline + "/rollback", body, {{"If-Match", "\"77\""}}).status, 409);
  EXPECT_EQ(served.post(kPipeline + "/rollback", "{}", {{"If-Match", etag}}).status, 400);
  const Reply done = served.post(kPipeline + "/rollback", body, {{"If-Match", etag}});
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.json().at("kind"), "rolled_back");
  EXPECT_EQ(done.json().at("reason"), "worse on Tuesdays");
  const json after = served.get(kPipeline).json();
  EXPECT_EQ(after.at("champion").at("version"), state.at("previous").at("version"));
  EXPECT_EQ(after.at("status"), "paused");
  const json answer =
      served.post(kPipeline + "/predict", R"({"record": false, "event": )" + events_[0] + "}")
          .json();
  EXPECT_EQ(answer.at("revision"), after.at("champion").at("revision"));
  EXPECT_EQ(served.post(kPipeline + "/rollback", body, {{"If-Match", etag}}).status, 409);
  EXPECT_EQ(served.post(kPipeline + "/resume", body).status, 200);
  EXPECT_EQ(served
                .post(kPipeline + "/promote", R"({"version": 99, "reason": "no such one"})",
                      {{"If-Match", served.get(kPipeline).headers.at("etag")}})
                .status,
            404);
}

TEST_F(Serve, AHugeUnknownKeyInAPolicyIsAProblemLikeAnyOther) {
  const ServedProgram served = start();
  const std::string text = "{\"" + std::string(200'000, 'x') + "\": 1}";
  const Reply reply = served.post(kPipeline + "/policy/check", json{{"text", text}}.dump());
  EXPECT_EQ(reply.status, 200) << reply.body.substr(0, 200);
  EXPECT_EQ(served.get("/livez").status, 200);
}

TEST_F(Serve, BadLinesEndNoFeed) {
  const std::string file = scratch_.write("in.jsonl", joined(events_, 0, 3000));
  const ServedProgram served(config_ + " -w " + workspace_ + " --input " + file + " --speed 2000");
  std::string bad;
  for (int i = 0; i < 1000; ++i) bad += "{bad\n";
  EXPECT_EQ(served.post(kPipeline + "/events", bad).json().at("dead_letters"), 1000);
  EXPECT_EQ(settled(served, 3000).at("position"), 3000);
  EXPECT_EQ(served.post(kPipeline + "/events", std::string(30'000, '\n') + "{}").status, 413);
}

TEST_F(Serve, APolicyIsCheckedSavedAndInForceWithoutARestart) {
  ServedProgram served = start();
  ASSERT_EQ(append(served, 0, 4000).status, 200);
  settled(served, 4000);
  const Reply policy = served.get(kPipeline + "/policy");
  json config = json::parse(policy.json().at("text").get<std::string>());
  config["promote"]["alpha"] = 0.01;
  const auto body = [](const json& text) {
    return json{{"text", text.dump(2)}, {"reason", "fewer mistakes"}}.dump();
  };
  const json checked =
      served.post(kPipeline + "/policy/check", json{{"text", config.dump()}}.dump()).json();
  ASSERT_EQ(checked.at("differences").size(), 1U);
  EXPECT_EQ(checked["differences"][0].at("path"), "promote.alpha");
  EXPECT_EQ(
      served.request("PUT", kPipeline + "/policy", body(config), {{"If-Match", "\"x\""}}).status,
      412);
  json wrong = config;
  wrong["promote"]["alhpa"] = 0.01;
  const Reply refused = served.request("PUT", kPipeline + "/policy", body(wrong),
                                       {{"If-Match", policy.headers.at("etag")}});
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.json().at("problems")[0].at("message").get<std::string>(),
              HasSubstr("alpha"));
  EXPECT_GT(refused.json().at("problems")[0].at("line"), 1);
  const Reply saved = served.request("PUT", kPipeline + "/policy", body(config),
                                     {{"If-Match", policy.headers.at("etag")}});
  ASSERT_EQ(saved.status, 200) << saved.body;
  EXPECT_EQ(saved.json().at("kind"), "policy");
  ASSERT_EQ(append(served, 4000, kEvents).status, 200);
  EXPECT_EQ(settled(served, kEvents).at("position"), kEvents);
  EXPECT_EQ(served.stop().code, 0);
  const json recorded = json::parse(freshet_program("pipeline show -w " + workspace_).out);
  EXPECT_EQ(recorded.at("promote").at("alpha"), 0.01);
}

TEST_F(Serve, EveryRouteLetsInOnlyWhoMayComeIn) {
  const ServedProgram served = start();
  const Outcome made = freshet_program("token add looker --role view --json -w " + workspace_);
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string viewer = "Bearer " + made.json().at("token").get<std::string>();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const json paths = served.get("/openapi.json").json().at("paths");
  std::size_t guarded = 0;
  for (const auto& [pattern, operations] : paths.items()) {
    std::string path = pattern;
    for (std::size_t at = 0; (at = path.find('{')) != std::string::npos;) {
      path.replace(at, path.find('}') - at + 1,
                   path.substr(at, 9) == "{pipeline" ? "turning" : "1");
    }
    for (const auto& [name, operation] : operations.items()) {
      SCOPED_TRACE(name + " " + path);
      const std::string method = name == "get" ? "GET" : name == "put" ? "PUT" : "POST";
      const std::string body = method == "GET" ? "" : "{}";
      const auto status = [&](const Headers& headers) {
        return served.request(method, path, body, headers).status;
      };
      EXPECT_EQ(status({{"Host", "evil.example"}}), 421);
      EXPECT_EQ(status({{"Origin", "http://evil.example"}}), 403);
      if (operation.at("x-role") == "none") continue;
      ++guarded;
      EXPECT_EQ(status({{"Authorization", ""}}), 401);
      const int bad = status({{"Authorization", "Bearer 0123456789abcdef0123456789abcdef"}});
      EXPECT_TRUE(bad == 401 || bad == 429) << bad;
      if (operation.at("x-role") == "operate") {
        EXPECT_EQ(status({{"Authorization", viewer}}), 403);
      }
    }
  }
  EXPECT_GT(guarded, 20U);
}

TEST_F(Serve, WrongBodiesGetTheirProblem) {
  const ServedProgram served = start();
  const auto status = [&](const std::string& path, const std::string& body,
                          const Headers& headers = {}) {
    const Reply reply = served.post(kPipeline + path, body, headers);
    EXPECT_THAT(reply.headers.at("content-type"), HasSubstr("problem+json")) << path << body;
    return reply.status;
  };
  EXPECT_EQ(status("/predict", "{"), 400);
  EXPECT_EQ(status("/predict", "{\"x\":1,\"x\":2}"), 400);
  EXPECT_EQ(status("/predict", std::string(100'000, '[')), 400);
  EXPECT_EQ(status("/predict", "{\"x\":\"\xff\"}"), 400);
  EXPECT_EQ(status("/predict", "{}", {{"Content-Type", "text/html"}}), 415);
  EXPECT_EQ(status("/events", " \n "), 400);
  EXPECT_EQ(status("/labels", "{}"), 409);
  EXPECT_EQ(status("/promote", R"({"version": "1", "reason": "x"})"), 400);
  EXPECT_EQ(status("/pause", R"({"raeson": "x"})"), 400);
  EXPECT_EQ(served.get("/api/v1/pipelines/nothere").status, 404);
  EXPECT_EQ(served.get(kPipeline + "/decisions?at=yesterday").status, 400);
  EXPECT_EQ(served.get(kPipeline + "/versions?limit=0").status, 400);
}

}  // namespace
}  // namespace freshet
