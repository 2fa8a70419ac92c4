#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/feature_sets.h"
#include "orchestrator/predictor.h"
#include "orchestrator/run.h"
#include "stream/blanks.h"
#include "trainer/artifact.h"

namespace freshet {

using nlohmann::json;

namespace {

// As much as one request takes.
constexpr std::size_t kMostEvents = 1000;
constexpr std::size_t kMostBytes = std::size_t{512} * 1024;

struct PredictArguments {
  OwnerAddress owner;
  std::string pipeline;
  std::string input = "-";
  bool durable = false;
  bool no_record = false;
  bool json = false;
};

/// Some lines of the input, with where they stand.
struct Batch {
  std::vector<std::string> events;
  std::size_t first_line = 0;
  std::size_t last_line = 0;
};

class EventLines {
 public:
  explicit EventLines(const std::string& path) : path_(path) {
    if (path == "-") return;
    file_.open(path);
    if (!file_) throw Error(ErrorKind::not_found, fmt::format("{}: cannot be opened", path));
  }

  /// False at the end.
  bool next(Batch& batch) {
    batch = {};
    std::size_t bytes = 0;
    std::string line;
    std::istream& in = path_ == "-" ? std::cin : file_;
    while (batch.events.size() < kMostEvents && bytes < kMostBytes && std::getline(in, line)) {
      ++line_;
      if (is_blank(line)) continue;
      if (!json::parse(line, nullptr, false).is_object()) {
        throw Error(ErrorKind::invalid,
                    fmt::format("{}:{}: expected one JSON object a line, found {:.60}", path_,
                                line_, line));
      }
      if (batch.events.empty()) batch.first_line = line_;
      batch.last_line = line_;
      bytes += line.size();
      batch.events.push_back(std::move(line));
    }
    if (in.bad()) throw Error(ErrorKind::unavailable, fmt::format("{}: cannot be read", path_));
    return !batch.events.empty();
  }

  std::string place(const Batch& batch) const {
    if (batch.events.size() == 1) return fmt::format("{}:{}", path_, batch.first_line);
    return fmt::format("{}, lines {} to {}", path_, batch.first_line, batch.last_line);
  }

 private:
  const std::string path_;
  std::ifstream file_;
  std::size_t line_ = 0;
};

/// The stored champion, ready to answer.
class StoredChampion {
 public:
  StoredChampion(Workspace& workspace, const std::string& pipeline)
      : config_(recorded_config(workspace.registry(), pipeline)), predictor_(config_.schema) {
    predictor_.serve(load(workspace, pipeline, config_));
  }

  std::vector<json> predict(const std::vector<std::string>& events) {
    std::vector<json> answers;
    for (const Answer& answer : predictor_.answer(events)) {
      answers.push_back(answer_json(answer, config_.schema));
    }
    return answers;
  }

 private:
  static Predictor::Champion load(Workspace& workspace, const std::string& pipeline,
                                  const PipelineConfig& config) {
    Predictor::Champion champion;
    for (const AliasRecord& alias : workspace.registry().aliases(pipeline)) {
      if (alias.alias != "champion") continue;
      for (const Revision& revision : workspace.registry().revisions(pipeline, alias.version)) {
        if (revision.row != alias.row || revision.artifact.empty()) continue;
        const Artifact artifact = read_artifact(workspace.artifacts().get(revision.artifact));
        champion.model = make_model(artifact.spec, artifact.state);
        const Lineage lineage = workspace.registry().version(pipeline, revision.version).lineage;
        champion.features = std::make_shared<const FeatureSet>(
            config.schema, features_of(config, parse_recipe(lineage.recipe, config)));
        champion.version = revision.version;
        champion.row = revision.row;
        return champion;
      }
    }
    throw Error(ErrorKind::unavailable,
                fmt::format("pipeline \"{}\" has no stored champion yet: run it over more "
                            "labeled events",
                            pipeline));
  }

  const PipelineConfig config_;
  Predictor predictor_;
};

void print_answer(const json& answer, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", answer.dump());
    return;
  }
  std::string text = answer.at("answer").dump();
  if (const auto recorded = answer.find("recorded");
      recorded != answer.end() && recorded->at("outcome") != "accepted") {
    text += fmt::format("  (not recorded: {})", recorded->value("reason", "a duplicate"));
  }
  fmt::print("{}  {}\n", answer.at("revision").get<std::string>(), text);
}

int predict(const PredictArguments& a, const FindOwner& find_owner) {
  const std::unique_ptr<Owner> owner = find_owner(a.owner);
  Workspace workspace = read_workspace(a.owner.workspace);
  const std::string name = choose_pipeline(workspace.registry(), a.pipeline);
  std::unique_ptr<StoredChampion> stored;
  if (!owner) {
    if (a.durable) {
      throw Error(ErrorKind::conflict,
                  "--durable: nobody runs this workspace who could record the question; start "
                  "freshet serve, or leave --durable out");
    }
    stored = std::make_unique<StoredChampion>(workspace, name);
  }
  EventLines lines(a.input);
  for (Batch batch; !stop_requested && lines.next(batch);) {
    std::vector<json> answers;
    try {
      answers = owner ? owner->predict(name, batch.events, !a.no_record, a.durable)
                      : stored->predict(batch.events);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::invalid) throw;
      throw Error(ErrorKind::invalid, fmt::format("{}: {}", lines.place(batch), error.what()));
    }
    for (const json& answer : answers) print_answer(answer, a.json);
  }
  return kDone;
}

}  // namespace

void add_predict_command(CLI::App& app, Command& chosen, const FindOwner& find_owner) {
  auto* sub = app.add_subcommand(
      "predict", "The champion's answers to events: a running server's, or the stored one's");
  const auto a = std::make_shared<PredictArguments>();
  sub->add_option("events", a->input, "A file of JSON lines, an event each; - for standard input")
      ->capture_default_str();
  add_owner_options(*sub, a->owner);
  sub->add_option("-p,--pipeline", a->pipeline, "Which pipeline, if there are several");
  sub->add_flag("--durable", a->durable, "Answer once the question is recorded for good");
  sub->add_flag("--no-record", a->no_record,
                "Only ask: the server records no question (without one none is)");
  sub->add_flag("--json", a->json, "As JSON lines");
  sub->callback([=, &chosen] { chosen = [=] { return predict(*a, find_owner); }; });
}

}  // namespace freshet
