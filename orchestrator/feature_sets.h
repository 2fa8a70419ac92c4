#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "stream/feature_set.h"
#include "stream/row_store.h"

namespace freshet {

/// The features a recipe learns from: its own, or else the pipeline's.
inline const std::vector<FeatureSpec>& features_of(const PipelineConfig& config,
                                                   const Recipe& recipe) {
  return recipe.features.empty() ? config.features : recipe.features;
}

/// How a log record tells which feature set a served vector is of (ServedAnswer::features), where
/// it isn't the pipeline's: by the first 8 bytes of the identity.
std::uint64_t served_key(const FeatureSet& set);

/// The distinct feature sets that a pipeline computes, each once a question: the pipeline's first,
/// then those of its learners in the order in which they came. They are the row store's columns.
/// Used by one thread.
class FeatureSets {
 public:
  explicit FeatureSets(const PipelineConfig& config);

  std::size_t size() const { return sets_.size(); }
  FeatureSet& operator[](std::size_t index) { return sets_[index]; }
  const FeatureSet& operator[](std::size_t index) const { return sets_[index]; }

  /// Which of them a recipe learns from; size() if it is none of them.
  std::size_t index_of(const Schema& schema, const Recipe& recipe) const;
  /// Which of them has this key, 0 meaning the pipeline's; size() if none has.
  std::size_t index_of_served(std::uint64_t key) const;
  /// A recipe's set is one of them from here on.
  void add(const Schema& schema, const Recipe& recipe);
  std::vector<FeatureColumn> columns() const;

 private:
  std::size_t find(const std::string& identity) const;

  std::vector<FeatureSet> sets_;
};

}  // namespace freshet
