#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/evaluation.h"
#include "stream/feature_set.h"
#include "stream/kafka_input.h"
#include "stream/schema.h"
#include "trainer/recipe.h"

namespace freshet {

enum class RetrainKind { fresh, warm, cut };

/// One entry of `retrain.do`.
struct RetrainAction {
  RetrainKind kind = RetrainKind::fresh;
  std::string learner;                ///< the recipe's name
  std::uint64_t window_rows = 20000;  ///< fresh: the newest rows it trains on
  std::uint32_t epochs = 3;
  bool follow = true;  ///< once promoted, it learns on and is followed

  bool operator==(const RetrainAction&) const = default;
};

/// One entry of `retrain.when.any`; exactly one is set.
struct TriggerSpec {
  std::uint64_t rows = 0;  ///< every so many rows
  Millis every = 0;        ///< every so much event time

  bool operator==(const TriggerSpec&) const = default;
};

struct RetrainPolicy {
  std::vector<TriggerSpec> when;
  std::vector<RetrainAction> actions;  ///< "do"
  Millis cooldown = 0;                 ///< event time between two triggers, at least
  double rows_per_row = 20;            ///< training rows the worker does per row that arrives

  bool operator==(const RetrainPolicy&) const = default;
};

struct EvaluatePolicy {
  std::vector<std::string> metrics;  ///< empty: all of the task
  std::uint64_t holdout_rows = 4000;
  std::uint64_t max_rows = 20000;
  TestKind test = TestKind::mixture;
  double clip = 0.01;
  std::optional<Millis> cycle;       ///< none: chosen at an evaluation's start; 0: no cycle
  std::uint64_t warmup_rows = 2000;  ///< default and least
  std::uint64_t restart_after_rows = 5000;
  std::uint32_t in_flight = 4;

  bool operator==(const EvaluatePolicy&) const = default;
};

struct RefreshPolicy {
  std::uint64_t every_rows = 64;
  bool on_evidence = false;  ///< "gate": "evidence": no refresh, cuts are judged
  std::uint64_t keep_every_rows = 10000;

  bool operator==(const RefreshPolicy&) const = default;
};

struct ProbationPolicy {
  std::uint64_t rows = 5000;
  double tolerance = 0.005;
  double alpha_rollback = 0.01;

  bool operator==(const ProbationPolicy&) const = default;
};

struct PromotePolicy {
  LossKind on = LossKind::log_loss;  ///< default: log_loss, absolute for regression
  double margin = 0;
  double alpha = 0.05;
  bool automatic = true;  ///< "approval": "automatic" | "manual"
  RefreshPolicy refresh;
  ProbationPolicy probation;

  bool operator==(const PromotePolicy&) const = default;
};

/// `stream.keep`: what else may be deleted. Exactly one is set.
struct KeepPolicy {
  std::optional<Millis> age;           ///< older, in event time
  std::optional<std::uint64_t> bytes;  ///< what is before the newest so many of the log's records

  bool operator==(const KeepPolicy&) const = default;
};

/// A pipeline's whole config with every default filled in.
struct PipelineConfig {
  std::string pipeline;
  std::uint64_t seed = 1;
  std::uint64_t tick_rows = 64;
  Schema schema;                      ///< task and all of `stream`
  std::string source_kind = "file";   ///< file, demo, kafka
  KafkaInput kafka;                   ///< kafka
  std::uint64_t demo_events = 60000;  ///< demo
  std::uint64_t demo_seed = 1;        ///< demo
  bool sync_each_batch = true;        ///< "durability": "full" | "batch"
  std::optional<KeepPolicy> keep;     ///< none: all stays
  std::vector<FeatureSpec> features;
  std::vector<Recipe> learners;
  RetrainPolicy retrain;
  EvaluatePolicy evaluate;
  PromotePolicy promote;
  std::optional<KafkaOutput> sink;

  bool operator==(const PipelineConfig&) const = default;
};

/// Reads a config, fills in every default and checks it as a whole. Throws Error{invalid} whose
/// message lists each problem as "file:line:column: path: what was found, what would be right",
/// unknown keys with the nearest known one, one problem a line in the file's order. At most 1 MiB
/// and 64 levels deep; a key that stands twice is an error. `read_config` throws Error{not_found}
/// for a file that is not there.
PipelineConfig parse_config(const std::string& text, const std::string& file_name);
PipelineConfig read_config(const std::string& path);

/// Canonical JSON with all defaults: what the registry records, `pipeline show` prints and
/// `parse_config` reads back to an equal config. `indent` < 0: one line.
std::string write_config(const PipelineConfig& config, int indent = -1);

/// A recipe as a version's lineage records it, read under the config of its pipeline. Throws
/// Error{invalid} as above.
Recipe parse_recipe(const std::string& text, const PipelineConfig& config);

/// sha256 (hex) of the canonical JSON.
std::string config_hash(const PipelineConfig& config);

/// The JSON Schema (draft 2020-12) of a config file.
std::string config_schema();

// What a change of config means.
inline constexpr const char* kMeansPolicy = "policy";
inline constexpr const char* kMeansNewLearner = "new learner";
inline constexpr const char* kMeansStops = "learner stops";
inline constexpr const char* kMeansNewWorkspace = "new workspace";

/// What differs between two configs and what that means. Learners are compared by name.
struct ConfigDifference {
  std::string path;  ///< "promote.alpha", "learners.steady.train.batch"
  std::string from;
  std::string to;
  std::string means;  ///< one of the above
};
std::vector<ConfigDifference> differences(const PipelineConfig& from, const PipelineConfig& to);

}  // namespace freshet
