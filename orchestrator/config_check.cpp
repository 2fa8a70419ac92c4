#include "orchestrator/config_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace freshet {
namespace {

using Place = ConfigPlace;

bool is_name(const std::string& text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

void check_name(const std::string& name, const Place& place, ConfigProblems& problems) {
  if (is_name(name)) return;
  problems.consequence(place, fmt::format("found \"{}\", expected 1 to 64 letters, digits, '_', "
                                          "'-' or '.', no '.' or '-' first",
                                          name.substr(0, 80)));
}

void check_recipe(const Recipe& recipe, const Place& place, const Schema& schema,
                  ConfigProblems& problems) {
  const Place train = place.key("train");
  const Place hidden = place.key("network").key("hidden");
  if (recipe.network.kind == NetworkKind::linear && !recipe.network.hidden.empty()) {
    problems.consequence(hidden, "expected none: a linear model has no hidden layers");
  }
  if (recipe.network.kind == NetworkKind::mlp && recipe.network.hidden.empty()) {
    problems.consequence(hidden, "found none, expected 1 to 16 layers, or kind \"linear\"");
  }
  if (recipe.momentum != 0 && recipe.optimizer != OptimizerKind::sgd) {
    problems.consequence(train.key("momentum"), "expected only with optimizer \"sgd\"");
  }
  if (recipe.loss != RegressionLoss::squared && schema.task != Task::regression) {
    problems.consequence(train.key("loss"), "expected only with task \"regression\"");
  }
  const std::size_t weights = recipe.class_weights.size();
  const std::size_t classes = schema.task == Task::regression ? 0
                              : schema.task == Task::binary   ? 2
                                                              : schema.label.classes.size();
  if (weights != 0 && weights != classes) {
    problems.consequence(
        train.key("class_weights"),
        classes == 0 ? std::string("expected none: a regression has no classes")
                     : fmt::format("found {} weights, expected {}, one a class", weights, classes));
  }
}

void check_learners(const PipelineConfig& config, ConfigProblems& problems) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < config.learners.size(); ++i) {
    const Recipe& recipe = config.learners[i];
    const Place place = Place::at("learners", i);
    check_name(recipe.name, place.key("name"), problems);
    if (!names.insert(recipe.name).second) {
      problems.consequence(place.key("name"), fmt::format("found \"{}\" twice", recipe.name));
    }
    check_recipe(recipe, place, config.schema, problems);
  }
}

void check_actions(const PipelineConfig& config, ConfigProblems& problems) {
  std::vector<std::string> names;
  for (const Recipe& recipe : config.learners) names.push_back(recipe.name);
  for (std::size_t i = 0; i < config.retrain.actions.size(); ++i) {
    const RetrainAction& action = config.retrain.actions[i];
    if (std::find(names.begin(), names.end(), action.learner) != names.end()) continue;
    const char* kind = action.kind == RetrainKind::fresh  ? "fresh"
                       : action.kind == RetrainKind::warm ? "warm"
                                                          : "cut";
    problems.consequence(Place::at("retrain", "do", i, kind),
                         fmt::format("found \"{}\", expected a learner: {}{}", action.learner,
                                     fmt::join(names, ", "), nearest_hint(action.learner, names)));
  }
}

// No verdict comes before 2,000 counted rows, and `in_flight` of them at once.
constexpr std::uint64_t kLeastVerdictRows = 2000;

void check_triggers(const PipelineConfig& config, ConfigProblems& problems) {
  const RetrainPolicy& policy = config.retrain;
  if (!policy.when.empty() && policy.actions.empty()) {
    problems.consequence(Place::at("retrain", "do"),
                         "found none, expected what the triggers of retrain.when order");
  }
  for (std::size_t i = 0; i < policy.when.size(); ++i) {
    const std::uint64_t rows = policy.when[i].rows;
    if (rows == 0) continue;
    const std::uint64_t least =
        (policy.actions.size() * kLeastVerdictRows + config.evaluate.in_flight - 1) /
        config.evaluate.in_flight;
    if (rows < least) {
      problems.consequence(
          Place::at("retrain", "when", "any", i, "rows"),
          fmt::format("found {}, expected at least {}: a verdict takes {} rows or more, and {} "
                      "evaluations are under way at once, so candidates would come faster than "
                      "they can be judged",
                      rows, least, kLeastVerdictRows, config.evaluate.in_flight));
    }
  }
}

void check_evaluation(const PipelineConfig& config, ConfigProblems& problems) {
  const Task task = config.schema.task;
  const std::vector<std::string> known =
      task == Task::binary ? std::vector<std::string>{"log_loss", "brier",  "accuracy", "f1",
                                                      "auc",      "pr_auc", "ece",      "kappa"}
      : task == Task::multiclass
          ? std::vector<std::string>{"log_loss", "accuracy", "macro_f1", "kappa"}
          : std::vector<std::string>{"mae", "rmse", "r2"};
  for (std::size_t i = 0; i < config.evaluate.metrics.size(); ++i) {
    const std::string& metric = config.evaluate.metrics[i];
    if (std::find(known.begin(), known.end(), metric) != known.end()) continue;
    problems.consequence(Place::at("evaluate", "metrics", i),
                         fmt::format("found \"{}\", expected one of {}{}", metric,
                                     fmt::join(known, ", "), nearest_hint(metric, known)));
  }
  const LossKind on = config.promote.on;
  const bool number = on == LossKind::absolute || on == LossKind::squared;
  if (number != (task == Task::regression)) {
    problems.consequence(Place::at("promote", "on"),
                         number ? "it is a loss of regressions, expected log_loss or zero_one"
                                : "it is a loss of classes, expected absolute or squared");
  }
}

}  // namespace

void check_config(const PipelineConfig& config, ConfigProblems& problems) {
  check_name(config.pipeline, Place::at("pipeline"), problems);
  check_stream(config, problems);
  check_learners(config, problems);
  check_actions(config, problems);
  check_triggers(config, problems);
  check_evaluation(config, problems);
  check_features(config, problems);
}

}  // namespace freshet
