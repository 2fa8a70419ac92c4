// /metrics keeps to Prometheus' conventions, and its figures are the pipeline's.
#include "web/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "orchestrator/config.h"
#include "tests/web/served.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kConfig = R"({
  "pipeline": "bikes", "task": "binary",
  "stream": {
    "event": {"id": "id", "time": {"field": "ts"}, "fields": {"x": "number"}},
    "label": {"field": "label", "known": "with_event"}
  },
  "learners": [{"name": "linear", "network": {"kind": "linear"},
                "train": {"optimizer": "sgd", "learning_rate": 0.1, "batch": 32}}]
})";

/// A family as the text has it.
struct Exposed {
  std::string type;
  bool helped = false;
  std::map<std::string, double> samples;  ///< by name and labels
};

/// The faults of a text by the conventions, and what is in it.
class Exposition {
 public:
  explicit Exposition(const std::string& text) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) read(line);
    for (const auto& [name, family] : families) check(name, family);
  }

  std::map<std::string, Exposed> families;
  std::vector<std::string> faults;

 private:
  void read(const std::string& line) {
    static const std::regex comment("# (HELP|TYPE) ([a-z0-9_]+) (.+)");
    static const std::regex sample(R"(([a-z0-9_]+)(\{(.*)\})? (\S+))");
    std::smatch match;
    if (std::regex_match(line, match, comment)) {
      Exposed& family = families[match[2]];
      if (match[1] == "TYPE") {
        if (!family.type.empty()) faults.push_back(match[2].str() + " stands twice");
        family.type = match[3];
      } else {
        family.helped = true;
      }
    } else if (std::regex_match(line, match, sample)) {
      check_labels(line, match[3]);
      families[family_of(match[1])].samples[match[1].str() + match[2].str()] =
          std::stod(match[4].str());
    } else {
      faults.push_back("not understood: " + line);
    }
  }

  std::string family_of(const std::string& name) const {
    for (const char* ending : {"_bucket", "_count", "_sum"}) {
      if (!name.ends_with(ending)) continue;
      const std::string whole = name.substr(0, name.size() - std::string(ending).size());
      if (families.contains(whole)) return whole;
    }
    return name;
  }

  void check_labels(const std::string& line, const std::string& labels) {
    static const std::set<std::string> kKnown = {"pipeline", "answerer", "verdict", "method",
                                                 "kind",     "route",    "status",  "le"};
    static const std::regex label(R"re(([a-z]+)="([^"]*)",?)re");
    for (std::sregex_iterator at(labels.begin(), labels.end(), label), end; at != end; ++at) {
      const std::string name = (*at)[1];
      const std::string value = (*at)[2];
      if (!kKnown.contains(name)) faults.push_back("a label of its own: " + line);
      const bool may_count = name == "le" || name == "status" || name == "route";
      if (!may_count && value.find_first_of("0123456789") != std::string::npos) {
        faults.push_back("a number as label: " + line);
      }
    }
  }

  void check(const std::string& name, const Exposed& family) {
    if (!name.starts_with("freshet_")) faults.push_back(name + ": no prefix");
    if (!family.helped || family.type.empty()) faults.push_back(name + ": no HELP or TYPE");
    if ((family.type == "counter") != name.ends_with("_total")) faults.push_back(name + ": _total");
    static const std::regex unit("_(ms|milliseconds|minutes|hours|kb|mb|percent|us)(_|$)");
    if (std::regex_search(name, unit)) faults.push_back(name + ": no base unit");
    if (family.type == "histogram" && !name.ends_with("_seconds")) faults.push_back(name);
    for (const auto& [sample, value] : family.samples) {
      if (family.type == "counter" && value < 0) faults.push_back(sample + " is negative");
      const auto infinite = sample.find("le=\"+Inf\"");
      if (family.type != "histogram" || infinite == std::string::npos) continue;
      std::string count = sample;
      count.erase(infinite - 1, 10);
      count.replace(count.find("_bucket"), 7, "_count");
      if (!family.samples.contains(count) || family.samples.at(count) != value) {
        faults.push_back(sample + ": not its count");
      }
    }
  }
};

class MetricsOfAService : public ::testing::Test {
 protected:
  MetricsOfAService() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet-m-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    service_ = std::make_unique<Service>(
        folder_ + "/w", std::vector<ServedConfig>{{"bikes", parse_config(kConfig, "test"), {}}});
    metrics_ = std::make_unique<ServiceMetrics>(*service_);
    served_ = std::make_unique<Served>(
        [this](Server::Options& options) {
          options.observe = [this](const Route* route, int status, double seconds) {
            metrics_->request(route, status, seconds);
          };
        },
        [this](RouteTable& routes) { add_metrics_route(routes, *metrics_); });
  }
  ~MetricsOfAService() override {
    served_.reset();
    metrics_.reset();
    service_.reset();
    std::filesystem::remove_all(folder_);
  }

  void append(int events) const {
    std::string lines = "not an event\n";
    for (int i = 0; i < events; ++i) {
      lines += fmt::format(
          "{{\"id\":\"e{}\",\"ts\":\"2024-01-01T00:{:02}:{:02}Z\",\"x\":{},"
          "\"label\":{}}}\n",
          i, i / 60, i % 60, i % 7, i % 2);
    }
    service_->pipeline("bikes").append(lines, false);
  }
  Exposition ask() const {
    const std::string answer = served_->get("/metrics", "Authorization: Bearer view-token\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
    return Exposition(answer.substr(answer.find("\r\n\r\n") + 4));
  }

  std::string folder_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<ServiceMetrics> metrics_;
  std::unique_ptr<Served> served_;
};

TEST_F(MetricsOfAService, KeepToTheConventions) {
  append(100);
  served_->get("/livez");
  served_->get("/api/v1/pipelines/bikes", "Authorization: Bearer view-token\r\n");
  served_->get("/nowhere-7");
  const Exposition exposed = ask();
  EXPECT_THAT(exposed.faults, IsEmpty());
  EXPECT_GT(exposed.families.size(), 20U);
}

TEST_F(MetricsOfAService, TellWhatThePipelineTells) {
  append(300);
  for (int tries = 0; tries < 500 && service_->pipeline("bikes").view()->rows < 300; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const Exposition exposed = ask();
  const auto value = [&](const std::string& name) {
    return exposed.families.at(name).samples.at(name + "{pipeline=\"bikes\"}");
  };
  EXPECT_EQ(value("freshet_events_accepted_total"), 300);
  EXPECT_EQ(value("freshet_dead_letters_total"), 1);
  EXPECT_EQ(value("freshet_rows"), 300);
  EXPECT_EQ(value("freshet_lag_records"), 0);
  EXPECT_EQ(value("freshet_watermark_timestamp_seconds"), 1704067200 + 299);
  EXPECT_GT(exposed.families.at("freshet_workspace_bytes")
                .samples.at("freshet_workspace_bytes{kind=\"log\"}"),
            0);
  EXPECT_GT(exposed.families.at("freshet_disk_free_bytes").samples.at("freshet_disk_free_bytes"),
            0);
  EXPECT_GT(exposed.families.at("freshet_learn_duration_seconds")
                .samples.at("freshet_learn_duration_seconds_count{pipeline=\"bikes\"}"),
            0);
}

TEST_F(MetricsOfAService, CountRequestsByRouteAndNotByWhatWasAskedFor) {
  served_->get("/api/v1/pipelines/bikes", "Authorization: Bearer view-token\r\n");
  served_->get("/api/v1/pipelines/other", "Authorization: Bearer view-token\r\n");
  served_->get("/nowhere");
  const Exposition exposed = ask();
  const auto& samples = exposed.families.at("freshet_http_request_duration_seconds").samples;
  EXPECT_EQ(samples.at("freshet_http_request_duration_seconds_count{method=\"GET\",route="
                       "\"/api/v1/pipelines/{pipeline}\",status=\"2xx\"}"),
            2);
  EXPECT_EQ(samples.at("freshet_http_request_duration_seconds_count{method=\"none\",route="
                       "\"none\",status=\"4xx\"}"),
            1);
}

TEST_F(MetricsOfAService, AreForWhoMayView) { EXPECT_EQ(status_of(served_->get("/metrics")), 401); }

TEST(Exposition, FindsWhatBreaksTheConventions) {
  for (const char* text :
       {"# HELP freshet_rows h\n# TYPE freshet_rows counter\nfreshet_rows 1\n", "freshet_rows 1\n",
        "# HELP freshet_lag_ms h\n# TYPE freshet_lag_ms gauge\nfreshet_lag_ms 1\n",
        "# HELP freshet_rows h\n# TYPE freshet_rows gauge\nfreshet_rows{version=\"7\"} 1\n",
        "# HELP freshet_rows h\n# TYPE freshet_rows gauge\nfreshet_rows{pipeline=\"7\"} 1\n"}) {
    EXPECT_FALSE(Exposition(text).faults.empty()) << text;
  }
}

}  // namespace
}  // namespace freshet
