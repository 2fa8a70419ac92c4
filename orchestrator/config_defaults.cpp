#include <algorithm>

#include "orchestrator/config_check.h"

namespace freshet {
namespace {

using Place = ConfigPlace;

void fill_stream(Schema& schema, const ConfigProblems& file) {
  if (!file.has(Place::at("stream", "dedup_within"))) {
    schema.dedup_within = std::max(kDay, schema.label.wait + schema.allowed_lateness);
  }
}

void fill_feature(FeatureSpec& feature, const Place& place, const Schema& schema,
                  const ConfigProblems& file) {
  if (!file.has(place.key("from"))) feature.from = feature.name;
  FieldKind kind = FieldKind::time;
  if (const auto at = schema.find(feature.from)) kind = schema.fields[*at].kind;
  if (!file.has(place.key("encode"))) {
    if (kind == FieldKind::time) {
      feature.encoding = Encoding::time_of_day;
    } else if (kind == FieldKind::category || kind == FieldKind::text) {
      feature.encoding = Encoding::embedding;
    }
  }
  if (!file.has(place.key("scale"))) {
    feature.scale = feature.encoding == Encoding::number && kind == FieldKind::number;
  }
  const bool hashes = feature.encoding == Encoding::hash || feature.encoding == Encoding::embedding;
  if (hashes && !file.has(place.key("buckets"))) feature.buckets = 256;
  if (feature.encoding == Encoding::embedding && !file.has(place.key("dim"))) feature.dim = 4;
}

std::vector<Recipe> default_learners() {
  Recipe steady;
  steady.name = "steady";
  steady.steps = 4;
  steady.replay = ReplayKind::recent;
  Recipe linear;
  linear.name = "linear";
  linear.network = {NetworkKind::linear, {}};
  linear.optimizer = OptimizerKind::sgd;
  linear.learning_rate = 0.05;
  linear.clip_gradient_norm = 1;  // early batches, scaled by few rows, would throw it far off
  return {steady, linear};
}

void fill_learner(Recipe& recipe, std::size_t i, const ConfigProblems& file) {
  const Place place = Place::at("learners", i);
  const Place train = place.key("train");
  if (recipe.network.kind == NetworkKind::linear && !file.has(place.key("network").key("hidden"))) {
    recipe.network.hidden.clear();
  }
  if (recipe.optimizer == OptimizerKind::sgd && !file.has(train.key("learning_rate"))) {
    recipe.learning_rate = 0.05;
  }
  if (file.has(train.key("replay")) && !file.has(train.key("replay").key("kind"))) {
    recipe.replay = ReplayKind::recent;
  }
}

void fill_retrain(PipelineConfig& config, const ConfigProblems& file) {
  RetrainPolicy& policy = config.retrain;
  if (!file.has(Place::at("retrain", "when"))) policy.when = {{10'000, 0}};
  if (!file.has(Place::at("retrain", "do"))) {
    RetrainAction fresh;
    fresh.learner = config.learners.front().name;
    policy.actions = {fresh};
  }
}

}  // namespace

void fill_defaults(PipelineConfig& config, const ConfigProblems& file) {
  fill_stream(config.schema, file);
  if (config.features.empty()) {
    config.features = FeatureSet::defaults(config.schema);
  } else {
    for (std::size_t i = 0; i < config.features.size(); ++i) {
      fill_feature(config.features[i], Place::at("features", i), config.schema, file);
    }
  }
  if (config.learners.empty()) {
    config.learners = default_learners();
  } else {
    for (std::size_t i = 0; i < config.learners.size(); ++i) {
      Recipe& learner = config.learners[i];
      fill_learner(learner, i, file);
      for (std::size_t k = 0; k < learner.features.size(); ++k) {
        fill_feature(learner.features[k], Place::at("learners", i, "features", k), config.schema,
                     file);
      }
    }
  }
  fill_retrain(config, file);
  if (!file.has(Place::at("promote", "on"))) {
    config.promote.on =
        config.schema.task == Task::regression ? LossKind::absolute : LossKind::log_loss;
  }
  if (!file.has(Place::at("promote", "refresh", "every_rows"))) {
    config.promote.refresh.every_rows = config.tick_rows;
  }
}

}  // namespace freshet
