#include "orchestrator/feature_sets.h"

#include <algorithm>

namespace freshet {

std::uint64_t served_key(const FeatureSet& set) {
  return std::stoull(set.identity().substr(0, 16), nullptr, 16);
}

FeatureSets::FeatureSets(const PipelineConfig& config) {
  sets_.emplace_back(config.schema, config.features);
  for (const Recipe& recipe : config.learners) add(config.schema, recipe);
}

std::size_t FeatureSets::index_of(const Schema& schema, const Recipe& recipe) const {
  if (recipe.features.empty()) return 0;
  return find(FeatureSet(schema, recipe.features).identity());
}

std::size_t FeatureSets::index_of_served(std::uint64_t key) const {
  if (key == 0) return 0;
  const auto found = std::find_if(sets_.begin(), sets_.end(),
                                  [&](const FeatureSet& set) { return served_key(set) == key; });
  return static_cast<std::size_t>(found - sets_.begin());
}

void FeatureSets::add(const Schema& schema, const Recipe& recipe) {
  if (index_of(schema, recipe) == size()) sets_.emplace_back(schema, recipe.features);
}

std::vector<FeatureColumn> FeatureSets::columns() const {
  std::vector<FeatureColumn> columns;
  for (const FeatureSet& set : sets_) columns.push_back({set.identity(), set.width()});
  return columns;
}

std::size_t FeatureSets::find(const std::string& identity) const {
  const auto found = std::find_if(sets_.begin(), sets_.end(), [&](const FeatureSet& set) {
    return set.identity() == identity;
  });
  return static_cast<std::size_t>(found - sets_.begin());
}

}  // namespace freshet
