// Champions with different features behind one service.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "scenario/service.h"
#include "stream/row_store.h"

namespace freshet {
namespace {

using nlohmann::json;

constexpr std::size_t kBefore = 4000;
constexpr std::size_t kEvents = 5000;

std::string own_config() {
  json config = json::parse(served_config());
  config["features"] = {{{"name", "x"}}, {{"name", "kind"}}};
  config["learners"][1]["features"] = {{{"name", "x"}}, {{"name", "y"}}, {{"name", "kind"}}};
  config["retrain"]["when"]["any"] = {{{"rows", 100000}}};
  return config.dump();
}

class OwnFeaturesServed : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = scratch_.write("config.json", own_config());
    workspace_ = scratch_.path("w");
    events_ = served_events(kEvents);
  }

  ServedProgram start() const { return ServedProgram(config_ + " -w " + workspace_); }

  static void promote(const ServedProgram& served, int version) {
    const std::string etag = served.get(kPipeline).headers.at("etag");
    const Reply reply = served.post(
        kPipeline + "/promote", fmt::format(R"({{"version": {}, "reason": "to see"}})", version),
        {{"If-Match", etag}});
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  /// The answers to the first 50 events, asked of a service, and what the stored champion says.
  json asked(const ServedProgram& served) const {
    json all = json::array();
    for (std::size_t i = 0; i < 50; ++i) {
      const json reply =
          served.post(kPipeline + "/predict", R"({"record": false, "event": )" + events_[i] + "}")
              .json();
      all.push_back({reply.at("revision"), reply.at("answer")});
    }
    return all;
  }
  json stored() const {
    const Outcome outcome =
        freshet_program("predict --json -w " + workspace_, "", joined(events_, 0, 50));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    json all = json::array();
    std::istringstream in(outcome.out);
    for (std::string line; std::getline(in, line);) {
      const json answer = json::parse(line);
      all.push_back({answer.at("revision"), answer.at("answer")});
    }
    return all;
  }
  /// All vectors of a workspace, by feature set.
  static std::map<std::string, std::vector<float>> vectors(const std::string& workspace) {
    const auto store = RowStore::open_reader(workspace + "/pipelines/turning/rows.db");
    std::map<std::string, std::vector<float>> all;
    for (std::size_t i = 0; i < store->columns().size(); ++i) {
      std::vector<float>& column = all[store->columns()[i].identity];
      column.resize(store->questions() * store->columns()[i].width);
      store->read_vectors(i, 0, store->questions(), column.data());
    }
    return all;
  }

  ScratchFolder scratch_;
  std::string config_;
  std::string workspace_;
  std::vector<std::string> events_;
};

TEST_F(OwnFeaturesServed, EachChampionAnswersFromItsOwnAndAQuestionHasEverySetsVector) {
  for (const int champion : {2, 1}) {
    ServedProgram served = start();
    served.post(kPipeline + "/events", joined(events_, 0, kBefore));
    const json state = settled(served, kBefore);
    if (state.at("champion").at("version") != champion) promote(served, champion);
    const std::size_t first = champion == 2 ? kBefore : kBefore + 300;
    for (std::size_t i = first; i < first + 300; ++i) {
      const Reply reply = served.post(kPipeline + "/predict", events_[i]);
      ASSERT_EQ(reply.status, 200) << reply.body;
      ASSERT_EQ(reply.json().at("revision").get<std::string>().front(), '0' + champion);
    }
    settled(served, first + 300);
    const json answers = asked(served);
    EXPECT_EQ(served.stop().code, 0);
    EXPECT_EQ(answers, stored());
  }
  // The log is replayed with its commands; and the same events, never asked over HTTP, have the
  // same vectors.
  const std::string replayed = scratch_.path("replayed");
  ASSERT_EQ(freshet_program("run -w " + replayed + " --from-log " + workspace_).code, 0);
  EXPECT_EQ(fingerprint_of(replayed), fingerprint_of(workspace_));
  const std::string events = scratch_.write("e.jsonl", joined(events_, 0, kBefore + 600));
  const std::string plain = scratch_.path("plain");
  ASSERT_EQ(freshet_program("run " + config_ + " -w " + plain + " -i " + events).code, 0);
  const auto all = vectors(workspace_);
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(all, vectors(plain));
}

TEST_F(OwnFeaturesServed, AChangeOfChampionChangesModelAndFeaturesAtOnce) {
  const ServedProgram served = start();
  served.post(kPipeline + "/events", joined(events_, 0, kBefore));
  const json state = settled(served, kBefore);
  int champion = state.at("champion").at("version");
  std::atomic<bool> over = false;
  std::map<std::string, std::set<double>> answers;
  std::thread client([&] {
    while (!over) {
      const Reply reply =
          served.post(kPipeline + "/predict", R"({"record": false, "event": )" + events_[7] + "}");
      if (reply.status != 200) continue;
      answers[reply.json().at("revision")].insert(reply.json().at("answer").get<double>());
    }
  });
  for (int change = 0; change < 6; ++change) {
    champion = 3 - champion;
    promote(served, champion);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  over = true;
  client.join();
  EXPECT_GE(answers.size(), 2U);
  for (const auto& [revision, values] : answers) EXPECT_EQ(values.size(), 1U) << revision;
}

}  // namespace
}  // namespace freshet
